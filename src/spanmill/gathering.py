"""Puts records of a journal together until there is as much as an exporter likes to be handed at once."""

import asyncio
from contextlib import suppress

from spanmill.component import BatchPreference
from spanmill.journal import Journal, Reader, Record


class Gathering:
    """The records that one delivery has in hand: read, and neither delivered nor given up."""

    def __init__(self, journal: Journal, reader: Reader, wanted: BatchPreference) -> None:
        self.records: list[Record] = []
        """In order. Records are descriptions: their batches are loaded when they are exported."""
        self._journal, self._reader, self._wanted = journal, reader, wanted
        self._items = self._bytes = 0
        self._gathered = 0
        """Sequence up to which records were handed over together."""
        self._draining = False

    async def fill(self) -> bool:
        """Read until there is enough, or what there is has waited long enough; what is there when draining.

        What was gathered once does not wait for more again. False when draining has come to the end.
        """
        if self.records and self.records[0].sequence <= self._gathered:
            return True
        if not self.records and not await self._read():
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self.records[0].appended + self._wanted.max_age_seconds):
                while not self._enough() and await self._read():
                    pass
        self._gathered = self.records[-1].sequence
        return True

    def finish(self) -> None:
        """Wait for nothing any more."""
        self._draining = True
        self._reader.wake()

    def done(self, count: int) -> None:
        """The first `count` records are delivered or given up for good."""
        self._reader.commit(self.records[count - 1].sequence)
        self._items -= sum(record.items for record in self.records[:count])
        self._bytes -= sum(record.size for record in self.records[:count])
        del self.records[:count]

    def _enough(self) -> bool:
        wanted, items, size = self._wanted, self._items, self._bytes
        if (wanted.max_items and items >= wanted.max_items) or size >= wanted.max_bytes:
            return True
        if not (wanted.min_items or wanted.min_bytes):
            return self._reader.unread == 0
        if (wanted.min_items and items >= wanted.min_items) or (wanted.min_bytes and size >= wanted.min_bytes):
            return True
        pressed = self._journal.held_bytes > self._journal.max_bytes // 2
        return pressed and self._reader.unread == 0

    async def _read(self) -> bool:
        """Take the next record when there is one; False when draining ends."""
        while (record := self._reader.read()) is None and not self._draining:
            await self._reader.wait()
        if record is None:
            return False
        self.records.append(record)
        self._items += record.items
        self._bytes += record.size
        return True
