"""Points of a batch as values: columns are unpacked once, then any row, or any rows of one series, can be read.

`one(row)` gives the value of a point, None when it is malformed. `fold(rows)` gives the sum of delta points, in
whole-column steps wherever points are alike; None when one of them is malformed.
"""

from functools import reduce
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.exporters.prometheus.exponential import Side, limited
from spanmill.exporters.prometheus.values import Buckets, Number, Quantiles, Value, bounds_of


class Reader(Protocol):
    def one(self, row: int) -> Value | None: ...

    def fold(self, rows: np.ndarray) -> Value | None: ...


class Numbers:
    """Gauges and sums."""

    def __init__(self, records: pa.RecordBatch) -> None:
        self._ints, self._is_int = _column(records, "as_int")
        self._doubles, self._is_double = _column(records, "as_double")
        self._only_doubles = bool(self._is_double.all())

    def one(self, row: int) -> Number | None:
        if self._is_int[row]:
            return Number(int(self._ints[row]))
        return Number(float(self._doubles[row])) if self._is_double[row] else None

    def fold(self, rows: np.ndarray) -> Number | None:
        if self._only_doubles:
            return Number(float(self._doubles[rows].sum()))
        is_int, is_double = self._is_int[rows], self._is_double[rows]
        if not (is_int | is_double).all():
            return None
        ints = self._ints[rows][is_int]
        # 64 bits hold the sum unless a single value comes near their end.
        total = int(ints.sum()) if not len(ints) or np.abs(ints).max() < 2**62 // len(ints) else sum(ints.tolist())
        return Number(total) if is_int.all() else Number(total + float(self._doubles[rows][is_double].sum()))


class Histograms:
    """Histograms with explicit bounds."""

    def __init__(self, records: pa.RecordBatch) -> None:
        self._counts = _Lists(records.column("bucket_counts"))
        self._bounds = _Lists(records.column("explicit_bounds"))
        self._count, _ = _column(records, "count")
        self._sum, self._has_sum = _column(records, "sum")

    def one(self, row: int) -> Buckets | None:
        return self._made(self._counts.at(row), self._bounds.at(row), np.array([row]))

    def fold(self, rows: np.ndarray) -> Value | None:
        counts, bounds = self._counts.matrix(rows), self._bounds.matrix(rows)
        if counts is not None and bounds is not None and (bounds == bounds[:1]).all():
            return self._made(counts.sum(axis=0), bounds[0], rows)
        return _add_up(self, rows)

    def _made(self, counts: np.ndarray, doubles: np.ndarray, rows: np.ndarray) -> Buckets | None:
        bounds = bounds_of(doubles.tobytes())
        if bounds is None or len(counts) != (len(bounds) + 1 if len(counts) or len(bounds) else 0):
            return None
        count = int(counts.sum()) if len(counts) else int(self._count[rows].sum())
        total = float(self._sum[rows].sum()) if self._has_sum[rows].all() else None
        return Buckets(bounds, counts.copy(), count, total)


class ExponentialHistograms:
    """Histograms with exponential bounds."""

    def __init__(self, records: pa.RecordBatch) -> None:
        self._scale, _ = _column(records, "scale")
        self._zero_count, _ = _column(records, "zero_count")
        self._zero_threshold, _ = _column(records, "zero_threshold")
        self._count, _ = _column(records, "count")
        self._sum, self._has_sum = _column(records, "sum")
        self._sides = [_Sides(records.column(name)) for name in ("positive", "negative")]

    def one(self, row: int) -> Value | None:
        positive, negative = (side.at(row) for side in self._sides)
        buckets = int(positive.counts.sum()) + int(negative.counts.sum()) + int(self._zero_count[row])
        return limited(
            int(self._scale[row]),
            int(self._zero_count[row]),
            float(self._zero_threshold[row]),
            positive,
            negative,
            buckets or int(self._count[row]),
            float(self._sum[row]) if self._has_sum[row] else None,
        )

    def fold(self, rows: np.ndarray) -> Value | None:
        return _add_up(self, rows)


class Summaries:
    """Summaries; there are no delta ones."""

    def __init__(self, records: pa.RecordBatch) -> None:
        lists = records.column("quantile_values")
        self._quantiles = _Lists(lists, lists.values.field("quantile"))
        self._values = _Lists(lists, lists.values.field("value"))
        self._count, _ = _column(records, "count")
        self._sum, _ = _column(records, "sum")

    def one(self, row: int) -> Quantiles | None:
        given = dict(zip(self._quantiles.at(row).tolist(), self._values.at(row).tolist(), strict=True))
        quantiles = sorted((quantile, value) for quantile, value in given.items() if 0 <= quantile <= 1)
        return Quantiles(tuple(quantiles), int(self._count[row]), float(self._sum[row]))

    def fold(self, rows: np.ndarray) -> Quantiles | None:
        return self.one(int(rows[-1]))


READERS: dict[str, type[Numbers | Histograms | ExponentialHistograms | Summaries]] = {
    "gauge": Numbers,
    "sum": Numbers,
    "histogram": Histograms,
    "exponential_histogram": ExponentialHistograms,
    "summary": Summaries,
}


class _Lists:
    """A list column of numbers, opened. Null lists are empty."""

    def __init__(self, lists: pa.ListArray, values: pa.Array | None = None) -> None:
        self._offsets = lists.offsets.to_numpy()
        numbers = (lists.values if values is None else values).to_numpy(zero_copy_only=False)
        self._values: np.ndarray = numbers

    def at(self, row: int) -> np.ndarray:
        return self._values[self._offsets[row] : self._offsets[row + 1]]

    def matrix(self, rows: np.ndarray) -> np.ndarray | None:
        """One line for each row, when all are of one length."""
        starts = self._offsets[rows]
        lengths = self._offsets[rows + 1] - starts
        if not (lengths == lengths[0]).all():
            return None
        return np.asarray(self._values[starts[:, None] + np.arange(lengths[0])])


class _Sides:
    """A column of exponential buckets of one sign, opened."""

    def __init__(self, column: pa.StructArray) -> None:
        offset, counts = column.flatten()
        self._offset = pc.fill_null(offset, 0).to_numpy(zero_copy_only=False)
        self._counts = _Lists(counts)

    def at(self, row: int) -> Side:
        counts = self._counts.at(row)
        filled = np.flatnonzero(counts)
        if not len(filled):
            return Side(0, counts[:0].copy())
        first, last = filled[0], filled[-1]
        return Side(int(self._offset[row]) + int(first), counts[first : last + 1].copy())


def _column(records: pa.RecordBatch, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values, zero where null, and where they are not null."""
    column = records.column(name)
    values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    return values, column.is_valid().to_numpy(zero_copy_only=False)


def _add_up(reader: Reader, rows: np.ndarray) -> Value | None:
    values = [reader.one(int(row)) for row in rows]
    known = [value for value in values if value is not None]
    return reduce(lambda earlier, later: earlier.plus(later), known) if len(known) == len(values) else None
