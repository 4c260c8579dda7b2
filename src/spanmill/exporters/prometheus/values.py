"""What a series holds: a number, buckets, exponential buckets or quantiles. Immutable, so that a page can be written
while the next batch comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Protocol

import numpy as np

from spanmill.telemetry.exposition import Exemplar, LabelSet, Sample

Exemplars = Mapping[float, Exemplar]
"""The exemplar of each line, by the line's upper bound; a counter's only one is at infinity."""


class Value(Protocol):
    """The state of one series."""

    @property
    def lines(self) -> int:
        """How many lines it takes on a page."""

    def plus(self, later: "Value") -> "Value":
        """The sum of two intervals. What cannot be added (other bounds, another type) starts anew: `later` alone."""

    def samples(self, labels: LabelSet, timestamp_ns: int | None, exemplars: Exemplars) -> list[Sample]: ...


@dataclass(frozen=True, slots=True)
class Number:
    """A gauge or a sum. Integers stay integers, however large."""

    value: float

    @property
    def lines(self) -> int:
        return 1

    def plus(self, later: Value) -> Value:
        return Number(self.value + later.value) if isinstance(later, Number) else later

    def samples(self, labels: LabelSet, timestamp_ns: int | None, exemplars: Exemplars) -> list[Sample]:
        return [Sample("", labels, self.value, None, timestamp_ns, exemplars.get(inf))]


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """A histogram: `counts` has one more than `bounds`, or is empty when only the totals are known."""

    bounds: tuple[float, ...]
    counts: np.ndarray
    count: int
    sum: float | None

    @property
    def lines(self) -> int:
        return len(self.bounds) + 3

    def plus(self, later: Value) -> Value:
        if not isinstance(later, Buckets) or later.bounds != self.bounds or len(later.counts) != len(self.counts):
            return later
        return Buckets(self.bounds, self.counts + later.counts, self.count + later.count, added(self.sum, later.sum))

    def samples(self, labels: LabelSet, timestamp_ns: int | None, exemplars: Exemplars) -> list[Sample]:
        cumulative = np.cumsum(self.counts).tolist() if self.bounds else []
        return histogram_samples(
            labels, list(zip(self.bounds, cumulative, strict=False)), self.count, self.sum, timestamp_ns, exemplars
        )


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A summary."""

    quantiles: tuple[tuple[float, float], ...]
    count: int
    sum: float

    @property
    def lines(self) -> int:
        return len(self.quantiles) + 2

    def plus(self, later: Value) -> Value:
        return later

    def samples(self, labels: LabelSet, timestamp_ns: int | None, _exemplars: Exemplars) -> list[Sample]:
        lines = [Sample("", labels, value, ("quantile", quantile), timestamp_ns) for quantile, value in self.quantiles]
        lines.append(Sample("_sum", labels, self.sum, None, timestamp_ns))
        lines.append(Sample("_count", labels, self.count, None, timestamp_ns))
        return lines


def histogram_samples(
    labels: LabelSet,
    cumulative: Sequence[tuple[float, float]],
    count: float,
    total: float | None,
    timestamp_ns: int | None,
    exemplars: Exemplars,
) -> list[Sample]:
    """Lines of a histogram. `_sum` is left out where it may fall (observations below zero) or was not recorded:
    Prometheus takes it for a counter."""
    lines = [
        Sample("_bucket", labels, at_most, ("le", bound), timestamp_ns, exemplars.get(bound))
        for bound, at_most in (*cumulative, (inf, count))
    ]
    if total is not None and not (cumulative and cumulative[0][0] < 0):
        lines.append(Sample("_sum", labels, total, None, timestamp_ns))
    lines.append(Sample("_count", labels, count, None, timestamp_ns))
    return lines


def added(first: float | None, second: float | None) -> float | None:
    """The sum of two optional sums: unknown when either is."""
    return None if first is None or second is None else first + second


@lru_cache(4096)
def bounds_of(doubles: bytes) -> tuple[float, ...] | None:
    """Bounds from their bytes; None unless they are finite and ascending. Cached, because few sets are in use."""
    bounds = np.frombuffer(doubles, np.float64)
    if not np.isfinite(bounds).all() or not (np.diff(bounds) > 0).all():
        return None
    return tuple(bounds.tolist())
