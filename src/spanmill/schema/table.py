"""What a public table is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from spanmill.schema.inverse import COLUMN, Inverse

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
    inverse: Inverse
    """How rows become records again."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the public columns."""
        return pa.schema([pa.field(c.name, c.type) for c in self.columns])

    @cached_property
    def stored_schema(self) -> pa.Schema:
        """The Arrow schema of every file of this version: the public columns, and `otlp`, which no view shows."""
        return self.schema.append(pa.field(COLUMN, self.inverse.type))

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

    def stored(self, records: pa.RecordBatch) -> pa.Table:
        """The whole table and the column `otlp`, of which `records` makes the same records again."""
        table = self.of(records)
        return table.append_column(COLUMN, self.inverse.remainder(records, table))

    def records(self, rows: pa.Table) -> pa.RecordBatch:
        """The records of stored rows: what `stored` was given, whatever file they were in meanwhile.

        Columns that are missing, as files of earlier versions lack some, are taken as null. Without the column `otlp`
        types of attributes are guessed, and what no column shows is lost.
        """
        rows = conform(rows, self.stored_schema).combine_chunks()
        if not len(rows):
            rows = self.stored_schema.empty_table()
        rows = pa.Table.from_arrays([_one_chunk(column) for column in rows.columns], schema=rows.schema)
        records = self.inverse.records(rows)
        for column in self.columns:
            held = rows.column(column.name)
            if column.compute is None and held.null_count < len(held):
                records = records.append_column(column.name, held.chunk(0))
        return records


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an older version of the schema: columns that came later are null."""
    if rows.schema.names == schema.names:
        return rows.cast(schema)
    columns = [
        rows.column(field.name).cast(field.type) if field.name in rows.schema.names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.nulls(0, column.type)])
