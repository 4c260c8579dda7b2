"""What a person said as a score from 0 (worst) to 1 (best) and a label. Nothing is guessed: what could mean two things
is refused."""

import math
from dataclasses import dataclass
from typing import Any, Final

from spanmill.config.problems import describe
from spanmill.receivers.otlp.feedback.fields import Wrong, name

STARS: Final = (1.0, 5.0)
MAX_SCALE: Final = 1e9

_THUMBS = {
    "up": "up",
    "thumbs_up": "up",
    "👍": "up",
    "down": "down",
    "thumbs_down": "down",
    "👎": "down",
}
_SKIN_TONES = dict.fromkeys([*range(0x1F3FB, 0x1F400), 0xFE0F])
"""Modifiers behind an emoji, which say nothing about the rating."""
_EXPECTED = 'a number from 0 to 1, true, false, "up", "down", a category as text, or {"stars": 1 to 5}'


@dataclass(frozen=True, slots=True)
class Rating:
    score: float | None
    """0 to 1; None for a category."""
    label: str | None


def rating(value: Any, scale: tuple[float, float] | None) -> Rating:
    """Raises `Wrong`. Only numbers have a scale."""
    if isinstance(value, dict):
        value, scale = _stars(value, scale), STARS
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _scaled(value, scale)
    if scale is not None:
        raise Wrong("`scale` stands beside a value that is no number", "a number, or no `scale`", describe(value))
    if isinstance(value, bool):
        return Rating(float(value), "true" if value else "false")
    if isinstance(value, str):
        return _said(value)
    raise Wrong("this is no rating", _EXPECTED, describe(value))


def scale_of(value: Any) -> tuple[float, float]:
    """The worst and the best number."""
    expected = "two numbers, the worst and the larger best, such as [1, 5]"
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
        raise Wrong("not a scale", expected, describe(value))
    worst, best = float(value[0]), float(value[1])
    if worst >= best:
        raise Wrong("the scale does not rise", expected, f"[{worst:g}, {best:g}]", "Turn the numbers round before.")
    if max(abs(worst), abs(best)) > MAX_SCALE:
        raise Wrong("the scale is too wide", f"numbers from {-MAX_SCALE:.0f} to {MAX_SCALE:.0f}")
    return worst, best


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _stars(value: dict[str, Any], scale: tuple[float, float] | None) -> float:
    if set(value) != {"stars"} or not _is_number(value["stars"]):
        raise Wrong("this is no rating", _EXPECTED, describe(value))
    if scale is not None:
        raise Wrong("stars are 1 to 5", 'no `scale`, or a plain number instead of {"stars": ...}')
    return float(value["stars"])


def _scaled(value: float, scale: tuple[float, float] | None) -> Rating:
    """With a scale the number itself is the label, so that it is not lost."""
    if scale is None:
        if not 0 <= value <= 1:
            hint = 'Say what is worst and best: "scale": [1, 5]; five stars are {"stars": 5}. A bare 1 is a full score.'
            raise Wrong("a number without a scale", "one from 0 to 1", describe(value), hint)
        return Rating(value + 0.0, None)
    worst, best = scale
    if not worst <= value <= best:
        raise Wrong("the number is not on the scale", f"{worst:g} to {best:g}", describe(value))
    return Rating(min(1.0, max(0.0, (value - worst) / (best - worst))), f"{value:g}")


def _said(text: str) -> Rating:
    word = text.strip().lower().translate(_SKIN_TONES)
    if word in _THUMBS:
        return Rating(float(_THUMBS[word] == "up"), _THUMBS[word])
    if _reads_as_number(word):
        raise Wrong("a number in quotes", "a number, or a category in words", describe(text), "Leave out the quotes.")
    return Rating(None, name(text))


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
