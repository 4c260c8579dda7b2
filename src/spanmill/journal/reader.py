"""A consumer's place in a journal on disk."""

import asyncio
from typing import Protocol

from spanmill.journal import Record


class ReadableJournal(Protocol):
    """What a reader asks of its journal."""

    @property
    def last(self) -> int:
        """The last sequence that can be read, 0 when there is none."""

    def record_after(self, sequence: int) -> Record | None:
        """The first record after `sequence`."""

    def bytes_after(self, sequence: int) -> int:
        """Bytes of the records after `sequence`."""

    def items_after(self, sequence: int) -> int:
        """Items of the records after `sequence`."""

    def forget_committed(self) -> None:
        """A cursor has moved."""

    def skip_to(self, sequence: int) -> None:
        """A consumer holds everything up to this sequence."""


class DiskReader:
    """See `Reader`."""

    def __init__(self, journal: ReadableJournal) -> None:
        self._journal = journal
        self._woken = asyncio.Event()
        self._read = 0
        self.committed = 0

    def place(self, sequence: int) -> None:
        """Begin after `sequence`."""
        self._read = self.committed = sequence

    def read(self) -> Record | None:
        record = self._journal.record_after(self._read)
        if record is not None:
            self._read = record.sequence
        return record

    async def wait(self) -> None:
        self._woken.clear()
        if not self.unread:
            await self._woken.wait()

    def wake(self) -> None:
        self._woken.set()

    def commit(self, sequence: int) -> None:
        self.committed = max(self.committed, sequence)
        self._journal.forget_committed()

    def rewind(self, sequence: int) -> None:
        self._journal.skip_to(sequence)
        self._read = sequence
        self.commit(sequence)

    @property
    def unread(self) -> int:
        return max(0, self._journal.last - self._read)

    @property
    def held_bytes(self) -> int:
        return self._journal.bytes_after(self.committed)

    @property
    def held_items(self) -> int:
        return self._journal.items_after(self.committed)
