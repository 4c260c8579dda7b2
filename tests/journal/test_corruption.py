"""Bytes that are not what was written, files that are gone or should not be there: at most what they hit is lost, it
is counted and named, a copy is kept, and the journal always opens."""

import errno
import os
import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from spanmill.errors import StartError
from spanmill.journal import Unreadable
from spanmill.journal import loading as loading_module
from spanmill.journal.cursors import SLOT_BYTES
from spanmill.journal.format import FORMAT_VERSION, SEGMENT_HEADER_BYTES
from tests.data import span_ids
from tests.journal.harness import Opened, batch, contents, copies, hurried, packed, request, segments

RECORDS = list(range(1, 11))
DONE = 2
"""Records that consumer `two` is done with; `one` has had none."""


@pytest.fixture(autouse=True)
async def _hurried() -> AsyncIterator[None]:
    with hurried():
        yield


async def make(directory: Path, *, closed: bool = True) -> None:
    """A journal of several segments; not closed, it is left as by a process that died."""
    it = await Opened(directory).start()
    await it.append(*RECORDS)
    it.take(DONE, "two")
    assert await it.tidied()
    await (it.journal.stop() if closed else it.abandon())


def readable(it: Opened, consumer: str = "one") -> tuple[list[int], int]:
    """The numbers that can still be read, each byte-equal, and how many records could not be loaded."""
    found, lost = [], 0
    for record in iter(it.readers[consumer].read, None):
        try:
            loaded = record.load()
        except Unreadable:
            lost += 1
            continue
        number = span_ids(loaded)[0]
        assert loaded.records.equals(batch(number).records)
        found.append(number)
    assert found == sorted(set(found))
    return found, lost


async def open_three_times(directory: Path, consumer: str = "one") -> tuple[list[int], Opened]:
    """What is read each time, which must be the same; and the first opening, for what it counted and said."""
    seen: list[list[int]] = []
    first: Opened | None = None
    for _ in range(3):
        async with Opened(directory) as it:
            seen.append(readable(it, consumer)[0])
        first = first or it
    assert seen[0] == seen[1] == seen[2]
    assert first is not None
    return seen[0], first


def start_of(number: int) -> int:
    """Where the record of a number begins in its segment: they lie three to a segment."""
    first = (number - 1) // 3 * 3 + 1
    return SEGMENT_HEADER_BYTES + sum(packed(before).kept_bytes for before in range(first, number))


def offset_of(directory: Path, number: int, part: str) -> tuple[Path, int]:
    """A segment, and an offset in the record of a number, of one of its parts."""
    return segments(directory)[(number - 1) // 3], start_of(number) + {
        "magic": 0,
        "crc": 4,
        "count": 12,
        "sequence": 32,
        "digest": 60,
        "payload": 900,
    }[part]


def flip(path: Path, offset: int, bits: int = 0xFF) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ bits]))


@pytest.mark.parametrize("number", [1, 2, 3, 5, 9, 10])
@pytest.mark.parametrize("part", ["magic", "crc", "count", "sequence", "digest", "payload"])
async def test_a_flipped_byte_costs_its_record_and_no_other(tmp_path: Path, number: int, part: str) -> None:
    await make(tmp_path)
    flip(*offset_of(tmp_path, number, part))
    found, it = await open_three_times(tmp_path)
    assert found == [n for n in RECORDS if n != number]
    assert it.value("damaged_records") == 1
    assert len(copies(tmp_path)) == 1
    assert packed(number).stored[200:400].tobytes() in copies(tmp_path)[0].read_bytes()


@pytest.mark.parametrize("offset", range(SEGMENT_HEADER_BYTES))
async def test_a_flipped_byte_in_a_header_costs_nothing(tmp_path: Path, offset: int) -> None:
    await make(tmp_path)
    for path in segments(tmp_path)[::2]:
        flip(path, offset, 1 << offset % 8)
    found, it = await open_three_times(tmp_path)
    assert found == RECORDS
    assert (it.value("damaged_records"), it.notes) == (0, [])


