"""The latest call in each bucket of a histogram, by its trace id: OpenMetrics' exemplars."""

from dataclasses import dataclass
from math import inf

import numpy as np

from spanmill.exporters.prometheus.values import Exemplars
from spanmill.telemetry.exposition import Exemplar, LabelSet


@dataclass(frozen=True, slots=True)
class Read:
    """Exemplars of some series: a row for each, in it a place for each bucket."""

    trace_ids: np.ndarray
    values: np.ndarray
    times_ns: np.ndarray

    def by_bound(self, row: int, bounds: tuple[float, ...]) -> Exemplars:
        """The exemplars of one row by the upper bound of their bucket."""
        return {
            bound: Exemplar(
                LabelSet((("trace_id", self.trace_ids[row, place].tobytes().hex()),)),
                float(self.values[row, place]),
                int(self.times_ns[row, place]),
            )
            for place, bound in enumerate((*bounds, inf))
            if self.times_ns[row, place]
        }


class LatestExemplars:
    """Arrays with a row for each series and a place for each bucket; a time of 0 means that there is none."""

    def __init__(self, buckets: int) -> None:
        self._trace_ids = np.zeros((0, buckets, 16), np.uint8)
        self._values = np.zeros((0, buckets))
        self._times_ns = np.zeros((0, buckets), np.int64)

    def reserve(self, count: int) -> None:
        """Have a row for so many series."""
        self._trace_ids, self._values, self._times_ns = (
            np.concatenate((held, np.zeros((max(0, count - len(held)), *held.shape[1:]), held.dtype)))
            for held in (self._trace_ids, self._values, self._times_ns)
        )

    def put(
        self, series: np.ndarray, buckets: np.ndarray, trace_ids: np.ndarray, values: np.ndarray, times_ns: np.ndarray
    ) -> None:
        """Set exemplars; of several for one place the last stays."""
        self._trace_ids[series, buckets] = trace_ids
        self._values[series, buckets] = values
        self._times_ns[series, buckets] = times_ns

    def remove(self, chosen: np.ndarray) -> None:
        """Those of the series where `chosen` is true."""
        self._times_ns[chosen] = 0

    def keep(self, series: np.ndarray) -> None:
        """Only these series, in this order."""
        self._trace_ids, self._values, self._times_ns = (
            held[series] for held in (self._trace_ids, self._values, self._times_ns)
        )

    def read(self, series: np.ndarray) -> Read:
        """A copy of those of some series."""
        return Read(self._trace_ids[series], self._values[series], self._times_ns[series])
