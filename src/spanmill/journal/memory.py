"""A journal in memory: bounded in bytes, gone with the process."""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import Sequence

from spanmill.batch import Batch
from spanmill.journal import Packed, Record
from spanmill.journal.recent import RecentRequests
from spanmill.journal.room import Room
from spanmill.journal.stored import pack


class MemoryJournal:
    """Keeps each batch until every reader has committed it. Refuses (`Busy`) rather than grow past `max_bytes`."""

    durable = False

    def __init__(self, max_bytes: int, dedup_window: float = 600.0, retry_after: float = 1.0) -> None:
        self.identity = uuid.uuid4().hex
        self._room = Room(max_bytes, retry_after)
        self._records: deque[Record] = deque()
        self._last = 0
        self._readers: dict[str, MemoryReader] = {}
        self._recent = RecentRequests(dedup_window)

    @property
    def held_bytes(self) -> int:
        return self._room.held_bytes

    @property
    def max_bytes(self) -> int:
        return self._room.max_bytes

    async def start(self) -> None:
        """Nothing was held."""

    async def stop(self) -> None:
        """What is held is gone with the process."""

    def reserve(self, size: int) -> None:
        self._room.reserve(size)

    def pack(self, batch: Batch, requests: Sequence[bytes] = ()) -> Packed:
        return pack(batch, tuple(requests))

    def holds(self, request: bytes) -> bool:
        return request in self._recent

    async def append(self, packed: Packed) -> int:
        self.reserve(packed.size)
        self._last += 1
        self._records.append(Record(self._last, asyncio.get_running_loop().time(), packed))
        self._room.held_bytes += packed.size
        self._recent.add(packed.requests)
        for reader in self._readers.values():
            reader.wake()
        return self._last

    def reader(self, consumer: str) -> "MemoryReader":
        return self._readers.setdefault(consumer, MemoryReader(self))

    def record(self, sequence: int) -> Record | None:
        """The record of that sequence, while it is held."""
        if not self._records or not self._records[0].sequence <= sequence <= self._last:
            return None
        return self._records[sequence - self._records[0].sequence]

    def records_after(self, sequence: int) -> list[Record]:
        """The records held after `sequence`, in order."""
        skipped = max(0, sequence + 1 - self._records[0].sequence) if self._records else 0
        return list(itertools.islice(self._records, skipped, None))

    @property
    def last(self) -> int:
        """The last sequence given out, 0 before the first."""
        return self._last

    def forget_committed(self) -> None:
        """Drop what every reader has committed."""
        done = min((reader.committed for reader in self._readers.values()), default=self._last)
        while self._records and self._records[0].sequence <= done:
            self._room.held_bytes -= self._records.popleft().size


class MemoryReader:
    """See `Reader`."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal
        self._woken = asyncio.Event()
        self._read = journal.last
        self.committed = journal.last

    def read(self) -> Record | None:
        record = self._journal.record(self._read + 1)
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
        self._read = sequence
        self.commit(sequence)

    @property
    def unread(self) -> int:
        return self._journal.last - self._read

    @property
    def held_bytes(self) -> int:
        return sum(record.size for record in self._journal.records_after(self.committed))

    @property
    def held_items(self) -> int:
        return sum(record.items for record in self._journal.records_after(self.committed))
