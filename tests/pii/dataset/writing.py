"""The ways in which the same number is written: signs between its groups, full-width digits, other hyphens."""

from random import Random

from tests.pii.dataset.labelled import Value

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_WIDE_HYPHENS = "－ー‐−"  # noqa: RUF001
_WIDE_SHARE = {"en": 0.0, "ko": 0.03, "ja": 0.12}
_DASHES = "–‑−"  # noqa: RUF001
_DASH_SHARE = 0.02
_NUMBERS = ("phone", "card", "kr_rrn", "kr_brn", "kr_driver_licence", "kr_passport", "jp_my_number", "us_ssn")


def grouped(digits: str, sizes: tuple[int, ...], between: str) -> str:
    groups, at = [], 0
    for size in sizes:
        groups.append(digits[at : at + size])
        at += size
    return between.join(groups)


def wide(rng: Random, text: str) -> str:
    """In full-width signs, the hyphen as one of those that Japanese keyboards give."""
    hyphen = rng.choice(_WIDE_HYPHENS)
    return text.replace("-", hyphen).replace(" ", "　").translate(_FULL_WIDTH)


def as_typed(rng: Random, value: Value, language: str) -> Value:
    """As people write it in running text."""
    if value.detector not in _NUMBERS:
        return value
    if rng.random() < _WIDE_SHARE[language]:
        return _written(value, wide(rng, value.text), "full-width")
    if "-" in value.text and rng.random() < _DASH_SHARE:
        return _written(value, value.text.replace("-", rng.choice(_DASHES)), "other dash")
    return value


def _written(value: Value, text: str, how: str) -> Value:
    return Value(value.detector, text, f"{value.form}, {how}", value.bare, value.also)
