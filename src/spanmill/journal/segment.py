"""One file of a journal: where its records are, reading one of them, and finding them again after a crash."""

import errno
import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
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
    SegmentHeader,
    seed,
    unpack_head,
    unpack_segment_header,
)

SUFFIX = ".segment"
_READ_BYTES = 4096
"""Enough for the head of a record of 250 requests."""
_MOST_SEQUENCE = 2**63
_BLOCK_BYTES = 4096
_MOST_BAD_BLOCKS = 256
"""A disk may take seconds over each; a file with more of them is not worth the wait."""


def segment_path(directory: Path, first: int) -> Path:
    """Where the segment whose first record is `first` lies."""
    return directory / f"{first:020d}{SUFFIX}"


def segment_files(directory: Path, names: Iterable[str]) -> list[Path]:
    """Those of the names that a segment may have, the oldest first."""
    stems = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    numbers = sorted({int(stem) for stem in stems if stem.isascii() and stem.isdigit()})
    paths = (segment_path(directory, number) for number in numbers if number <= _MOST_SEQUENCE)
    return [path for path in paths if path.stem in stems]


class Segment:
    """A segment and the places of its records. Grows at its end, on the event loop; may be read in any thread."""

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
        self._offsets.append(offset)
        self._lengths.append(head.length)
        self._sizes.append(head.size)
        self._items_before.append(self._items_before[-1] + head.items)
        self._appended.append(appended)
        self.end = offset + head.length
        self._sequences.append(head.sequence)  # last: other threads take its length for the number of records

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

    header: SegmentHeader | None = None
    """None when it is damaged."""
    size: int = 0
    """Bytes of the file."""
    found: list[Found] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of bytes that hold no record, with records behind them."""
    end: int = SEGMENT_HEADER_BYTES
    """Offset behind the last record."""
    tail_bytes: int = 0
    """Bytes behind the last record that are neither a record nor zero."""

    @property
    def closed(self) -> bool:
        """Whether the segment was ended on purpose: then nothing was being written at its end."""
        return self.header is None or self.size < self.header.size


def scan(path: Path, first: int, identity: bytes, *, before: int | None = None, verify: bool) -> Scan:
    """Find the records of a segment by their heads; with `verify`, read every payload too.

    Records of sequence `before` and later were never acknowledged: their segment failed, and the next one begins with
    that number. Raises `OSError`, `NewerFormat`.
    """
    with path.open("rb", buffering=0) as file:
        if not verify:  # the disk need not read what lies between the heads
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        source = _Source(file.fileno())
        result = Scan(unpack_segment_header(source.read(0, SEGMENT_HEADER_BYTES)), source.size)
        scanner = _Scanner(source, seed(identity, first), verify)
        for found in scanner.records(first - 1):
            if before is not None and found.head.sequence >= before:
                return result
            if found.offset > result.end:
                result.damaged.append((result.end, found.offset))
            result.found.append(found)
            result.end = found.offset + found.head.length
        result.tail_bytes = len(source.read(result.end, source.size).rstrip(b"\0"))
    return result


def read_header(path: Path) -> SegmentHeader | None:
    """What a segment says of itself; None when its header is damaged. Raises `OSError`, `NewerFormat`."""
    with path.open("rb", buffering=0) as file:
        return unpack_segment_header(file.read(SEGMENT_HEADER_BYTES))


def read_range(path: Path, begin: int, end: int) -> bytes:
    """Bytes of a segment as far as the disk gives them. Raises `OSError`."""
    with path.open("rb", buffering=0) as file:
        return _Source(file.fileno()).read(begin, end - begin)


class _Source:
    """Reads a file of which the disk may not give every block: what it does not give reads as 0xff."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._bad_blocks = 0

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on, fewer at the end of the file."""
        end, parts = min(offset + length, self.size), []
        while offset < end:
            try:
                part = os.pread(self._descriptor, end - offset, offset)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                part = self._read_block(offset, end)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _read_block(self, offset: int, end: int) -> bytes:
        length = min(end - offset, _BLOCK_BYTES - offset % _BLOCK_BYTES)
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError:
            self._bad_blocks += 1
            if self._bad_blocks > _MOST_BAD_BLOCKS:
                raise
            return b"\xff" * length


class _Scanner:
    def __init__(self, source: _Source, start: int, verify: bool) -> None:
        self._source, self._start, self._verify = source, start, verify

    def records(self, last: int) -> Iterator[Found]:
        """Every sound record whose sequence ascends from `last`."""
        offset = SEGMENT_HEADER_BYTES
        while offset + HEAD_BYTES <= self._source.size:
            head = self._head(offset)
            if head is None or head.sequence <= last:
                found = self._search(offset + ALIGNMENT, last)
                if found is None:
                    return
                offset, head = found
            yield Found(offset, head)
            last = head.sequence
            offset += head.length

    def _head(self, offset: int) -> Head | None:
        data = self._source.read(offset, _READ_BYTES)
        count = int.from_bytes(data[12:16], "little")
        if HEAD_BYTES + DIGEST_BYTES * count > len(data) and count <= MOST_REQUESTS:
            data = self._source.read(offset, HEAD_BYTES + DIGEST_BYTES * count)
        head = unpack_head(data, 0, self._start)
        return head if head is not None and self._is_whole(head, offset) else None

    def _is_whole(self, head: Head, offset: int) -> bool:
        if offset + head.length > self._source.size:
            return False
        if not self._verify:
            return True
        payload = self._source.read(offset + head.payload_offset, head.stored)
        return zlib.crc32(payload) == head.payload_crc

    def _search(self, offset: int, last: int) -> Found | None:
        data = self._source.read(offset, self._source.size)
        place = data.find(RECORD_MAGIC)
        while place >= 0:
            if place % ALIGNMENT == 0:
                head = self._head(offset + place)
                if head is not None and head.sequence > last:
                    return Found(offset + place, head)
            place = data.find(RECORD_MAGIC, place + 1)
        return None
