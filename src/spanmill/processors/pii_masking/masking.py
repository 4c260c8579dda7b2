"""The masker that a configuration asks for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spanmill.pii.detector import Detector, custom_detector
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import SECRET, Allow, Finds, Masker
from spanmill.pii.modes import Mode
from spanmill.pii.places import Options
from spanmill.pii.replacing import HmacKey, Style
from spanmill.pii.secret_keys import DEFAULT_SECRET_KEYS, SecretKeys, key_words
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.processors.pii_masking.misfits import detectors_in_use

_NEVER_PARTIAL_BY_DEFAULT: Final = (SECRET, "url_credentials")
"""They may be words of eight letters, of which four are half."""


def build_masker(config: PiiMaskingProcessorConfig) -> Masker:
    """Reads the file of the key, and loads models if names are looked for. Raises ValueError and OSError, whose texts
    a user may see."""
    in_use = detectors_in_use(config)
    detectors = [detector for detector in CATALOGUE if detector.name in in_use]
    detectors += [_custom(config, index) for index in range(len(config.custom))]
    finder: Finds = Finder(detectors)
    if config.presidio is not None:
        from spanmill.processors.pii_masking.named_entities import FinderOfNamesToo

        finder = FinderOfNamesToo(finder, config.presidio, _switched_off(config))
    styles = Styles(config)
    return Masker(
        finder,
        dict(styles.of_detectors()),
        default_style=styles.of(config.mode),
        secret_keys=_secret_keys(config) if SECRET in in_use else SecretKeys(()),
        allow=Allow(config.allow.texts, config.allow.patterns),
        dry_run=config.dry_run,
        mask_keys=config.keys,
    )


def build_options(config: PiiMaskingProcessorConfig) -> Options:
    """Which places are masked."""
    return Options(keys=config.keys, include=config.scope.include, exclude=config.scope.exclude)


class Styles:
    """How what each detector finds is masked."""

    def __init__(self, config: PiiMaskingProcessorConfig) -> None:
        self._config = config
        self._key = _key(config) if config.hmac is not None else None

    def of(self, mode: Mode) -> Style:
        """The style of a mode."""
        return Style(mode, self._key if mode == "hmac" else None)

    def of_detectors(self) -> Iterator[tuple[str, Style]]:
        """By name, of those that have one of their own."""
        if self._config.mode == "partial":
            for name in _NEVER_PARTIAL_BY_DEFAULT:
                yield name, Style()
        for name, options in self._config.detectors.items():
            if options.mode is not None:
                yield name, self.of(options.mode)
        for custom in self._config.custom:
            if custom.mode is not None:
                yield custom.name, self.of(custom.mode)


def _custom(config: PiiMaskingProcessorConfig, index: int) -> Detector:
    custom = config.custom[index]
    return custom_detector(
        custom.name,
        custom.pattern,
        checksum=custom.checksum,
        context=custom.context,
        context_bytes=custom.context_bytes,
    )


def _switched_off(config: PiiMaskingProcessorConfig) -> frozenset[str]:
    return frozenset(name for name, options in config.detectors.items() if not options.enabled)


def _key(config: PiiMaskingProcessorConfig) -> HmacKey:
    assert config.hmac is not None
    if config.hmac.key is not None:
        return HmacKey(config.hmac.key_id, config.hmac.key.reveal().encode())
    path = Path(config.hmac.key_file or "")
    try:
        return HmacKey(config.hmac.key_id, path.read_bytes().rstrip(b"\r\n"))
    except OSError as error:
        raise ValueError(f"the key of `hmac` cannot be read from {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _secret_keys(config: PiiMaskingProcessorConfig) -> SecretKeys:
    removed = {key_words(name) for name in config.secret_keys.remove}
    names = (name for name in DEFAULT_SECRET_KEYS if key_words(name) not in removed)
    return SecretKeys((*names, *config.secret_keys.add))
