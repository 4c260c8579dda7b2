"""A journal in memory: bounded in bytes, gone with the process."""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import Sequence
from functools import partial

from spanmill.batch import Batch, deserialize, serialize
from spanmill.errors import Busy
from spanmill.journal import Packed, Record
from spanmill.journal.recent import RecentRequests

_SMALL_BYTES = 128 * 1024


class MemoryJournal:
    """Keeps each batch until every reader has committed it. Refuses (`Busy`) rather than grow past `max_bytes`."""

    durable = False

    def __init__(self, max_bytes: int, dedup_window: float = 600.0, retry_after: float = 1.0) -> None:
        self.identity = uuid.uuid4().hex
        self.max_bytes = max_bytes
        self.retry_after = retry_after
        """Seconds that a refused sender is asked to wait."""
        self._records: deque[Record] = deque()
        self._held_bytes = 0
        self._turned_away = 0
        self._last = 0
        self._readers: dict[str, MemoryReader] = {}
        self._recent = RecentRequests(dedup_window)

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    def reserve(self, size: int) -> None:
        """A batch larger than the whole journal is let in when the journal is empty: else it could never pass.

        What was turned away is remembered: nothing else is taken before there is room for as much, so that small
        batches do not keep a large one out for ever, and `reserve(0)` tells whether senders are being refused.
        """
        needed = max(size, self._turned_away)
        if self._records and self._held_bytes + needed > self.max_bytes:
            self._turned_away = needed
            raise Busy(f"the journal holds {self._held_bytes} bytes, of {self.max_bytes} allowed", self.retry_after)
        self._turned_away = 0

    def pack(self, batch: Batch, requests: Sequence[bytes] = ()) -> Packed:
        """Large batches as they are, small ones as the bytes of an IPC stream.

        As columns a batch of one span takes 200 KB: the decoder's builders begin with room for a thousand rows, and
        the type of each of a hundred columns is described anew.
        """
        if batch.nbytes > _SMALL_BYTES:
            return Packed(len(batch), batch.nbytes, lambda: batch, tuple(requests))
        stream = serialize(batch)
        return Packed(len(batch), stream.size, partial(deserialize, batch.signal, stream), tuple(requests))

    def holds(self, request: bytes) -> bool:
        return request in self._recent

    async def append(self, packed: Packed) -> int:
        self.reserve(packed.size)
        self._last += 1
        self._records.append(Record(self._last, asyncio.get_running_loop().time(), packed))
        self._held_bytes += packed.size
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
            self._held_bytes -= self._records.popleft().size


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
