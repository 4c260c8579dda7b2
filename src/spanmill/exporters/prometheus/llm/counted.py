"""What is counted of a batch: some of its rows, their texts and their numbers, as numpy columns, NaN where unknown."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar, Final, NamedTuple

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import get
from spanmill.schema import TABLES

_COMPUTED: Final = {
    signal: frozenset(column.name for column in table.columns if column.compute is not None)
    for signal, table in TABLES.items()
}
_USD_DIGITS: Final = 18
"""As many fit into the lower half of a decimal128."""

Source = tuple[str, str]
"""`column`, `attribute` or `resource_attribute`, and which; or one that only a subclass knows."""


class Measure(NamedTuple):
    """A number of each row that has one."""

    every: np.ndarray
    """One for each row, NaN where it is not known."""
    rows: np.ndarray | None
    """The rows whose number is known; None: all."""
    values: np.ndarray
    """Their numbers."""


class Counted(ABC):
    """The rows of one batch that are counted, in their order."""

    weight_column: ClassVar[str]
    """The column that says for how many each stands."""

    def __init__(self, batch: Batch, chosen: pa.BooleanArray | None) -> None:
        """`chosen`: which rows are counted; None: none of them."""
        self._batch = batch
        self.count = 0 if chosen is None else int(chosen.true_count)
        self._chosen = chosen if self.count < len(batch) else None
        """The rows that are counted; None: all of them."""
        self._columns: dict[str, pa.Array | None] = {}
        self._measures: dict[str, Measure | None] = {}

    @cached_property
    def every(self) -> np.ndarray:
        """All rows."""
        return np.arange(self.count)

    @cached_property
    def weight(self) -> np.ndarray:
        """For how many each stands, after sampling."""
        given, ones = self._measure(self.weight_column), np.ones(self.count)
        if given is None or given.rows is None:
            return ones if given is None else given.values
        ones[given.rows] = given.values
        return ones

    @property
    @abstractmethod
    def failed(self) -> np.ndarray:
        """Whether each ended in an error."""

    @property
    @abstractmethod
    def end_ns(self) -> np.ndarray:
        """When each ended, nanoseconds since 1970."""

    def text(self, source: Source) -> pa.StringArray | None:
        """The text from a source; None where no row has any."""
        kind, name = source
        if kind == "attribute":
            column = self._of_chosen(values_to_text(get(self._batch.record_column("attributes"), name)))
        elif kind == "resource_attribute":
            column = self._of_resource(name)
        else:
            column = self._column(name)
        if column is None or column.null_count == len(column):
            return None
        return column if column.type == pa.string() else column.cast(pa.string())

    def trace_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows whose trace id is one, and these ids: 16 bytes each."""
        ids = self._of_chosen(self._batch.record_column("trace_id"))
        offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
        rows = np.flatnonzero(np.diff(offsets) == 16)
        data = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
        return rows, data[offsets[rows][:, None] + np.arange(16)]

    def _of_resource(self, key: str) -> pa.Array:
        resource = self._batch.record_column("resource")
        attributes = resource.dictionary.field("resource").field("attributes")
        return self._of_chosen(values_to_text(get(attributes, key)).take(resource.indices))

    # Columns.

    def _column(self, name: str) -> pa.Array | None:
        """A public column of the rows; None when no processor filled it."""
        if name not in self._columns:
            column = given(self._batch, name)
            self._columns[name] = None if column is None else self._of_chosen(column)
        return self._columns[name]

    def _of_chosen(self, column: pa.Array) -> pa.Array:
        return column if self._chosen is None else column.filter(self._chosen)

    def _measure(self, name: str) -> Measure | None:
        """A column of numbers; unknown where null, negative or not finite. None where no row has any."""
        if name not in self._measures:
            column = self._column(name)
            self._measures[name] = None if column is None else _sound(column.to_numpy(zero_copy_only=False))
        return self._measures[name]

    def _usd(self, name: str) -> Measure | None:
        """A column of prices, USD."""
        column = self._column(name)
        return None if column is None else _sound(_decimals(column))

    def _nanoseconds(self, name: str) -> np.ndarray:
        """A time of the records, nanoseconds since 1970, 0 where it is not known."""
        times = self._of_chosen(self._batch.record_column(name))
        return np.asarray((times.fill_null(0) if times.null_count else times).to_numpy())


def given(batch: Batch, name: str) -> pa.Array | None:
    """A public column; None when it is for processors to fill, and none did, or with nulls only."""
    if name in _COMPUTED[batch.signal]:
        column = batch.column(name)
    else:
        column = batch.record_column(name) if name in batch.record_schema.names else None
    return None if column is None or column.null_count == len(column) else column


def _sound(numbers: np.ndarray) -> Measure:
    """Numbers as a measure, of which those that are negative or not finite are not known."""
    numbers = numbers.astype(np.float64, copy=False)
    known = (numbers >= 0) & (numbers < np.inf)
    if known.all():
        return Measure(numbers, None, numbers)
    rows = np.flatnonzero(known)
    return Measure(np.where(known, numbers, np.nan), rows, numbers[rows])


def is_valid(column: pa.Array) -> np.ndarray:
    """Where a column is not null; straight from its bitmap, which is much quicker for a few hundred rows."""
    bitmap = column.buffers()[0]
    if bitmap is None:
        return np.ones(len(column), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)].view(bool)


def _decimals(column: pa.Array) -> np.ndarray:
    """Decimals as floats."""
    if not pa.types.is_decimal128(column.type) or column.type.precision > _USD_DIGITS:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    halves = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    numbers: np.ndarray = halves / 10.0**column.type.scale
    if column.null_count:
        numbers[~is_valid(column)] = np.nan
    return numbers
