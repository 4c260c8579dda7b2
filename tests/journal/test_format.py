"""The bytes of a segment: what is packed is unpacked, and a bit that flips is never overlooked."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.journal import format as format_module
from spanmill.journal.format import (
    ALIGNMENT,
    FORMAT_VERSION,
    HEAD_BYTES,
    SEGMENT_HEADER_BYTES,
    Head,
    NewerFormat,
    SegmentHeader,
    aligned,
    pack_head,
    pack_segment_header,
    seed,
    unpack_head,
    unpack_segment_header,
)
from spanmill.journal.segment import Segment, scan, segment_files, segment_path

UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
IDENTITY = bytes(range(16))
DIGESTS = st.lists(st.binary(min_size=16, max_size=16), max_size=5).map(tuple)
HEADS = st.builds(
    Head,
    sequence=UINT64,
    time=UINT64,
    items=UINT32,
    size=UINT64,
    stored=st.integers(0, 2**40),
    payload_crc=UINT32,
    requests=DIGESTS,
)


@given(HEADS, UINT32, st.binary(max_size=64))
def test_a_head_is_read_as_it_was_written_whatever_follows_it(head: Head, start: int, behind: bytes) -> None:
    data = pack_head(head, start)
    assert len(data) == head.payload_offset == HEAD_BYTES + 16 * len(head.requests)
    assert unpack_head(data + behind, 0, start) == head
    assert unpack_head(b"12345678" + data, 8, start) == head
    assert head.length % ALIGNMENT == 0
    assert 0 <= head.length - head.payload_offset - head.stored < ALIGNMENT


@given(HEADS, UINT32, st.integers(1, 2**32 - 1))
def test_a_head_of_another_segment_is_no_head_of_this_one(head: Head, start: int, difference: int) -> None:
    assert unpack_head(pack_head(head, start), 0, start ^ difference) is None


def test_every_bit_that_flips_in_a_head_is_noticed() -> None:
    head = Head(7, 1_760_000_000_000_000_000, 3, 4_000, 900, 12345, (b"a" * 16, b"b" * 16))
    data = pack_head(head, 99)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert unpack_head(bytes(flipped), 0, 99) is None
    for length in range(len(data)):
        assert unpack_head(data[:length], 0, 99) is None


@given(UINT64, st.binary(min_size=16, max_size=16), UINT64)
def test_a_segments_header_is_read_as_it_was_written(first: int, identity: bytes, size: int) -> None:
    header = SegmentHeader(first, identity, size)
    data = pack_segment_header(header)
    assert len(data) == SEGMENT_HEADER_BYTES
    assert unpack_segment_header(data + b"records") == header


def test_every_bit_that_flips_in_a_segments_header_is_noticed() -> None:
    """The version too: a flipped bit must not look like a newer version, which would be refused for good."""
    data = pack_segment_header(SegmentHeader(5, IDENTITY, 1 << 20))
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert unpack_segment_header(bytes(flipped)) is None
    for length in range(len(data)):
        assert unpack_segment_header(data[:length]) is None


def test_a_newer_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(format_module, "FORMAT_VERSION", FORMAT_VERSION + 7)
        data = pack_segment_header(SegmentHeader(5, IDENTITY, 1 << 20))
    with pytest.raises(NewerFormat, match=r"format 8, expected at most 1; .* `service.journal.directory`"):
        unpack_segment_header(data)


@given(st.integers(0, 2**40))
def test_aligning_adds_as_little_as_possible(size: int) -> None:
    assert size <= aligned(size) < size + ALIGNMENT
    assert aligned(size) % ALIGNMENT == 0


PAYLOADS = st.lists(st.binary(max_size=200), min_size=1, max_size=8)


def write(path: Path, payloads: list[bytes], room: int = 0) -> list[int]:
    """A segment of those payloads with room behind them; where each record begins."""
    from zlib import crc32

    first, data, offsets = 10, bytearray(), []
    for place, payload in enumerate(payloads):
        head = Head(first + place, place, place + 1, len(payload), len(payload), crc32(payload), (b"r" * 16,) * place)
        offsets.append(SEGMENT_HEADER_BYTES + len(data))
        data += (pack_head(head, seed(IDENTITY, first)) + payload).ljust(head.length, b"\0")
    header = pack_segment_header(SegmentHeader(first, IDENTITY, SEGMENT_HEADER_BYTES + len(data) + room))
    path.write_bytes(header + data + bytes(room))
    return offsets


@given(payloads=PAYLOADS, room=st.integers(0, 100), verify=st.booleans())
def test_a_scan_finds_every_record_of_a_sound_segment(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], room: int, verify: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "sound.segment"
    offsets = write(path, payloads, room)
    found = scan(path, 10, IDENTITY, verify=verify)
    assert [at for at, _ in found.found] == offsets
    assert [head.sequence for _, head in found.found] == list(range(10, 10 + len(payloads)))
    assert (found.damaged, found.tail_bytes) == ([], 0)
    assert not found.closed
    segment = Segment(path, 10, IDENTITY)
    for offset, head in found.found:
        segment.add(head, offset, 0.0)
    assert [segment.read(place)[1].tobytes() for place in range(len(segment))] == payloads
    assert segment.bytes_after(9) == segment.end - SEGMENT_HEADER_BYTES
    assert segment.items_after(9) == sum(range(1, len(payloads) + 1))
    assert (segment.bytes_after(segment.last), segment.items_after(segment.last)) == (0, 0)


@given(payloads=PAYLOADS, data=st.data())
def test_a_scan_of_damaged_bytes_finds_every_record_that_was_not_hit(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.segment"
    offsets = write(path, payloads)
    contents = bytearray(path.read_bytes())
    begin = data.draw(st.integers(0, len(contents) - 1))
    end = data.draw(st.integers(begin + 1, min(len(contents), begin + 300)))
    contents[begin:end] = data.draw(st.binary(min_size=end - begin, max_size=end - begin))
    path.write_bytes(contents)
    found = {head.sequence for _, head in scan(path, 10, IDENTITY, verify=True).found}
    ends = [*offsets[1:], len(contents)]
    untouched = {10 + n for n, (a, b) in enumerate(zip(offsets, ends, strict=True)) if b <= begin or a >= end}
    assert untouched <= found <= set(range(10, 10 + len(payloads)))


def test_records_behind_the_beginning_of_the_next_segment_never_counted(tmp_path: Path) -> None:
    path = tmp_path / "failed.segment"
    write(path, [b"one", b"two", b"three"])
    found = scan(path, 10, IDENTITY, before=12, verify=False)
    assert [head.sequence for _, head in found.found] == [10, 11]
    assert (found.damaged, found.tail_bytes) == ([], 0)


def test_only_exact_names_are_names_of_segments(tmp_path: Path) -> None:
    good = [segment_path(tmp_path, number) for number in (1, 7, 2**63)]
    others = ["1.segment", "\u0661" * 20 + ".segment", "0" * 20 + ".segment.tmp", f"{2**64}.segment", "x.segment"]
    assert segment_files(tmp_path, [*others, *(path.name for path in reversed(good))]) == good


def test_the_layout_is_what_the_documentation_says() -> None:
    head = pack_head(Head(7, 8, 9, 10, 11, 12, (b"d" * 16,)), 0)
    assert head[:4] == b"SPmr"
    assert struct.unpack_from("<IIQQQQI", head, 8) == (12, 1, 11, 10, 7, 8, 9)
    assert head[56:] == b"d" * 16
    header = pack_segment_header(SegmentHeader(7, IDENTITY, 4096))
    assert header[:8] == b"SPANMILL"
    assert struct.unpack_from("<HHQ16sQ", header, 12) == (1, 0, 7, IDENTITY, 4096)
