"""What is counted, one row of an array for each series: counters, histograms, and ratios over a sliding window.

`prepare` does all that may fail and returns the change as a function, which only adds: a batch whose every change was
prepared is counted as a whole.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import numpy as np

from spanmill.exporters.prometheus.llm.exemplars import LatestExemplars
from spanmill.exporters.prometheus.values import Exemplars, histogram_samples
from spanmill.telemetry.exposition import LabelSet, Sample

NEVER: Final = -inf
_FIRST_ROWS: Final = 16
_SLICES: Final = 30
"""How many parts a window moves on by."""

Update = Callable[[], None]


class Rows:
    """`data` has a row for each series; `updated` is when the series was last told something, `NEVER` if it is not
    on the page."""

    lines = 1
    """How many lines of the page a series takes."""

    def __init__(self, width: int) -> None:
        self.data = np.zeros((_FIRST_ROWS, width))
        self.updated = np.full(_FIRST_ROWS, NEVER)

    def reserve(self, count: int) -> None:
        """Have room for so many series."""
        more = count - len(self.data)
        if more > 0:
            more = max(more, len(self.data))
            self.data = np.concatenate((self.data, np.zeros((more, self.data.shape[1]))))
            self.updated = np.concatenate((self.updated, np.full(more, NEVER)))

    def show(self, series: np.ndarray, now: float) -> Update:
        """Have series on the page, even if they are told nothing: a counter that is seen at 0 shows its first step."""
        return lambda: self.updated.__setitem__(series, now)

    def expire(self, oldest: float) -> None:
        """Take series off the page that were told nothing since `oldest`: should they come back, they begin anew."""
        idle = self.updated < oldest
        self.data[idle] = 0
        self.updated[idle] = NEVER

    def keep(self, series: np.ndarray) -> None:
        """Only these, in this order."""
        self.data, self.updated = self.data[series], self.updated[series]

    @property
    def shown(self) -> np.ndarray:
        """Which series are on the page; the first ones are nobody's."""
        return self.updated > NEVER


class Counters(Rows):
    """Sums of what was observed, weighted."""

    def __init__(self) -> None:
        super().__init__(1)

    def prepare(self, series: np.ndarray, values: np.ndarray, weights: np.ndarray, now: float) -> Update:
        """Add `values`, each times its weight."""
        amounts = values * weights

        def update() -> None:
            np.add.at(self.data.reshape(-1), series, amounts)
            self.updated[series] = now

        return update

    def samples(self, series: np.ndarray, labels: Sequence[LabelSet], _now: float) -> Callable[[], list[Sample]]:
        values = self.data[series, 0]
        return lambda: [Sample("", one, value) for one, value in zip(labels, values.tolist(), strict=True)]


class Histograms(Rows):
    """Weights of what was observed by upper bound, and the weighted sum, which is the last of each row."""

    def __init__(self, bounds: Sequence[float], exemplars: LatestExemplars | None = None) -> None:
        super().__init__(len(bounds) + 2)
        self.lines = len(bounds) + 3
        self.exemplars = exemplars
        self._bounds = tuple(map(float, bounds))
        self._edges = np.array(bounds, np.float64)
        if exemplars is not None:
            exemplars.reserve(len(self.data))

    def bucket(self, values: np.ndarray) -> np.ndarray:
        """For each value its bucket: that of the smallest bound that is not below it."""
        return np.searchsorted(self._edges, values)

    def prepare(self, series: np.ndarray, values: np.ndarray, weights: np.ndarray, now: float) -> Update:
        """Observe `values`, each as often as its weight says."""
        width = self.data.shape[1]
        begin = series * width
        places, sums, amounts = begin + self.bucket(values), begin + (width - 1), values * weights

        def update() -> None:
            flat = self.data.reshape(-1)
            np.add.at(flat, places, weights)
            np.add.at(flat, sums, amounts)
            self.updated[series] = now

        return update

    def reserve(self, count: int) -> None:
        super().reserve(count)
        if self.exemplars is not None:
            self.exemplars.reserve(len(self.data))

    def expire(self, oldest: float) -> None:
        if self.exemplars is not None:
            self.exemplars.remove(self.updated < oldest)
        super().expire(oldest)

    def keep(self, series: np.ndarray) -> None:
        super().keep(series)
        if self.exemplars is not None:
            self.exemplars.keep(series)

    def samples(self, series: np.ndarray, labels: Sequence[LabelSet], _now: float) -> Callable[[], list[Sample]]:
        data = self.data[series]
        found = self.exemplars.read(series) if self.exemplars is not None else None

        def lines() -> list[Sample]:
            samples: list[Sample] = []
            cumulative = np.cumsum(data[:, :-1], axis=1).tolist()
            for row, one in enumerate(labels):
                *below, count = cumulative[row]
                marked: Exemplars = found.by_bound(row, self._bounds) if found is not None else {}
                buckets = list(zip(self._bounds, below, strict=True))
                samples += histogram_samples(one, buckets, count, float(data[row, -1]), None, marked)
            return samples

        return lines


class Ratios(Rows):
    """Parts and wholes of the last `window` seconds, in slices of time that are used in turn."""

    def __init__(self, window_seconds: float) -> None:
        super().__init__(2 * _SLICES)
        self._slice_seconds = window_seconds / _SLICES
        self._slice = 0

    def prepare(
        self, series: np.ndarray, parts: np.ndarray, wholes: np.ndarray, weights: np.ndarray, now: float
    ) -> Update:
        """Add to the parts and the wholes of this moment. No part is larger than its whole."""
        begin = series * (2 * _SLICES)
        part, whole = np.minimum(parts, wholes) * weights, wholes * weights

        def update() -> None:
            self._advance(now)
            flat, slot = self.data.reshape(-1), 2 * (self._slice % _SLICES)
            np.add.at(flat, begin + slot, part)
            np.add.at(flat, begin + (slot + 1), whole)
            self.updated[series] = now

        return update

    def _advance(self, now: float) -> None:
        """Empty the slices whose time has come round again."""
        current = int(now / self._slice_seconds)
        for passed in range(max(self._slice, current - _SLICES) + 1, current + 1):
            slot = 2 * (passed % _SLICES)
            self.data[:, slot : slot + 2] = 0
        self._slice = max(self._slice, current)

    def samples(self, series: np.ndarray, labels: Sequence[LabelSet], now: float) -> Callable[[], list[Sample]]:
        """Series without anything in the window have no ratio, and no line."""
        self._advance(now)
        parts, wholes = self.data[series, 0::2].sum(axis=1), self.data[series, 1::2].sum(axis=1)
        return lambda: [
            Sample("", one, min(part / whole, 1.0))
            for one, part, whole in zip(labels, parts.tolist(), wholes.tolist(), strict=True)
            if whole > 0
        ]
