"""What in the configuration only the detectors and their engine can judge: names, patterns, checksums, places."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final

import pyarrow as pa

from spanmill.config.base import Misfit
from spanmill.config.patterns import refused_pattern
from spanmill.config.problems import did_you_mean, one_of
from spanmill.otlp.codec import decode
from spanmill.pii.checksums import CHECKSUMS
from spanmill.pii.detector import custom_detector
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.masker import FAILED_COUNT, SECRET
from spanmill.pii.secret_keys import DEFAULT_SECRET_KEYS, key_words
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.schema.llm import LLM_COLUMNS
from spanmill.signal import Signal

BUILT_IN: Final = (*(detector.name for detector in CATALOGUE), SECRET)
"""The detectors that there are without any configuration."""
_GLOB: Final = frozenset("*?[")


def misfits(config: PiiMaskingProcessorConfig) -> Iterator[Misfit]:
    """Everything at once."""
    yield from _without_key(config)
    yield from _unknown_detectors(config)
    yield from _custom(config)
    yield from _secret_keys(config)
    for index, pattern in enumerate(config.allow.patterns):
        yield from refused_pattern(pattern, ("allow", "patterns", index))
    for key, patterns in (("include", config.scope.include), ("exclude", config.scope.exclude)):
        yield from _unknown_places(key, patterns)


def _without_key(config: PiiMaskingProcessorConfig) -> Iterator[Misfit]:
    if config.hmac is None:
        for path, mode in config.modes():
            if mode == "hmac":
                yield Misfit(path, "the mode hmac needs a key", "`hmac` with `key_id`, and `key` or `key_file`")


def _unknown_detectors(config: PiiMaskingProcessorConfig) -> Iterator[Misfit]:
    known = (*BUILT_IN, *(config.presidio.entities if config.presidio else ()))
    named: list[tuple[str | int, str]] = [*enumerate(config.only), *((name, name) for name in config.detectors)]
    for step, name in named:
        if name not in known:
            path = ("only" if isinstance(step, int) else "detectors", step)
            yield Misfit(path, f"there is no detector `{name}`", one_of(known), did_you_mean(name, known))


def detectors_in_use(config: PiiMaskingProcessorConfig) -> tuple[str, ...]:
    """The names of the built-in detectors that look for something, in their order."""
    chosen = config.only or BUILT_IN
    return tuple(
        name for name in BUILT_IN if name in chosen and (name not in config.detectors or config.detectors[name].enabled)
    )


def _custom(config: PiiMaskingProcessorConfig) -> Iterator[Misfit]:
    taken = Counter(detector.name for detector in config.custom)
    for index, custom in enumerate(config.custom):
        path = ("custom", index)
        if custom.name in BUILT_IN or custom.name == FAILED_COUNT:
            yield Misfit((*path, "name"), "a detector that comes with Spanmill has this name", "another name")
        elif taken[custom.name] > 1:
            yield Misfit((*path, "name"), "another detector has this name too", "each its own")
        if custom.checksum is not None and custom.checksum not in CHECKSUMS:
            hint = did_you_mean(custom.checksum, CHECKSUMS)
            yield Misfit((*path, "checksum"), "there is no such checksum", one_of(CHECKSUMS), hint)
        yield from refused_pattern(custom.pattern, (*path, "pattern"), _detector)


def _detector(pattern: str) -> object:
    return custom_detector("custom", pattern)


def _secret_keys(config: PiiMaskingProcessorConfig) -> Iterator[Misfit]:
    known = {key_words(name) for name in DEFAULT_SECRET_KEYS}
    for index, name in enumerate(config.secret_keys.remove):
        if key_words(name) not in known:
            hint = did_you_mean(name, DEFAULT_SECRET_KEYS)
            path = ("secret_keys", "remove", index)
            yield Misfit(path, "no secret key has this name", "a name that is one, see docs/pii.md", hint)
    for index, name in enumerate(config.secret_keys.add):
        if not key_words(name):
            yield Misfit(("secret_keys", "add", index), "there is no word in this name", "a name such as `api_key`")


def _unknown_places(key: str, patterns: Sequence[str]) -> Iterator[Misfit]:
    """A name that is mistyped under `include` would leave everything unmasked."""
    known = _first_names()
    for index, pattern in enumerate(patterns):
        first = pattern.partition(".")[0]
        if first not in known and not _GLOB.intersection(first):
            problem = f"nothing in a span, log record or metric point is called `{first}`"
            yield Misfit(("scope", key, index), problem, one_of(known), did_you_mean(first, known))


@cache
def _first_names() -> tuple[str, ...]:
    """What places begin with, in the records of any signal."""
    names: dict[str, None] = {}
    for signal in Signal:
        for field in decode(signal, [b""]).records.schema:
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            names |= dict.fromkeys(_texts_in(field.name, kind))
    return tuple(names | dict.fromkeys(column.name for column in LLM_COLUMNS if _holds_text(column.type)))


def _texts_in(name: str, kind: pa.DataType) -> Iterable[str]:
    if name == "metric":  # what is in this column is named as if it stood in the records themselves
        return [field.name for field in kind if field.name != "type" and _holds_text(field.type)]
    return [name] if _holds_text(kind) else []


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_text(field.type) for field in kind)
    if pa.types.is_list(kind):
        return _holds_text(kind.value_type)
    return bool(pa.types.is_string(kind))
