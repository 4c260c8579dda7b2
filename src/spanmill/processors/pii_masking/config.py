"""Configuration of the pii_masking processor."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.base import Misfit, Model, warn
from spanmill.config.values import Flag, Positive, Secret, invalid
from spanmill.pii.modes import MIN_KEY_BYTES, Mode
from spanmill.signal import Signal

DetectorName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, Field(min_length=1)]


class DetectorOptions(Model):
    """What is particular about one detector."""

    enabled: Flag = True
    """Off: what it finds is left as it is, unless another detector finds it too."""
    mode: Mode | None = None
    """How what it finds is masked. None: as `mode` of the processor says."""


class HmacKey(Model):
    """The key of the mode `hmac`."""

    file_keys: ClassVar = ("key_file",)

    key: Secret | None = None
    """The key, at least 16 bytes, such as `${env:PII_KEY}`; `openssl rand -hex 32` makes a good one."""
    key_file: Text | None = None
    """A file that holds it, instead; a line break at its end is no part of it. Read at the start."""
    key_id: Annotated[str, Field(pattern="^[0-9A-Za-z_.-]{1,64}$")]
    """A name for the key, which stands in every pseudonym, so that one can tell with which key it was made."""

    @model_validator(mode="after")
    def is_one_long_key(self) -> Self:
        if (self.key is None) == (self.key_file is None):
            found = "both are" if self.key is not None else "neither is"
            raise invalid(f"a key is needed once, and {found} given", "`key` or `key_file`")
        if self.key is not None:
            length = len(self.key.reveal().encode())
            if length < MIN_KEY_BYTES:
                expected = f"at least {MIN_KEY_BYTES} bytes"
                hint = "`openssl rand -hex 32` makes a good one." if length else "Is the variable that it is from set?"
                raise invalid(f"the key is too short, it has {length} bytes", expected, hint, key="key")
        return self


class CustomDetector(Model):
    """A detector of your own."""

    name: DetectorName
    """What it is called in metrics and, in capitals, in masked texts."""
    pattern: Text
    """A regular expression (RE2): what it matches, or its first group if it has one, is personal data. It has neither
    look-around nor back references, and so takes no longer on hostile text than on any other."""
    checksum: Text | None = None
    """A check that matches must pass: luhn, mod_97, kr_business_number, kr_resident_number or jp_my_number. What
    stands between the digits does not matter to it."""
    context: tuple[Text, ...] = ()
    """Words of which one must stand near a match, in upper or lower case. None: it needs none."""
    context_bytes: Positive = 96
    """How near: bytes (of UTF-8) before or after the match."""
    mode: Mode | None = None
    """How what it finds is masked. None: as `mode` of the processor says."""


class SecretKeys(Model):
    """The keys whose values are masked whatever they are: those whose last words are such a name, in any spelling
    (`dbPassword`, `X-Api-Key`)."""

    add: tuple[Text, ...] = ()
    """Further names, such as `employee_badge`."""
    remove: tuple[Text, ...] = ()
    """Names that are none here, such as `token`."""


class Allow(Model):
    """What is never masked, though it is found."""

    texts: tuple[Text, ...] = ()
    """Whole findings, such as `support@example.com`."""
    patterns: tuple[Text, ...] = ()
    """Regular expressions (RE2) that match a whole finding, such as `.*@example\\.com`."""


class Scope(Model):
    """The places that are masked, with `*` and `?`: `attributes.gen_ai.*`, `events`, `resource.attributes.host.name`.
    A place means everything below it."""

    include: Annotated[tuple[Text, ...], Field(min_length=1)] = ("*",)
    """What is masked. By default everything."""
    exclude: tuple[Text, ...] = ()
    """What is left as it is, though included."""


class Presidio(Model):
    """Names and places by named-entity recognition, with Presidio and spaCy. It takes 1,000 times as long as everything
    else together; `pip install 'spanmill[presidio]'` brings it, without models."""

    models: Annotated[dict[str, Text], Field(min_length=1)] = Field(default_factory=lambda: {"en": "en_core_web_lg"})
    """The spaCy model of each language, as a name or a directory; it must be installed. Every text is analysed in every
    language."""
    entities: Annotated[tuple[DetectorName, ...], Field(min_length=1)] = ("person", "location")
    """What is looked for: Presidio's names, in lower case. They are names of detectors."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How sure Presidio must be, from 0 to 1."""


class PiiMaskingProcessorConfig(Model):
    """Finds and masks personal data and secrets in every string. Put it first, behind `memory_limiter`: what comes
    after it, and everything that is written, sees masked text only. Not in the Collector."""

    on_when_null: ClassVar = frozenset({"presidio"})

    mode: Mode = "replace"
    """`replace` (`<EMAIL>`), `partial` (the last four letters and digits stay), `hmac` (a pseudonym made with a key:
    who is the same person stays the same) or `drop` (nothing stays). Values of secret keys and passwords in URLs are
    replaced where this says `partial`."""
    only: tuple[DetectorName, ...] = ()
    """Look for nothing but what these detectors find, and your own. None: for everything."""
    detectors: dict[DetectorName, DetectorOptions] = Field(default_factory=dict)
    """What is particular about single detectors: `detectors: {email: {mode: hmac}, ipv4: {enabled: false}}`."""
    hmac: HmacKey | None = None
    """The key of the mode `hmac`."""
    custom: tuple[CustomDetector, ...] = ()
    """Detectors of your own."""
    secret_keys: SecretKeys = SecretKeys()
    """Keys that name a secret; the detector `secret_key_value`."""
    allow: Allow = Allow()
    """What is never masked."""
    scope: Scope = Scope()
    """Where."""
    keys: Flag = False
    """Mask the keys of attributes and maps too, not only what is under them."""
    dry_run: Flag = False
    """Only count; nothing is masked."""
    presidio: Presidio | None = None
    """Names and places too. None: not; a bare `presidio:` turns it on at its defaults."""

    @model_validator(mode="after")
    def does_something(self, info: ValidationInfo) -> Self:
        if self.hmac is not None and not any(mode == "hmac" for _, mode in self.modes()):
            warn(info, "hmac", "no mode is `hmac`, so that the key is not used")
        if self.dry_run:
            warn(info, "dry_run", "findings are counted, and nothing is masked")
        return self

    def modes(self) -> Iterator[tuple[tuple[str | int, ...], Mode]]:
        """Every mode that is written, with the path of its key."""
        yield ("mode",), self.mode
        for name, options in self.detectors.items():
            if options.mode is not None:
                yield ("detectors", name, "mode"), options.mode
        for index, detector in enumerate(self.custom):
            if detector.mode is not None:
                yield ("custom", index, "mode"), detector.mode

    @property
    def masks(self) -> bool:
        """Whether what leaves this processor is masked."""
        return not self.dry_run

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.processors.pii_masking.misfits import misfits

        yield from misfits(self)
