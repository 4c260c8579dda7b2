"""Records whose columns are made when somebody asks for them: of batches that were put together, few readers want all.

Putting 5,000 spans together costs 3 us for each of them; taking the hundredth part of them out, a tenth of that.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

_FEW = 20
"""One row of so many costs less taken out by itself than copied with all others, of a nested column."""


class LazyRecords(ABC):
    """Columns are kept once they are made. Safe from any thread."""

    def __init__(self, schema: pa.Schema, num_rows: int) -> None:
        self.schema, self.num_rows = schema, num_rows
        self._columns: dict[str, pa.Array] = {}

    def column(self, name: str) -> pa.Array:
        """One column. Raises `KeyError`."""
        if name not in self._columns:
            self._columns |= self._make(name)
        return self._columns[name]

    def whole(self) -> pa.RecordBatch:
        """All columns."""
        return pa.RecordBatch.from_arrays([self.column(name) for name in self.schema.names], schema=self.schema)

    @abstractmethod
    def take(self, rows: pa.IntegerArray) -> "LazyRecords":
        """Some rows, by their indices."""

    @abstractmethod
    def _make(self, name: str) -> dict[str, pa.Array]:
        """The column, and others that cost nothing beside it."""


class JoinedRecords(LazyRecords):
    """The rows of all parts, in order. Columns that a part lacks are null there."""

    def __init__(self, parts: Sequence[pa.RecordBatch]) -> None:
        super().__init__(_schema(parts), sum(part.num_rows for part in parts))
        self.parts = parts

    @property
    def nbytes(self) -> int:
        """As of a `RecordBatch`."""
        return sum(part.nbytes for part in self.parts)

    def chunks(self, name: str) -> list[pa.Array]:
        """One column as it stands in each part. Raises `KeyError`."""
        kind = self.schema.field(name).type
        indices = (part.schema.get_field_index(name) for part in self.parts)
        return [
            pa.nulls(part.num_rows, kind) if index < 0 else part.column(index)
            for part, index in zip(self.parts, indices, strict=True)
        ]

    @cached_property
    def flat(self) -> pa.Table:
        """The columns that are neither nested nor dictionaries, without copying."""
        names = [field.name for field in self.schema if _is_flat(field.type)]
        if all(part.schema is self.schema or part.schema.equals(self.schema) for part in self.parts):
            return pa.Table.from_batches(self.parts).select(names)
        return pa.table({name: pa.chunked_array(self.chunks(name)) for name in names})

    def take(self, rows: pa.IntegerArray) -> LazyRecords:
        return TakenRecords(self, rows)

    def _make(self, name: str) -> dict[str, pa.Array]:
        chunks = self.chunks(name)
        is_dictionary = pa.types.is_dictionary(chunks[0].type)
        return {name: _concat_dictionaries(chunks) if is_dictionary else pa.concat_arrays(chunks)}


class TakenRecords(LazyRecords):
    """Rows of others, by their indices."""

    def __init__(self, source: JoinedRecords, rows: pa.IntegerArray) -> None:
        super().__init__(source.schema, len(rows))
        self._source, self._rows = source, rows

    def take(self, rows: pa.IntegerArray) -> LazyRecords:
        return TakenRecords(self._source, self._rows.take(rows))

    def _make(self, name: str) -> dict[str, pa.Array]:
        kind = self.schema.field(name).type
        if not self.num_rows:
            return {name: self._source.chunks(name)[0].slice(0, 0)}
        if _is_flat(kind):
            taken = self._source.flat.take(self._rows).combine_chunks()
            return {name: taken.column(name).chunk(0) for name in taken.column_names if name not in self._columns}
        if self.num_rows * _FEW < self._source.num_rows and not pa.types.is_dictionary(kind):
            # Row by row: Arrow would put all of it together, too.
            column = pa.chunked_array(self._source.chunks(name))
            return {name: pa.concat_arrays([column.slice(row, 1).chunk(0) for row in self._rows.to_pylist()])}
        return {name: self._source.column(name).take(self._rows)}


def _schema(parts: Sequence[pa.RecordBatch]) -> pa.Schema:
    """Every column that some part has."""
    first = parts[0].schema
    if all(part.schema.equals(first) for part in parts[1:]):
        return first
    fields: dict[str, pa.Field] = {}
    for part in parts:
        fields |= {field.name: field for field in part.schema if field.name not in fields}
    return pa.schema(list(fields.values()))


def _is_flat(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind) and not pa.types.is_dictionary(kind)


def _concat_dictionaries(parts: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    """Dictionaries are appended and their indices shifted: Arrow cannot unify dictionaries of structs."""
    indices, dictionaries, shift = [], [], 0
    for part in parts:
        indices.append(pc.add(part.indices, pa.scalar(shift, pa.int32())) if shift else part.indices)
        dictionaries.append(part.dictionary)
        shift += len(part.dictionary)
    return pa.DictionaryArray.from_arrays(pa.concat_arrays(indices), pa.concat_arrays(dictionaries))