async def test_what_was_being_written_when_the_process_died_is_cut_off_and_counted(tmp_path: Path) -> None:
    await make(tmp_path, closed=False)
    path = segments(tmp_path)[-1]
    with path.open("r+b") as file:
        file.seek(SEGMENT_HEADER_BYTES + packed(1).kept_bytes)
        file.write(b"half of a record")
    async with Opened(tmp_path) as it:
        assert readable(it) == (RECORDS, 0)
        assert (it.value("torn_bytes"), it.value("damaged_records")) == (16, 0)
        assert "were being written: cut off" in it.notes[0]
        await it.append(11)
    async with Opened(tmp_path) as it:
        assert readable(it) == ([*RECORDS, 11], 0)
        assert it.notes == []


@pytest.mark.parametrize("index", [0, 1, 2, 3])
async def test_a_missing_segment_costs_its_records_which_are_counted(tmp_path: Path, index: int) -> None:
    await make(tmp_path)
    path = segments(tmp_path)[index]
    gone = RECORDS[index * 3 : index * 3 + 3]
    path.unlink()
    found, it = await open_three_times(tmp_path)
    assert found == [n for n in RECORDS if n not in gone]
    if index < 3:  # that the last one is gone nobody can know
        assert it.value("damaged_records") == 3
        assert f"records {gone[0]} to {gone[-1]} are gone" in it.notes[0]


async def test_records_that_every_consumer_is_done_with_are_no_loss(tmp_path: Path) -> None:
    async with Opened(tmp_path) as it:
        await it.append(*RECORDS)
        for name in it.readers:
            it.take(8, name)
        assert await it.tidied()
        path = segments(tmp_path)[0]
        await it.abandon()
    flip(path, SEGMENT_HEADER_BYTES)
    async with Opened(tmp_path) as it:
        assert it.value("damaged_records") == 0
        assert readable(it) == ([9, 10], 0)


@pytest.mark.parametrize("name", ["00000000000000000005.segment", "00000000000000000099.segment"])
async def test_a_file_that_only_looks_like_a_segment_is_moved_aside_and_cuts_nothing_off(
    tmp_path: Path, name: str
) -> None:
    await make(tmp_path)
    (tmp_path / name).write_bytes(b"not a segment at all" * 10)
    found, _ = await open_three_times(tmp_path)
    assert found == RECORDS
    assert [path.name for path in copies(tmp_path)] == [name]


