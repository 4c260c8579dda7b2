"""The batch: what flows. One type for every signal, immutable, a row for each span, log record or metric point.

A batch holds the *records* (`otlp.codec` defines their columns: OTLP's own fields, resource and scope as dictionaries,
nothing lost) and offers the *table*: the public columns of `schema`, computed from the records when asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.signal import Signal

__all__ = ["Batch", "Signal"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one signal. Arrow data is immutable, so that any number of holders may share a batch."""

    signal: Signal
    records: pa.RecordBatch
    _nbytes: list[int] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.records.num_rows)

    @property
    def nbytes(self) -> int:
        """Bytes of Arrow data that the rows stand on: what a journal counts. Worked out once."""
        if not self._nbytes:
            self._nbytes.append(int(self.records.nbytes))
        return self._nbytes[0]

    def filter(self, keep: pa.BooleanArray) -> "Batch":
        """The rows where `keep` is true (null counts as false)."""
        return Batch(self.signal, self.records.filter(keep))

    def slice(self, offset: int, length: int) -> "Batch":
        """Rows `offset` to `offset + length`, without copying."""
        return Batch(self.signal, self.records.slice(offset, length))

    def with_record_column(self, name: str, values: pa.Array) -> "Batch":
        """The same rows with another column of the *records*, in its place; a new name is added at the end."""
        return self.with_record_columns({name: values})

    def with_record_columns(self, columns: Mapping[str, pa.Array]) -> "Batch":
        """The same with several, in their order."""
        records = self.records
        for name, values in columns.items():  # 3 us each; RecordBatch.from_arrays costs more, and casts without a word
            index = records.schema.get_field_index(name)
            if index < 0:
                records = records.append_column(name, values)
            else:
                records = records.set_column(index, records.schema.field(index), values)
        return Batch(self.signal, records)

    def column(self, name: str) -> pa.Array:
        """One public column. Raises `KeyError` when the signal's table has none of that name."""
        from spanmill.schema import TABLES

        return TABLES[self.signal].column(name).of(self.records)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The public table, or only the columns named."""
        from spanmill.schema import TABLES

        return TABLES[self.signal].of(self.records, columns)

    def stored(self) -> pa.Table:
        """The public table and what it leaves out, as storage keeps it."""
        from spanmill.schema import TABLES

        return TABLES[self.signal].stored(self.records)

    @staticmethod
    def concat(batches: Iterable["Batch"]) -> "Batch":
        """The rows of all batches, in order. They must be of one signal, and at least one."""
        parts = list(batches)
        if len(parts) == 1:
            return parts[0]
        return Batch(parts[0].signal, concat_records([part.records for part in parts]))


def serialize(batch: Batch) -> pa.Buffer:
    """The rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.records.schema) as writer:
        writer.write_batch(batch.records)
    return sink.getvalue()


def deserialize(signal: Signal, stream: pa.Buffer) -> Batch:
    """What `serialize` was given; its columns stand on `stream`."""
    return Batch(signal, pa.ipc.open_stream(stream).read_next_batch())


def concat_records(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Rows of all parts; columns that a part lacks are null.

    Dictionaries are appended and their indices shifted: Arrow cannot unify dictionaries of structs.
    """
    fields: dict[str, pa.Field] = {}
    held: list[dict[str, pa.Array]] = []
    for part in parts:
        schema = part.schema
        names = schema.names
        held.append(dict(zip(names, part.columns, strict=True)))
        if not fields.keys() >= set(names):
            fields |= {name: schema.field(name) for name in names if name not in fields}
    columns = []
    for name, kind in fields.items():
        chunks = [
            columns_of[name] if name in columns_of else pa.nulls(part.num_rows, kind.type)
            for columns_of, part in zip(held, parts, strict=True)
        ]
        join = _concat_dictionaries if pa.types.is_dictionary(kind.type) else pa.concat_arrays
        columns.append(join(chunks))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(fields.values())))


def _concat_dictionaries(parts: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    indices, dictionaries, shift = [], [], 0
    for part in parts:
        indices.append(pc.add(part.indices, pa.scalar(shift, pa.int32())) if shift else part.indices)
        dictionaries.append(part.dictionary)
        shift += len(part.dictionary)
    return pa.DictionaryArray.from_arrays(pa.concat_arrays(indices), pa.concat_arrays(dictionaries))
