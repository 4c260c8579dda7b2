"""Dead letters: whole, private, bounded, and there once."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from spanmill.dead_letters import DeadLetters, Letter, letters, read_heading, read_letter
from spanmill.disk import Disk
from spanmill.errors import SpanmillError
from spanmill.signal import Signal
from tests.data import spans
from tests.storage.harness import BrokenDisk, files_in

LETTER = Letter(
    pipeline="traces/eu",
    exporter="otlp_http/vendor",
    signal=Signal.TRACES,
    reason="HTTP 400: no such tenant “x”",
    items=3,
    refused=2,
    journal="7f3a",
    first=4,
    last=6,
    time=1_760_000_000.25,
)


def kept(directory: Path, max_bytes: int = 1 << 20) -> DeadLetters:
    return DeadLetters(directory, max_bytes, Disk())


def size_of_one(directory: Path) -> int:
    kept(directory).put(spans(3), LETTER)
    return letters(directory)[0].stat().st_size


def test_a_letter_and_its_batch_come_back_as_they_were(tmp_path: Path) -> None:
    assert kept(tmp_path).put(spans(3), LETTER) == []
    (path,) = letters(tmp_path)
    assert path == tmp_path / "otlp_http%2Fvendor" / "20251009T085320.250000Z-7f3a-4-6.arrow"
    letter, batch = read_letter(path)
    assert letter == read_heading(path) == LETTER
    assert batch.signal is Signal.TRACES
    assert batch.records.equals(spans(3).records, check_metadata=True)


def test_letters_are_listed_oldest_first_over_all_exporters(tmp_path: Path) -> None:
    dead = kept(tmp_path)
    for second, exporter in ((3.0, "a"), (1.0, "b"), (2.0, "a")):
        dead.put(spans(1), replace(LETTER, exporter=exporter, time=second, first=int(second), last=int(second)))
    assert [read_heading(path).time for path in letters(tmp_path)] == [1.0, 2.0, 3.0]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    directory = tmp_path / "dead_letters"
    kept(directory).put(spans(1), LETTER)
    (path,) = letters(directory)
    assert [oct(p.stat().st_mode & 0o777) for p in (directory, path.parent, path)] == ["0o700", "0o700", "0o600"]


@pytest.mark.parametrize("restarted", [False, True])
def test_the_same_batch_put_twice_is_there_once(tmp_path: Path, restarted: bool) -> None:
    dead = kept(tmp_path)
    dead.put(spans(3), LETTER)
    (kept(tmp_path) if restarted else dead).put(spans(3), replace(LETTER, time=LETTER.time + 60))
    assert len(letters(tmp_path)) == 1


def test_the_oldest_go_first_when_there_is_no_more_room_and_are_named(tmp_path: Path) -> None:
    size = size_of_one(tmp_path / "measure")
    dead = kept(tmp_path / "dead", int(size * 2.5))
    gone = []
    for number in range(5):
        letter = replace(LETTER, first=number, last=number, time=LETTER.time + number)
        gone += [old.first for old in dead.put(spans(3), letter)]
        assert dead.held_bytes <= dead.max_bytes
    assert gone == [0, 1, 2]
    assert [read_heading(path).first for path in letters(dead.directory)] == [3, 4]


def test_the_bound_holds_over_restarts(tmp_path: Path) -> None:
    size = size_of_one(tmp_path)
    (gone,) = kept(tmp_path, int(size * 1.5)).put(spans(3), replace(LETTER, first=7, last=7))
    assert gone == LETTER


def test_a_letter_larger_than_all_room_is_not_kept_and_pushes_nothing_out(tmp_path: Path) -> None:
    kept(tmp_path).put(spans(1), LETTER)
    large = replace(LETTER, first=9, last=9)
    before = letters(tmp_path)
    assert kept(tmp_path, before[0].stat().st_size).put(spans(500), large) == [large]
    assert letters(tmp_path) == before


def test_with_no_room_at_all_nothing_is_written(tmp_path: Path) -> None:
    assert kept(tmp_path, 0).put(spans(1), LETTER) == [LETTER]
    assert files_in(tmp_path) == []


def test_the_last_record_in_letters_is_known_by_exporter_and_journal(tmp_path: Path) -> None:
    dead = kept(tmp_path)
    dead.put(spans(1), LETTER)
    dead.put(spans(1), replace(LETTER, first=7, last=12))
    dead.put(spans(1), replace(LETTER, journal="a7f3a", first=7, last=99))
    dead.put(spans(1), replace(LETTER, exporter="otlp_http", first=7, last=98))
    (tmp_path / "otlp_http%2Fvendor" / "notes.arrow").write_text("not a letter")
    assert kept(tmp_path).last("otlp_http/vendor", "7f3a") == 12
    assert kept(tmp_path).last("otlp_http/vendor", "0000") is None
    assert kept(tmp_path / "none").last("otlp_http/vendor", "7f3a") is None


def test_a_disk_that_fails_at_any_step_leaves_no_half_letter(tmp_path: Path) -> None:
    counting = BrokenDisk()
    counting.arm()
    DeadLetters(tmp_path / "count", 1 << 20, counting).put(spans(2), LETTER)
    for step in range(len(counting.steps)):
        directory, disk = tmp_path / str(step), BrokenDisk(fail_at=step)
        disk.arm()
        dead = DeadLetters(directory, 1 << 20, disk)
        with pytest.raises(OSError, check=lambda error: error.errno == errno.ENOSPC):
            dead.put(spans(2), LETTER)
        assert all(read_letter(path)[0] == LETTER for path in letters(directory))
        assert dead.put(spans(2), LETTER) == []
        assert len(files_in(directory)) == 1


def test_what_a_dead_process_left_unfinished_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "debug"
    folder.mkdir()
    (folder / ".20251009T085320Z-7f3a-1-1.arrow.tmp").write_bytes(b"half")
    assert letters(tmp_path) == []
    kept(tmp_path).put(spans(1), LETTER)
    assert files_in(tmp_path) == letters(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "foreign"])
def test_a_file_that_is_no_letter_is_named_in_the_error(tmp_path: Path, damage: str) -> None:
    kept(tmp_path).put(spans(1), LETTER)
    (path,) = letters(tmp_path)
    if damage == "foreign":
        with pa.ipc.new_file(str(path), pa.schema({"a": pa.int32()})) as writer:
            writer.write_batch(pa.record_batch({"a": pa.array([1], pa.int32())}))
    else:
        contents = {"empty": b"", "text": b"hello", "cut": path.read_bytes()[:-40]}[damage]
        path.write_bytes(contents)
    with pytest.raises(SpanmillError, match="not a dead letter, or damaged") as caught:
        read_letter(path)
    assert os.fspath(path) in str(caught.value)
