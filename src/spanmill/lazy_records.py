"""Records whose columns are made when somebody asks for them: of batches that were put together, few readers want all.

Putting 5,000 spans together costs 3 us for each of them; taking the hundredth part of them out, a tenth of that.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

_FEW = 20
"""One row of so many costs less taken out by itself than copied with all others, of a nested or wide column."""
_WIDE_BYTES = 64
"""Texts are wide that have more, on average."""


class LazyRecords(ABC):
    """Columns are kept once they are made. Safe from any thread."""

    def __init__(self, schema: pa.Schema, num_rows: int) -> None:
        self.schema, self.num_rows = schema, num_rows
        self._columns: dict[str, pa.Array] = {}

    def column(self, name: str) -> pa.Array:
        """One column. Raises `KeyError`."""
        if name not in self._columns:
            self._columns[name] = self._make(name)
        return self._columns[name]

    def whole(self) -> pa.RecordBatch:
        """All columns."""
        return pa.RecordBatch.from_arrays([self.column(name) for name in self.schema.names], schema=self.schema)

    @abstractmethod
    def take(self, rows: pa.IntegerArray) -> "LazyRecords":
        """Some rows, by their indices."""

    @abstractmethod
    def _make(self, name: str) -> pa.Array: ...


class JoinedRecords(LazyRecords):
    """The rows of all parts, in order. Columns that a part lacks are null there."""

    def __init__(self, parts: Sequence[pa.RecordBatch]) -> None:
        self.table = _table(parts)
        """The same, each column in the chunks that it came in."""
        super().__init__(self.table.schema, self.table.num_rows)

    @property
    def nbytes(self) -> int:
        """As of a `RecordBatch`."""
        return int(self.table.nbytes)

    def take(self, rows: pa.IntegerArray) -> LazyRecords:
        return TakenRecords(self, rows)

    def _make(self, name: str) -> pa.Array:
        chunks = self.table.column(name).chunks
        return _concat_dictionaries(chunks) if pa.types.is_dictionary(chunks[0].type) else pa.concat_arrays(chunks)


class TakenRecords(LazyRecords):
    """Rows of others, by their indices."""

    def __init__(self, source: JoinedRecords, rows: pa.IntegerArray) -> None:
        super().__init__(source.schema, len(rows))
        self._source, self._rows = source, rows

    def take(self, rows: pa.IntegerArray) -> LazyRecords:
        return TakenRecords(self._source, self._rows.take(rows))

    def _make(self, name: str) -> pa.Array:
        column = self._source.table.column(name)
        if not self.num_rows:
            return column.chunk(0).slice(0, 0)
        if _is_narrow(column):
            return self._narrow.column(name).chunk(0)
        if not pa.types.is_dictionary(column.type) and self.num_rows * _FEW < len(column):
            return pa.concat_arrays([column.slice(row, 1).chunk(0) for row in self._rows.to_pylist()])
        return self._source.column(name).take(self._rows)

    @cached_property
    def _narrow(self) -> pa.Table:
        """All narrow columns: in one call, since each call of Arrow's gives the interpreter away, and getting it back
        from threads that are busy takes longer than to take a few rows. Arrow puts them together to do so."""
        table = self._source.table
        names = [field.name for field in self.schema if _is_narrow(table.column(field.name))]
        return table.select(names).take(self._rows).combine_chunks()


def _table(parts: Sequence[pa.RecordBatch]) -> pa.Table:
    """The parts as they are, with every column that some part has."""
    try:
        return pa.Table.from_batches(parts)
    except pa.ArrowInvalid:  # their columns are not the same
        return pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="default")


def _is_narrow(column: pa.ChunkedArray) -> bool:
    """As far as its first chunk tells: to ask all of them takes longer than what it is asked for."""
    if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
        return False
    first = column.chunk(0)
    return bool(pa.types.is_primitive(column.type) or first.nbytes <= _WIDE_BYTES * len(first))


def _concat_dictionaries(parts: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    """Dictionaries are appended and their indices shifted: Arrow cannot unify dictionaries of structs.

    Most often one sender says the same in every part, and there is nothing to append.
    """
    longest = max((part.dictionary for part in parts), key=len)
    if all(longest.slice(0, len(part.dictionary)).equals(part.dictionary) for part in parts):
        return pa.DictionaryArray.from_arrays(pa.concat_arrays([part.indices for part in parts]), longest)
    indices, dictionaries, shift = [], [], 0
    for part in parts:
        indices.append(pc.add(part.indices, pa.scalar(shift, pa.int32())) if shift else part.indices)
        dictionaries.append(part.dictionary)
        shift += len(part.dictionary)
    return pa.DictionaryArray.from_arrays(pa.concat_arrays(indices), pa.concat_arrays(dictionaries))
