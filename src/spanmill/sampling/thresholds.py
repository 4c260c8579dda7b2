"""Thresholds: numbers from 0 (every row passes) to 2^56 (none does), their texts, and the probabilities they stand for.

Texts are what `th` holds: 14 hex digits without the zeros at their end.
"""

import re
from typing import Final

import numpy as np

DIGITS: Final = 14
"""Hex digits of full precision."""
NEVER: Final = 1 << 56
"""The threshold that no row passes. It has no text."""
_TEXT: Final = re.compile(r"[0-9a-fA-F]{1,14}")


def raised(thresholds: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Thresholds (uint64) behind a stage that rejects a share of what passes them: T + (2^56 - T) * rejected / 2^56.

    `rejected` is uint64 in [0, 2^56], in units of 2^-56. Exact, rounded down: the product has up to 112 bits.
    """
    passed = np.uint64(NEVER) - thresholds
    half, low = np.uint64(28), np.uint64((1 << 28) - 1)
    high_a, low_a, high_b, low_b = passed >> half, passed & low, rejected >> half, rejected & low
    middle = high_a * low_b + low_a * high_b + ((low_a * low_b) >> half)
    return np.asarray(thresholds + high_a * high_b + (middle >> half))


def weights_behind(thresholds: np.ndarray) -> np.ndarray:
    """How many rows each row stands for that has passed its threshold (uint64 below 2^56), float64."""
    return np.asarray(float(NEVER) / (np.uint64(NEVER) - thresholds).astype(np.float64))


def of_probabilities(probabilities: np.ndarray, precision: int = DIGITS) -> np.ndarray:
    """Thresholds (uint64) for probabilities (float64 in [2^-56, 1]), rounded to `precision` hex digits (1 to 14).

    Leading digits 0 and f do not count, so that the relative error of small probabilities, and of those near 1, is no
    greater than that of others: what the Collector does. Below 2^-56 it is `NEVER`.
    """
    scaled = _rounded(probabilities * float(NEVER))
    exact = np.uint64(NEVER) - scaled.astype(np.uint64)
    _, exponent = np.frexp(probabilities)
    _, exponent_of_rest = np.frexp(1 - probabilities)
    leading = np.maximum(np.maximum(-exponent, 0) // 4, np.maximum(-exponent_of_rest, 0) // 4)
    shift = (4 * (DIGITS - np.minimum(DIGITS, precision + leading))).astype(np.uint64)
    half = np.where(shift > 0, np.uint64(1) << np.maximum(shift, np.uint64(1)) - np.uint64(1), np.uint64(0))
    rounded = ((exact + half) >> shift) << shift
    always, never = probabilities >= 1, probabilities < 1 / NEVER
    return np.where(always, np.uint64(0), np.where(never, np.uint64(NEVER), rounded))


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """To the nearest whole number, halves up. From 2^52 on there are no other numbers than whole ones."""
    return np.where(numbers < 2.0**52, np.floor(numbers + 0.5), numbers)


def of_probability(probability: float, precision: int = DIGITS) -> int:
    """The same for one number."""
    return int(of_probabilities(np.array([probability], np.float64), precision)[0])


def format_threshold(threshold: int) -> str:
    """The hex text of a threshold below 2^56."""
    return f"{threshold:014x}".rstrip("0") or "0"


def parse_threshold(text: str) -> int | None:
    """The threshold of a hex text; None for anything else. Capitals are read, as the Collector does."""
    return int(text.ljust(DIGITS, "0"), 16) if _TEXT.fullmatch(text) else None
