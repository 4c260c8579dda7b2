"""The log of decisions: what was appended is read again, whatever happens to its end."""

from pathlib import Path

import numpy as np
import pytest

from spanmill.disk import Disk
from spanmill.processors.tail_sampling.decision_log import DecisionLog
from spanmill.processors.tail_sampling.decisions import Entry, Pass, Scores, Snapshot


def ids(*numbers: int) -> np.ndarray:
    return np.array([(0, number) for number in numbers], np.uint64).reshape(-1, 2)


def snapshot(number: int = 0) -> Snapshot:
    return Snapshot(
        number, 5, "journal", ["errors"], {"bucket": 1.5}, ids(1), np.array([3], np.uint64), np.array([0], np.int16),
        ids(2), ids(3, 4), np.array([4, 5]), np.array([0.5, np.nan], np.float32), np.array([True, False]),
    )  # fmt: skip


def a_pass(number: int) -> Pass:
    return Pass(number, 7, ids(3, 4), np.array([0, 1], np.uint64), np.array([0, -1], np.int16), 1, 0, {"bucket": 0.5})


def scores() -> Scores:
    return Scores(ids(9), np.array([0.25], np.float32), np.array([True]))


def same(one: Entry, other: Entry) -> bool:
    return repr(one) == repr(other)


def written(directory: Path, *entries: Entry) -> Path:
    """A log with a snapshot and these entries; its file."""
    log = DecisionLog(directory)
    log.read()
    log.begin(snapshot())
    for entry in entries:
        log.append(entry)
    log.close()
    (path,) = directory.iterdir()
    return path


def test_a_log_gives_back_what_was_appended(tmp_path: Path) -> None:
    entries: list[Entry] = [a_pass(1), scores(), a_pass(2)]
    written(tmp_path / "log", *entries)
    found = DecisionLog(tmp_path / "log").read()
    assert all(same(one, other) for one, other in zip(found, [snapshot(), *entries], strict=True))


def test_a_log_that_is_cut_anywhere_gives_every_entry_before_the_cut(tmp_path: Path) -> None:
    whole, ends = written(tmp_path / "log", a_pass(1), scores()), list[int]()
    data = whole.read_bytes()
    for count in range(3):
        path = written(tmp_path / f"{count}", *list[Entry]([a_pass(1), scores()])[:count])
        ends.append(path.stat().st_size)
    for length in range(len(data)):
        whole.write_bytes(data[:length])
        log = DecisionLog(tmp_path / "log")
        found = log.read()
        assert len(found) == sum(length >= end for end in ends)
        assert not found or log.damaged_bytes == length - ends[len(found) - 1]


def test_no_flipped_bit_behind_the_snapshot_makes_an_entry_that_was_not_written(tmp_path: Path) -> None:
    path = written(tmp_path / "log", a_pass(1))
    data = path.read_bytes()
    begin = written(tmp_path / "other").stat().st_size
    for place in range(begin, len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert len(DecisionLog(tmp_path / "log").read()) == 1


def test_a_log_goes_on_under_its_identity_and_a_new_one_has_another(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "log")
    assert log.read() == []
    log.begin(snapshot())
    log.begin(snapshot(9))
    log.close()
    again = DecisionLog(tmp_path / "log")
    (entry,) = again.read()
    assert same(entry, snapshot(9))
    assert again.identity == log.identity
    other = DecisionLog(tmp_path / "other")
    other.read()
    assert other.identity != log.identity


class FullDisk(Disk):
    """Takes nothing once it is full."""

    full = False

    def write_at(self, descriptor: int, offset: int, parts: object) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().write_at(descriptor, offset, parts)  # type: ignore[arg-type]


def test_an_entry_that_the_disk_refused_can_be_appended_again(tmp_path: Path) -> None:
    disk = FullDisk()
    log = DecisionLog(tmp_path / "log", disk)
    log.read()
    log.begin(snapshot())
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        log.append(a_pass(1))
    disk.full = False
    log.append(a_pass(1))
    log.close()
    assert len(DecisionLog(tmp_path / "log").read()) == 2
