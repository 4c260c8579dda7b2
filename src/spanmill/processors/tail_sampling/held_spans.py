"""Spans of traces that are not decided yet: in memory while there is room, and else where they are anyway, in the
journal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.journal import Record, Unreadable

DONE: Final = -1
"""In place of a slot: the row's trace is decided."""
_WORTH_COMPACTING: Final = 0.5
"""Memory is given back as soon as so large a share of a chunk's rows is done."""


@dataclass(slots=True)
class Chunk:
    """The rows of some records of the journal that were read together."""

    records: list[Record]
    starts: np.ndarray
    """The first row of each record, and at the end how many rows there are."""
    slots: np.ndarray
    """int32: the slot of each row's trace, or `DONE`."""
    waiting: int
    """Rows that are not done."""
    batch: Batch | None
    """None: it is in the journal only."""
    kept_rows: np.ndarray | None = None
    """The rows that `batch` has, ascending; None: all."""

    @property
    def first_waiting(self) -> int:
        """The sequence of the first record with a row that is not done."""
        (record,) = self.records_of(np.flatnonzero(self.slots != DONE)[:1])
        return int(self.records[record].sequence)

    def rows(self, rows: np.ndarray) -> tuple[Batch, np.ndarray]:
        """A batch, and where in it the rows are. Raises `Unreadable`, `OSError`.

        Of the journal only the records with these rows are read: it may have forgotten those that are done.
        """
        if self.batch is not None:
            return self.batch, rows if self.kept_rows is None else np.searchsorted(self.kept_rows, rows)
        records, place = np.unique(self.records_of(rows), return_inverse=True)
        begins = np.concatenate(([0], np.cumsum(np.diff(self.starts)[records])))
        batch = Batch.concat(self.records[record].load() for record in records)
        return batch, rows - self.starts[records[place]] + begins[place]

    def records_of(self, rows: np.ndarray) -> np.ndarray:
        """Which of the records each row is in."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def readable(self, rows: np.ndarray) -> np.ndarray:
        """Those of the rows whose records the journal can give. Raises `OSError`."""
        records = self.records_of(rows)
        return rows[np.isin(records, [record for record in np.unique(records) if _can_be_read(self.records[record])])]

    def finish(self, rows: np.ndarray) -> None:
        """The rows are done."""
        self.slots[rows] = DONE
        self.waiting -= len(rows)
        if self.batch is not None and self.waiting and self.waiting < _WORTH_COMPACTING * len(self.batch):
            left = np.flatnonzero(self.slots != DONE)
            batch, places = self.rows(left)
            self.batch, self.kept_rows = take(batch, places), left


class HeldSpans:
    """Chunks in the order of the journal. Not safe from several threads at once."""

    def __init__(self, max_bytes: int) -> None:
        self.chunks: list[Chunk] = []
        self.rows = 0
        """Rows that are not done."""
        self.lost = 0
        """Rows that the journal could not give any more."""
        self._max_bytes = max_bytes

    @property
    def batch_bytes(self) -> int:
        """Bytes of Arrow data in memory."""
        return sum(chunk.batch.nbytes for chunk in self.chunks if chunk.batch is not None)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, but for Python's objects."""
        return self.batch_bytes + sum(chunk.slots.nbytes + chunk.starts.nbytes for chunk in self.chunks)

    def add(self, records: Sequence[Record], batch: Batch, starts: np.ndarray, slots: np.ndarray) -> None:
        """Hold the rows that have a slot. What comes while memory is full stays in the journal: it is wanted last."""
        waiting = int(np.count_nonzero(slots != DONE))
        if not waiting:
            return
        fits = self.batch_bytes + batch.nbytes <= self._max_bytes
        chunk = Chunk(list(records), starts, slots, waiting, batch if fits else None)
        self.chunks.append(chunk)
        self.rows += waiting
        chunk.finish(np.zeros(0, np.int64))

    def of(self, wanted: np.ndarray) -> Iterator[tuple[Chunk, np.ndarray]]:
        """The chunks with rows of wanted traces, and these rows. `wanted`: whether each slot is, and False behind."""
        for chunk in self.chunks:
            rows = np.flatnonzero(wanted[chunk.slots])
            if len(rows):
                yield chunk, rows

    def finish(self, found: Sequence[tuple[Chunk, np.ndarray]]) -> None:
        """Rows are done."""
        for chunk, rows in found:
            chunk.finish(rows)
            self.rows -= len(rows)
        self.chunks = [chunk for chunk in self.chunks if chunk.waiting]

    def read(self, chunk: Chunk, rows: np.ndarray) -> tuple[Batch, np.ndarray, np.ndarray] | None:
        """A batch, where in it rows are, and which rows: those that are not damaged. None when all are.

        Raises `OSError`: they may be read another time.
        """
        try:
            return *chunk.rows(rows), rows
        except Unreadable:
            sound = chunk.readable(rows)
        self.lost += len(rows) - len(sound)
        return (*chunk.rows(sound), sound) if len(sound) else None

    @property
    def first_waiting(self) -> int | None:
        """The sequence of the first record with a row that is not done."""
        return min((chunk.first_waiting for chunk in self.chunks), default=None)


def _can_be_read(record: Record) -> bool:
    try:
        record.load()
    except Unreadable:
        return False
    return True


def take(batch: Batch, rows: np.ndarray) -> Batch:
    """Some rows, in this order."""
    return Batch(batch.signal, batch.records.take(pa.array(rows)))


def select(batch: Batch, columns: frozenset[str]) -> Batch:
    """All rows, with some of the columns of the records."""
    return Batch(batch.signal, batch.records.select([name for name in batch.records.schema.names if name in columns]))
