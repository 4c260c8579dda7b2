"""The bytes of a segment: a header, then records one after the other, then the zeros of space not used yet.

    segment  magic 8 | crc u32 | format version u16 | - u16 | first sequence u64 | identity 16 | size u64
    record   head 56 | digest 16 of each request | payload | zeros up to a multiple of 8
    head     magic 4 | crc u32 | payload crc u32 | requests u32 | stored u64 | size u64 | sequence u64 | time u64 |
             items u32 | - u32

Integers are little-endian, CRCs are zlib's CRC-32. A head's crc covers what follows it in the head, and the digests; it
starts from a number of the segment's own, so that bytes of another segment never pass for a record of this one. The
payload is one LZ4 frame that holds an Arrow IPC stream (`stored` bytes, `size` decompressed). Times are nanoseconds
since 1970. Nothing in a segment is ever written twice.

A segment's `size` is what was taken for it. A file of that size was being written to when the process ended; a shorter
one was closed, and ends with its last record. A header is laid out like this in every version of the format.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from spanmill.errors import SpanmillError

FORMAT_VERSION = 1
SEGMENT_HEADER_BYTES = 48
DIGEST_BYTES = 16
RECORD_MAGIC = b"SPmr"
ALIGNMENT = 8
_SEGMENT_MAGIC = b"SPANMILL"
_SEGMENT = struct.Struct("<8sIHHQ16sQ")
_SEGMENT_CRC_FROM = 12
_HEAD = struct.Struct("<4sIIIQQQQII")
_HEAD_CRC_FROM = 8
HEAD_BYTES = _HEAD.size
MOST_REQUESTS = 1 << 20
"""In one record; a head that says more is damaged."""


class NewerFormat(SpanmillError):  # noqa: N818 - says what is the matter
    """The journal was written by a newer version of Spanmill."""


class SegmentHeader(NamedTuple):
    """What a segment says of itself."""

    first: int
    """The sequence of its first record."""
    identity: bytes
    """The journal's."""
    size: int
    """Bytes that were taken for it."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a record without reading its payload."""

    sequence: int
    time: int
    """When it was appended, nanoseconds since 1970, by a clock that may jump."""
    items: int
    size: int
    """Bytes of the payload decompressed."""
    stored: int
    """Bytes of the payload as it lies on the disk."""
    payload_crc: int
    requests: tuple[bytes, ...] = ()

    @property
    def payload_offset(self) -> int:
        """Where the payload begins, from the beginning of the record."""
        return HEAD_BYTES + DIGEST_BYTES * len(self.requests)

    @property
    def length(self) -> int:
        """Bytes of the whole record."""
        return aligned(self.payload_offset + self.stored)


def aligned(size: int) -> int:
    """The next multiple of `ALIGNMENT`."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def seed(identity: bytes, first: int) -> int:
    """What the CRCs of a segment's heads start from."""
    return zlib.crc32(identity + first.to_bytes(8, "little"))


def pack_segment_header(header: SegmentHeader) -> bytes:
    """The first bytes of a segment."""
    rest = struct.pack("<HHQ16sQ", FORMAT_VERSION, 0, header.first, header.identity, header.size)
    return _SEGMENT_MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def unpack_segment_header(data: bytes) -> SegmentHeader | None:
    """None when the header is damaged. Raises `NewerFormat`."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, crc, version, _, first, identity, size = _SEGMENT.unpack_from(data)
    if magic != _SEGMENT_MAGIC or crc != zlib.crc32(data[_SEGMENT_CRC_FROM:SEGMENT_HEADER_BYTES]):
        return None
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"written by a newer version of Spanmill: format {version}, expected at most {FORMAT_VERSION}; "
            "start that version, or name another `service.journal.directory`"
        )
    return SegmentHeader(first, bytes(identity), size)


def pack_head(head: Head, start: int) -> bytes:
    """The head of a record with its digests. `start`: the segment's `seed`."""
    rest = struct.pack(
        "<IIQQQQII",
        head.payload_crc,
        len(head.requests),
        head.stored,
        head.size,
        head.sequence,
        head.time,
        head.items,
        0,
    )
    rest += b"".join(head.requests)
    return RECORD_MAGIC + struct.pack("<I", zlib.crc32(rest, start)) + rest


def unpack_head(data: bytes, offset: int, start: int) -> Head | None:
    """The head at `offset`; None when there is none, or a damaged one."""
    if len(data) < offset + HEAD_BYTES or data[offset : offset + 4] != RECORD_MAGIC:
        return None
    _, crc, payload_crc, count, stored, size, sequence, time, items, _ = _HEAD.unpack_from(data, offset)
    end = offset + HEAD_BYTES + DIGEST_BYTES * count
    if count > MOST_REQUESTS or end > len(data) or zlib.crc32(data[offset + _HEAD_CRC_FROM : end], start) != crc:
        return None
    digests = data[offset + HEAD_BYTES : end]
    requests = tuple(digests[i : i + DIGEST_BYTES] for i in range(0, len(digests), DIGEST_BYTES))
    return Head(sequence, time, items, size, stored, payload_crc, requests)
