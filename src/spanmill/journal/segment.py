"""One file of a journal: where its records are, reading one of them, and finding them again after a crash."""

import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from spanmill.journal import Unreadable
from spanmill.journal.format import (
    ALIGNMENT,
    DIGEST_BYTES,
    HEAD_BYTES,
    MOST_REQUESTS,
    RECORD_MAGIC,
    SEGMENT_HEADER_BYTES,
    Head,
    seed,
    unpack_head,
)

SUFFIX = ".segment"
_READ_BYTES = 4096
"""Enough for the head of a record of 250 requests."""


def segment_path(directory: Path, first: int) -> Path:
    """Where the segment whose first record is `first` lies."""
    return directory / f"{first:020d}{SUFFIX}"


class Segment:
    """A segment and the places of its records. Grows at its end; used on the event loop, `read` in any thread."""

    def __init__(self, path: Path, first: int, identity: bytes) -> None:
        self.path = path
        self.first = first
        self.end = SEGMENT_HEADER_BYTES
        """Offset behind the last record."""
        self._seed = seed(identity, first)
        self._sequences = array("Q")
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._sizes = array("Q")
        self._items_before = array("Q", [0])
        self._appended = array("d")

    def add(self, head: Head, offset: int, appended: float) -> None:
        """A record that begins at `offset`; `appended` in seconds of the event loop's clock."""
        self._sequences.append(head.sequence)
        self._offsets.append(offset)
        self._lengths.append(head.length)
        self._sizes.append(head.size)
        self._items_before.append(self._items_before[-1] + head.items)
        self._appended.append(appended)
        self.end = offset + head.length

    def __len__(self) -> int:
        return len(self._sequences)

    @property
    def last(self) -> int:
        """The last sequence, `first - 1` while there is none."""
        return self._sequences[-1] if self._sequences else self.first - 1

    def place_after(self, sequence: int) -> int:
        """The place of the first record after `sequence`; `len` when there is none."""
        return bisect_right(self._sequences, sequence)

    def bytes_after(self, sequence: int) -> int:
        """Bytes of the records after `sequence`."""
        place = self.place_after(sequence)
        return self.end - self._offsets[place] if place < len(self) else 0

    def items_after(self, sequence: int) -> int:
        """Items of the records after `sequence`."""
        return self._items_before[-1] - self._items_before[self.place_after(sequence)]

    def describe(self, place: int) -> "Description":
        """What is known of the record at a place without reading it."""
        items = self._items_before[place + 1] - self._items_before[place]
        return Description(self._sequences[place], items, self._sizes[place], self._appended[place])

    def read(self, place: int) -> tuple[Head, memoryview]:
        """The record at a place: its head and its payload. Raises `Unreadable`, `OSError`."""
        return read_record(self.path, self._offsets[place], self._lengths[place], self._seed)

    def range_of(self, place: int) -> tuple[int, int]:
        """Where the record at a place begins and ends in the file."""
        return self._offsets[place], self._offsets[place] + self._lengths[place]


class Description(NamedTuple):
    """A record without its payload."""

    sequence: int
    items: int
    size: int
    """Bytes decompressed."""
    appended: float
    """Seconds of the event loop's clock."""


def read_record(path: Path, offset: int, length: int, start: int) -> tuple[Head, memoryview]:
    """A record of known place: its head and its payload. Raises `Unreadable`, `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    head = unpack_head(data, 0, start)
    if head is None or head.length != length or len(data) < length:
        raise Unreadable(f"{path} is damaged at byte {offset}: no record is there any more")
    payload = memoryview(data)[head.payload_offset : head.payload_offset + head.stored]
    if zlib.crc32(payload) != head.payload_crc:
        raise Unreadable(f"{path} is damaged at byte {offset}: record {head.sequence} of {head.items} items")
    return head, payload


class Found(NamedTuple):
    """A record that a scan came across."""

    offset: int
    head: Head


@dataclass(slots=True)
class Scan:
    """What a segment holds."""

    found: list[Found] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of bytes that hold no record, with records behind them."""
    torn_bytes: int = 0
    """Bytes behind the last record that are neither a record nor zero: what was being written when the power went."""


def scan(path: Path, first: int, identity: bytes, *, before: int | None = None, verify: bool) -> Scan:
    """Find the records of a segment by their heads; with `verify`, read every payload too.

    Records of sequence `before` and later were never acknowledged: their segment failed, and the next one begins with
    that number. Raises `OSError`.
    """
    result = Scan()
    with path.open("rb", buffering=0) as file:
        scanner = _Scanner(file.fileno(), seed(identity, first), verify)
        offset = SEGMENT_HEADER_BYTES
        for found in scanner.records(first - 1):
            if before is not None and found.head.sequence >= before:
                return result
            if found.offset > offset:
                result.damaged.append((offset, found.offset))
            result.found.append(found)
            offset = found.offset + found.head.length
        result.torn_bytes = len(scanner.rest(offset).rstrip(b"\0"))
    return result


class _Scanner:
    def __init__(self, descriptor: int, start: int, verify: bool) -> None:
        self._descriptor, self._start, self._verify = descriptor, start, verify
        self._size = os.fstat(descriptor).st_size

    def records(self, last: int) -> Iterator[Found]:
        """Every sound record whose sequence ascends from `last`."""
        offset = SEGMENT_HEADER_BYTES
        while offset + HEAD_BYTES <= self._size:
            head = self._head(offset)
            if head is None or head.sequence <= last:
                found = self._search(offset + ALIGNMENT, last)
                if found is None:
                    return
                offset, head = found
            yield Found(offset, head)
            last = head.sequence
            offset += head.length

    def rest(self, offset: int) -> bytes:
        """All bytes from `offset` on."""
        parts = []
        while offset < self._size and (part := os.pread(self._descriptor, self._size - offset, offset)):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _head(self, offset: int) -> Head | None:
        data = os.pread(self._descriptor, _READ_BYTES, offset)
        count = int.from_bytes(data[12:16], "little")
        if HEAD_BYTES + DIGEST_BYTES * count > len(data) and count <= MOST_REQUESTS:
            data = os.pread(self._descriptor, HEAD_BYTES + DIGEST_BYTES * count, offset)
        head = unpack_head(data, 0, self._start)
        return head if head is not None and self._is_whole(head, offset) else None

    def _is_whole(self, head: Head, offset: int) -> bool:
        if offset + head.length > self._size:
            return False
        if not self._verify:
            return True
        payload = os.pread(self._descriptor, head.stored, offset + head.payload_offset)
        return zlib.crc32(payload) == head.payload_crc

    def _search(self, offset: int, last: int) -> Found | None:
        data = self.rest(offset)
        place = data.find(RECORD_MAGIC)
        while place >= 0:
            if place % ALIGNMENT == 0:
                head = self._head(offset + place)
                if head is not None and head.sequence > last:
                    return Found(offset + place, head)
            place = data.find(RECORD_MAGIC, place + 1)
        return None
