"""Exponential histograms as classic buckets.

The text formats have no native histograms, so the boundaries of the exponential buckets become `le` bounds. Neighbours
are merged (the scale is lowered) until there are at most `MAX_BUCKETS`; the bounds of a lower scale are among those of
a higher one, so that a histogram that grows keeps bounds it had.
"""

from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

import numpy as np

from spanmill.exporters.prometheus.values import Exemplars, Value, added, histogram_samples
from spanmill.telemetry.exposition import LabelSet, Sample

MAX_BUCKETS: Final = 80
"""Of each sign. At scale 3, which has nine bounds for each doubling, that is a range of 1:1000."""
MIN_SCALE, MAX_SCALE = -10, 20
"""The data model's range; below it one bucket holds every number."""


class Side(NamedTuple):
    """Buckets of one sign: bucket `i` holds magnitudes in `(base ** (offset + i), base ** (offset + i + 1)]`."""

    offset: int
    counts: np.ndarray

    def shifted(self, levels: int) -> "Side":
        """The same at a scale lower by `levels`: 2 ** levels neighbours become one."""
        if levels == 0 or len(self.counts) == 0:
            return self
        index = (self.offset + np.arange(len(self.counts), dtype=np.int64)) >> levels
        counts = np.zeros(int(index[-1] - index[0]) + 1, np.uint64)
        np.add.at(counts, index - index[0], self.counts)
        return Side(int(index[0]), counts)

    def plus(self, other: "Side") -> "Side":
        """The sum of two sides of one scale."""
        if len(self.counts) == 0 or len(other.counts) == 0:
            return other if len(self.counts) == 0 else self
        start = min(self.offset, other.offset)
        counts = np.zeros(max(self.end, other.end) - start, np.uint64)
        for side in (self, other):
            counts[side.offset - start : side.end - start] += side.counts
        return Side(start, counts)

    @property
    def end(self) -> int:
        return self.offset + len(self.counts)

    def span(self, other: "Side") -> tuple[int, int]:
        """First and last index of the buckets of both."""
        sides = [side for side in (self, other) if len(side.counts)]
        return (min(side.offset for side in sides), max(side.end for side in sides) - 1) if sides else (0, 0)


NO_SIDE: Final = Side(0, np.zeros(0, np.uint64))


@dataclass(frozen=True, slots=True, eq=False)
class Exponential:
    """An exponential histogram of at most `MAX_BUCKETS` of each sign. Made by `limited`."""

    scale: int
    zero_count: int
    zero_threshold: float
    positive: Side
    negative: Side
    count: int
    sum: float | None

    @property
    def lines(self) -> int:
        return len(self.positive.counts) + len(self.negative.counts) + 5

    def plus(self, later: Value) -> Value:
        if not isinstance(later, Exponential):
            return later
        scale = min(self.scale, later.scale)
        mine, theirs = self._at(scale), later._at(scale)
        # Lowered until the sum is small enough, before it is made: offsets can be far apart.
        levels = max(_levels(*a.span(b)) for a, b in zip(mine, theirs, strict=True))
        positive, negative = (a.shifted(levels).plus(b.shifted(levels)) for a, b in zip(mine, theirs, strict=True))
        return Exponential(
            scale - levels,
            self.zero_count + later.zero_count,
            max(self.zero_threshold, later.zero_threshold),
            positive,
            negative,
            self.count + later.count,
            added(self.sum, later.sum),
        )

    def _at(self, scale: int) -> tuple[Side, Side]:
        levels = self.scale - scale
        return self.positive.shifted(levels), self.negative.shifted(levels)

    def samples(self, labels: LabelSet, timestamp_ns: int | None, exemplars: Exemplars) -> list[Sample]:
        bounds: dict[float, int] = {}
        below = 0
        for index, count in zip(
            range(self.negative.end, self.negative.offset, -1), self.negative.counts[::-1].tolist(), strict=True
        ):
            below += count
            bounds[-_boundary(self.scale, index - 1)] = below
        below += self.zero_count
        bounds[self.zero_threshold] = below
        if len(self.positive.counts):
            bounds[max(self.zero_threshold, _boundary(self.scale, self.positive.offset))] = below
        for index, count in enumerate(self.positive.counts.tolist(), self.positive.offset + 1):
            below += count
            bounds[max(self.zero_threshold, _boundary(self.scale, index))] = below
        finite = sorted((bound + 0.0, at_most) for bound, at_most in bounds.items() if abs(bound) < inf)
        return histogram_samples(labels, finite, self.count, self.sum, timestamp_ns, exemplars)


def limited(
    scale: int, zero_count: int, zero_threshold: float, positive: Side, negative: Side, count: int, total: float | None
) -> Exponential | None:
    """An exponential histogram, its scale lowered where it has too many buckets. None when it is not a valid one."""
    valid = MIN_SCALE <= scale <= MAX_SCALE and 0 <= zero_threshold < inf
    if not valid:
        return None
    levels = max(_levels(*side.span(NO_SIDE)) for side in (positive, negative))
    return Exponential(
        scale - levels, zero_count, zero_threshold, positive.shifted(levels), negative.shifted(levels), count, total
    )


def _levels(first: int, last: int) -> int:
    """How often buckets must be merged by two until the range is small enough."""
    levels = 0
    while (last >> levels) - (first >> levels) >= MAX_BUCKETS:
        levels += 1
    return levels


def _boundary(scale: int, index: int) -> float:
    """`base ** index`, where base is `2 ** (2 ** -scale)`."""
    exponent = index * 2.0**-scale
    try:
        return float(2.0**exponent)
    except OverflowError:
        return inf
