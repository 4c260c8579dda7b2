"""What a public table is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

Compute = Callable[[pa.RecordBatch], pa.Array]


@dataclass(frozen=True, slots=True)
class Column:
    """One public column. Its `doc` is its entry in the documentation; units are in the name or in the doc."""

    name: str
    type: pa.DataType
    doc: str
    compute: Compute | None = None
    """From the records. None: a processor adds the column to the records under this name; until then it is null."""

    def of(self, records: pa.RecordBatch) -> pa.Array:
        """The column's values, one for each row of the records."""
        if self.name in records.schema.names and self.compute is None:
            return records.column(self.name)
        if self.compute is None:
            return pa.nulls(records.num_rows, self.type)
        return self.compute(records)


@dataclass(frozen=True)
class Table:
    """The public table of a signal. Adding a column at the end is compatible; renaming or retyping one is not."""

    name: str
    columns: tuple[Column, ...]
    time_column: str
    """The column that partitions storage: the start of a span, the time of a log record or point."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, the same for every file and table ever written by this version."""
        return pa.schema([pa.field(c.name, c.type) for c in self.columns])

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name. Raises `KeyError` with the names there are."""
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(f"{self.name} has no column {name!r}; it has {', '.join(self._by_name)}") from None

    def of(self, records: pa.RecordBatch, names: Sequence[str] | None = None) -> pa.Table:
        """The whole table of these records, or the columns named."""
        chosen = self.columns if names is None else [self.column(name) for name in names]
        schema = self.schema if names is None else pa.schema([pa.field(c.name, c.type) for c in chosen])
        return pa.Table.from_arrays([column.of(records) for column in chosen], schema=schema)
