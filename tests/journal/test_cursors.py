"""The file of cursors: what was written last is read, however the next write ends."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.disk import Disk
from spanmill.errors import SpanmillError
from spanmill.journal.cursors import NAME, SLOT_BYTES, CursorFile, Cursors
from tests.journal.harness import Crash, FaultyDisk

OLD, NEW = Cursors("a" * 32, {"traces>parquet": 41, "traces>duckdb": 7}), Cursors("a" * 32, {"traces>parquet": 42})


def write(directory: Path, *cursors: Cursors, disk: Disk | None = None) -> None:
    """As one run of the daemon does."""
    file = CursorFile(disk or Disk(), directory)
    file.read()
    try:
        for each in cursors:
            file.write(each)
    finally:
        file.close()


def read(directory: Path) -> Cursors | None:
    return CursorFile(Disk(), directory).read()


def test_there_are_no_cursors_where_there_is_no_file(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@given(st.lists(st.dictionaries(st.text(max_size=40), st.integers(0, 2**63 - 1), max_size=5), min_size=1, max_size=6))
def test_what_was_written_last_is_read(tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, int]]) -> None:
    directory = tmp_path_factory.mktemp("cursors")
    for done in written:
        write(directory, Cursors("b" * 32, done), disk=FaultyDisk())
        assert read(directory) == Cursors("b" * 32, done)


def test_a_write_that_is_cut_off_after_any_byte_leaves_what_was_there_or_what_was_meant(tmp_path: Path) -> None:
    write(tmp_path, OLD, OLD)
    path = tmp_path / NAME
    before = path.read_bytes()
    write(tmp_path, NEW)
    after = path.read_bytes()
    changed = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert max(changed) - min(changed) < SLOT_BYTES
    for cut in range(min(changed), max(changed) + 2):
        path.write_bytes(after[:cut] + before[cut:])
        assert read(tmp_path) == (NEW if after[:cut] + before[cut:] == after else OLD)
        path.write_bytes(before[:cut] + after[cut:])
        assert read(tmp_path) in (OLD, NEW)


def test_every_bit_that_flips_costs_at_most_the_newest_state(tmp_path: Path) -> None:
    write(tmp_path, OLD, NEW)
    path = tmp_path / NAME
    data = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for at in [*range(110), *range(SLOT_BYTES, SLOT_BYTES + 110)]:
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([data[at] ^ 1 << bit]), at)
                assert read(tmp_path) in (OLD, NEW)
            os.pwrite(file.fileno(), data[at : at + 1], at)


def test_a_crash_while_the_file_is_made_anew_leaves_the_old_one(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[: 2 * SLOT_BYTES - 1])
    for at in range(8):
        for crash in ("before", "in", "after"):
            disk = FaultyDisk(at, crash=crash)
            disk.arm()
            with suppress(Crash):
                write(tmp_path, NEW, disk=disk)
            assert read(tmp_path) in (OLD, NEW)
            write(tmp_path, OLD)
            path.write_bytes(path.read_bytes()[: 2 * SLOT_BYTES - 1])


def test_after_a_failed_write_what_was_there_still_counts_and_the_next_write_works(tmp_path: Path) -> None:
    for at in range(2):
        write(tmp_path, OLD, OLD)
        disk = FaultyDisk(at)
        file = CursorFile(disk, tmp_path)
        file.read()
        disk.arm()
        with pytest.raises(OSError, match="No space"):
            file.write(NEW)
        assert read(tmp_path) in (OLD, NEW)
        file.write(NEW)
        assert read(tmp_path) == NEW
        file.close()


def test_the_file_is_private_and_never_grows_once_it_is_there(tmp_path: Path) -> None:
    write(tmp_path, NEW)
    path = tmp_path / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    size, inode = path.stat().st_size, path.stat().st_ino
    write(tmp_path, *[OLD] * 20)
    assert (path.stat().st_size, path.stat().st_ino) == (size, inode) == (2 * SLOT_BYTES, inode)


def test_more_consumers_than_fit_are_refused_in_plain_words(tmp_path: Path) -> None:
    done = {"x" * 100 + str(number): 1 for number in range(700)}
    with pytest.raises(SpanmillError, match="the names of 700 consumers do not fit"):
        write(tmp_path, Cursors("a" * 32, done))
