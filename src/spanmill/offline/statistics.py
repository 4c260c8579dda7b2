"""Means of bounded scores and their differences, with intervals that stay honest when there are few. Pure.

One interval serves all: Wilson's score interval (1927), with the sample's own variance where scores are graded. It is

    (n m + z^2 c) / (n + z^2)  +-  z sqrt(n s^2 + z^2 r^2 / 4) / (n + z^2)

with the mean m, the variance s^2, the middle c and the width r of what scores can be: n observations, and z^2 more as
unlike each other as can be. For scores that are 0 or 1 it is Wilson's own. For graded ones it has the same middle and
is narrower, as their variance is less; it always holds the mean; and three perfect scores of three do not make it
[1, 1], as the normal interval and the bootstrap would have it.

Weights: the mean is Hajek's, n is Kish's effective size, and s^2 is what the linearised variance of the mean comes to
with that n, so that it is right where rows of large weight score differently.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies, as sure as was asked for."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, or a difference of means."""

    value: float
    interval: Interval
    count: int
    """Rows that it is of."""
    effective: float
    """How many rows of equal weight would be as good."""


def z_of(confidence: float) -> float:
    """How many standard errors to either side: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def effective_size(weights: Floats) -> float:
    """Kish's: as many as there are if the weights are equal, fewer the more they differ."""
    if not len(weights):
        return 0.0
    shares = weights / weights.max()  # squares of large weights are beyond what a float holds
    return float(shares.sum() ** 2 / (shares**2).sum())


def mean(
    values: Floats, weights: Floats, *, confidence: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    """The weighted mean of values within the bounds. Weights are positive; there is at least one row."""
    low, high = bounds
    count = effective_size(weights)
    shares = weights / weights.sum()
    middle = float(np.clip(shares @ values, low, high))
    variance = count * float((shares**2) @ ((values - middle) ** 2))
    return Estimate(middle, _score_interval(middle, variance, count, z_of(confidence), bounds), len(values), count)


def proportion(share: float, count: float, *, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a share that was seen among `count`, which need not be whole."""
    return _score_interval(share, share * (1 - share), count, z_of(confidence), (0.0, 1.0))


def difference(new: Estimate, old: Estimate) -> Estimate:
    """New less old, of rows that have nothing to do with each other: Newcombe's hybrid of the two intervals (1998,
    method 10), as sure as they are."""
    value = new.value - old.value
    below = np.hypot(new.value - new.interval.low, old.interval.high - old.value)
    above = np.hypot(new.interval.high - new.value, old.value - old.interval.low)
    interval = Interval(max(-1.0, value - float(below)), min(1.0, value + float(above)))
    return Estimate(value, interval, new.count + old.count, new.effective + old.effective)


def paired_difference(new: Floats, old: Floats, weights: Floats, *, confidence: float = 0.95) -> Estimate:
    """New less old, of the same rows in the same order, all within 0..1: the mean of the rows' own differences. What
    makes one row harder than another is in both and cancels."""
    return mean(new - old, weights, confidence=confidence, bounds=(-1.0, 1.0))


def _score_interval(middle: float, variance: float, count: float, z: float, bounds: tuple[float, float]) -> Interval:
    low, high = bounds
    added = z * z
    centre = (count * middle + added * (low + high) / 2) / (count + added)
    half = z * float(np.sqrt(count * variance + added * (high - low) ** 2 / 4)) / (count + added)
    # Weights that go along with scores may make it wider than the bounds; rounding may cut off the mean itself.
    return Interval(min(max(low, centre - half), middle), max(min(high, centre + half), middle))