async def test_garbage_in_the_directory_is_left_alone(tmp_path: Path) -> None:
    await make(tmp_path)
    names = [
        "²²²²²²²²²²²²²²²²²²²².segment",
        "99999999999999999999.segment",
        "5.segment",
        "x.segment",
        "notes.txt",
        ".x",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"garbage")
    for name in ("folder.segment", ".folder.tmp", "folder.requests"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    found, it = await open_three_times(tmp_path)
    assert (found, it.notes) == (RECORDS, [])
    assert contents(tmp_path).keys() >= set(names)
    async with Opened(tmp_path) as it:
        it.take(10, "one")
        it.take(10, "two")
        assert await it.tidied()


@pytest.mark.parametrize("index", [0, 1, 3])
async def test_a_directory_in_place_of_a_segment_is_moved_aside(tmp_path: Path, index: int) -> None:
    await make(tmp_path)
    path = segments(tmp_path)[index]
    path.unlink()
    path.mkdir()
    found, it = await open_three_times(tmp_path)
    assert found == [n for n in RECORDS if (n - 1) // 3 != index]
    assert it.value("damaged_records") >= 1
    assert "cannot be read" in it.notes[0]


async def test_a_segment_without_a_record_that_can_be_read_is_kept_aside(tmp_path: Path) -> None:
    await make(tmp_path)
    path = segments(tmp_path)[1]
    contents = bytes(byte ^ 0x55 for byte in path.read_bytes())
    path.write_bytes(contents)
    found, it = await open_three_times(tmp_path)
    assert found == [1, 2, 3, 7, 8, 9, 10]
    assert it.value("damaged_records") == 3
    assert [copy.read_bytes() for copy in copies(tmp_path)] == [contents]


class BadBlocks:
    """`os.pread` on a disk that does not give some blocks of some files."""

    def __init__(self, path: Path, blocks: range) -> None:
        self._inode = path.stat().st_ino
        self._bytes = range(blocks.start * 4096, blocks.stop * 4096)
        self._pread = os.pread

    def __call__(self, descriptor: int, length: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == self._inode:
            hit = range(max(offset, self._bytes.start), min(offset + length, self._bytes.stop))
            if hit:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._pread(descriptor, length, offset)


@pytest.mark.parametrize(("block", "lost"), [(0, {4}), (1, {4, 5}), (2, {5, 6}), (3, {6})])
async def test_a_block_that_the_disk_does_not_give_costs_only_the_records_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, lost: set[int]
) -> None:
    await make(tmp_path)
    monkeypatch.setattr(os, "pread", BadBlocks(segments(tmp_path)[1], range(block, block + 1)))
    monkeypatch.setattr(loading_module, "_PATIENCE_SECONDS", 0.0)
    found, it = await open_three_times(tmp_path)
    assert set(RECORDS) - set(found) <= lost
    assert found
    assert it.value("damaged_records") == len(RECORDS) - len(found)


async def test_a_record_that_cannot_be_read_now_is_tried_again_and_given_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(tmp_path)
    async with Opened(tmp_path) as it:
        record = it.readers["one"].read()
        assert record is not None
        with monkeypatch.context() as patched:
            patched.setattr(os, "pread", BadBlocks(segments(tmp_path)[0], range(9)))
            for _ in range(3):
                with pytest.raises(OSError, match="Input/output"):
                    record.load()
        assert span_ids(record.load()) == [1]
        monkeypatch.setattr(os, "pread", BadBlocks(segments(tmp_path)[0], range(9)))
        monkeypatch.setattr(loading_module, "_PATIENCE_SECONDS", 0.0)
        for _ in range(2):
            with pytest.raises(Unreadable):
                record.load()
        assert it.value("damaged_records") == 1


async def test_a_segment_deleted_under_a_running_journal_is_lost_and_said_to_be(tmp_path: Path) -> None:
    await make(tmp_path)
    async with Opened(tmp_path) as it:
        segments(tmp_path)[1].unlink()
        assert readable(it) == ([1, 2, 3, 7, 8, 9, 10], 3)
        assert it.value("damaged_records") == 3


@pytest.mark.parametrize("damage", ["deleted", "zeroed", "cut", "one slot", "directory"])
async def test_without_sound_cursors_every_consumer_begins_with_the_oldest_record(tmp_path: Path, damage: str) -> None:
    await make(tmp_path)
    path = tmp_path / "cursors"
    data = path.read_bytes()
    path.unlink()
    if damage == "zeroed":
        path.write_bytes(bytes(len(data)))
    elif damage == "cut":
        path.write_bytes(data[:20])
    elif damage == "one slot":
        newest = int.from_bytes(data[16:24], "little") < int.from_bytes(
            data[SLOT_BYTES + 16 : SLOT_BYTES + 24], "little"
        )
        start = SLOT_BYTES * newest
        path.write_bytes(data[: start + 30] + b"\xff" + data[start + 31 :])
    elif damage == "directory":
        path.mkdir()
    async with Opened(tmp_path) as it:
        assert readable(it) == (RECORDS, 0)
        assert readable(it, "two") in ((RECORDS, 0), (RECORDS[DONE:], 0))
        assert it.value("damaged_records") == 0
        if damage != "one slot":
            assert "begins with the oldest record" in it.notes[-1]


@pytest.mark.parametrize("damage", ["flipped", "cut", "garbage"])
async def test_a_damaged_memo_of_requests_costs_no_more_than_itself(tmp_path: Path, damage: str) -> None:
    async with Opened(tmp_path) as it:
        await it.append(*RECORDS)
        for name in it.readers:
            it.take(10, name)
    memo = min(name for name in contents(tmp_path) if name.endswith(".requests"))
    data = contents(tmp_path)[memo]
    changed = {"flipped": data[:9] + b"\xee" + data[10:], "cut": data[:7], "garbage": b"\x07" * 40}
    (tmp_path / memo).write_bytes(changed[damage])
    async with Opened(tmp_path) as it:
        held = {number for number in RECORDS if it.journal.holds(request(number))}
        assert held == set(RECORDS) - {1, 2, 3}


async def test_a_journal_of_a_newer_version_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    from spanmill.journal import format as format_module

    await make(tmp_path)
    path = segments(tmp_path)[-1]
    header = format_module.unpack_segment_header(path.read_bytes())
    assert header is not None
    format_module.FORMAT_VERSION = FORMAT_VERSION + 1
    try:
        newer = format_module.pack_segment_header(header)
    finally:
        format_module.FORMAT_VERSION = FORMAT_VERSION
    data = newer + path.read_bytes()[SEGMENT_HEADER_BYTES:]
    path.write_bytes(data)
    segments(tmp_path)[0].write_bytes(b"damaged")
    before = contents(tmp_path)
    with pytest.raises(StartError, match=r"written by a newer version of Spanmill: format 2, expected at most 1"):
        await Opened(tmp_path).start()
    assert contents(tmp_path) == before


Mutation = Callable[[random.Random, bytearray], None]


def _flip(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _zero(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice([1, 8, 64, 512, 4096]))
    data[start:end] = bytes(end - start)


def _scramble(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice([1, 8, 64, 512]))
    data[start:end] = chance.randbytes(end - start)


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def _lengthen(chance: random.Random, data: bytearray) -> None:
    data += chance.randbytes(chance.choice([1, 48, 5000]))


MUTATIONS: list[Mutation] = [_flip, _zero, _scramble, _cut, _lengthen]


def hit_records(path: Path, before: bytes, after: bytes) -> set[int]:
    """The numbers of the records of a segment of which a byte has changed."""
    ranges = {
        number: slice(start_of(number), start_of(number) + packed(number).kept_bytes)
        for number in RECORDS
        if (number - 1) // 3 * 3 + 1 == int(path.stem)
    }
    return {number for number, place in ranges.items() if before[place] != after[place]}


async def mutate(directory: Path, prepared: Path, seed: int) -> None:
    """One random mutation of one random file: afterwards at most what it hit is lost, and that is counted."""
    chance = random.Random(seed)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(prepared, directory)
    path = chance.choice([*segments(directory), directory / "cursors"])
    before = path.read_bytes()
    changed = bytearray(before)
    mutation = chance.choice(MUTATIONS)
    mutation(chance, changed)
    path.write_bytes(changed)
    hit = hit_records(path, before, bytes(changed)) if path.suffix == ".segment" else set()
    context = f"seed {seed}: {mutation.__name__} {path.name}"
    found, it = await open_three_times(directory)
    lost = set(RECORDS) - set(found)
    assert lost <= hit, context
    if lost - {RECORDS[-1]}:
        assert it.value("damaged_records") >= len(lost - {RECORDS[-1]}), context
    async with Opened(directory) as it:
        await it.append(11)
        assert readable(it) == ([*found, 11], 0), context


async def _mutate_all(tmp_path: Path, seeds: range, *, closed: bool) -> None:
    await make(tmp_path / "prepared", closed=closed)
    for seed in seeds:
        await mutate(tmp_path / "mutated", tmp_path / "prepared", seed)


@pytest.mark.parametrize("closed", [True, False])
async def test_a_random_mutation_of_a_file_costs_at_most_the_records_it_hits(tmp_path: Path, closed: bool) -> None:
    await _mutate_all(tmp_path, range(40), closed=closed)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("closed", [True, False])
async def test_ten_thousand_mutations_cost_at_most_the_records_they_hit(tmp_path: Path, closed: bool) -> None:
    await _mutate_all(tmp_path, range(100, 5_100), closed=closed)
