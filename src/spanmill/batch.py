"""The batch: what flows. One type for every signal, immutable, a row for each span, log record or metric point.

A batch holds the *records* (`otlp.codec` defines their columns: OTLP's own fields, resource and scope as dictionaries,
nothing lost) and offers the *table*: the public columns of `schema`, computed from the records when asked for.
"""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.lazy_records import JoinedRecords, LazyRecords
from spanmill.signal import Signal

__all__ = ["Batch", "Signal"]


class Batch:
    """Rows of one signal. Arrow data is immutable, so that any number of holders may share a batch."""

    __slots__ = ("_held", "_nbytes", "signal")

    def __init__(self, signal: Signal, records: pa.RecordBatch | LazyRecords) -> None:
        self.signal = signal
        self._held = records
        self._nbytes: int | None = None

    def __repr__(self) -> str:
        return f"Batch({self.signal.value}, {len(self)} rows)"

    def __len__(self) -> int:
        return int(self._held.num_rows)

    @property
    def records(self) -> pa.RecordBatch:
        """The records. Where few columns are needed ask for these: of batches that were put together (`concat`) only
        what is asked for is copied."""
        if isinstance(self._held, LazyRecords):
            self._held = self._held.whole()
        return self._held

    @property
    def nbytes(self) -> int:
        """Bytes of Arrow data that the rows stand on: what a journal counts. Worked out once."""
        if self._nbytes is None:
            held = self._held if isinstance(self._held, JoinedRecords) else self.records
            self._nbytes = int(held.nbytes)
        return self._nbytes

    def whole(self) -> "Batch":
        """The same with every column made. What is kept for long is not to keep what it was put together of."""
        return Batch(self.signal, self.records)

    def filter(self, keep: pa.BooleanArray) -> "Batch":
        """The rows where `keep` is true (null counts as false)."""
        if isinstance(self._held, LazyRecords):
            return Batch(self.signal, self._held.take(pc.indices_nonzero(keep)))
        return Batch(self.signal, self._held.filter(keep))

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

    @property
    def record_schema(self) -> pa.Schema:
        """That of the records."""
        return self._held.schema

    def record_column(self, name: str) -> pa.Array:
        """One column of the records. Raises `KeyError` when they have none of that name."""
        return self._held.column(name)

    def column(self, name: str) -> pa.Array:
        """One public column. Raises `KeyError` when the signal's table has none of that name."""
        from spanmill.schema import TABLES

        return TABLES[self.signal].column(name).of(self._held)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The public table, or only the columns named."""
        from spanmill.schema import TABLES

        return TABLES[self.signal].of(self._held, columns)

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
        return Batch(parts[0].signal, JoinedRecords([part.records for part in parts]))


def serialize(batch: Batch) -> pa.Buffer:
    """The rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.records.schema) as writer:
        writer.write_batch(batch.records)
    return sink.getvalue()


def deserialize(signal: Signal, stream: pa.Buffer) -> Batch:
    """What `serialize` was given; its columns stand on `stream`."""
    return Batch(signal, pa.ipc.open_stream(stream).read_next_batch())
