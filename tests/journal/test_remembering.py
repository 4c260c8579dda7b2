"""Requests that were appended lately: in memory, and on the disk once their segment is gone."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.disk import Disk
from spanmill.errors import Busy
from spanmill.journal import recent as recent_module
from spanmill.journal.memo import forget_memos, read_memos, write_memo
from spanmill.journal.recent import RecentRequests
from spanmill.journal.room import Room

DIGESTS = [bytes([number]) * 16 for number in range(8)]


class Clock:
    """`time.monotonic` as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_a_request_is_known_for_the_window_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, recent = Clock(monkeypatch), RecentRequests(60.0)
    recent.add(DIGESTS[:2])
    clock.now += 59
    recent.add(DIGESTS[2:3])
    assert all(digest in recent for digest in DIGESTS[:3])
    clock.now += 2
    assert [digest in recent for digest in DIGESTS[:3]] == [False, False, True]


def test_what_was_known_for_a_while_before_the_restart_is_known_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, recent = Clock(monkeypatch), RecentRequests(60.0)
    recent.add(DIGESTS[:1], age_seconds=61)
    recent.add(DIGESTS[1:2], age_seconds=50)
    assert [digest in recent for digest in DIGESTS[:2]] == [False, True]
    clock.now += 11
    assert DIGESTS[1] not in recent


def test_a_window_of_zero_remembers_nothing() -> None:
    recent = RecentRequests(0.0)
    recent.add(DIGESTS)
    assert not any(digest in recent for digest in DIGESTS)


def test_the_oldest_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_module, "MOST_REQUESTS", 4)
    recent = RecentRequests(60.0)
    for digest in DIGESTS:
        recent.add([digest])
    assert [digest in recent for digest in DIGESTS] == [False] * 4 + [True] * 4


GROUPS = st.lists(
    st.tuples(st.integers(0, 2**62), st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=4).map(tuple)),
    max_size=5,
)


@given(GROUPS)
def test_what_was_noted_of_a_segment_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, tuple[bytes, ...]]]
) -> None:
    directory = tmp_path_factory.mktemp("memo")
    write_memo(Disk(), directory / "1.segment", groups)
    assert [digests for _, digests in read_memos(Disk(), directory)] == [digests for _, digests in groups]


def test_every_cut_and_every_flipped_bit_makes_a_memo_worthless_and_not_wrong(tmp_path: Path) -> None:
    groups = [(time.time_ns(), tuple(DIGESTS[:2])), (time.time_ns(), tuple(DIGESTS[2:3]))]
    path = tmp_path / "1.requests"
    write_memo(Disk(), tmp_path / "1.segment", groups)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert read_memos(Disk(), tmp_path) == []
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert read_memos(Disk(), tmp_path) == []


def test_memos_go_when_they_are_too_old(tmp_path: Path) -> None:
    write_memo(Disk(), tmp_path / "1.segment", [(time.time_ns(), DIGESTS[:1])])
    forget_memos(Disk(), tmp_path, 600.0)
    assert [path.name for path in tmp_path.iterdir()] == ["1.requests"]
    os.utime(tmp_path / "1.requests", (0, 0))
    forget_memos(Disk(), tmp_path, 600.0)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.sampled_from(["take", "free"]), st.integers(1, 60)), max_size=40))
def test_no_more_is_held_than_there_is_room_for_but_for_one_that_is_larger_than_all(
    steps: list[tuple[str, int]],
) -> None:
    room, held = Room(50, 1.0), list[int]()
    for what, size in steps:
        if what == "free" and held:
            room.held_bytes -= held.pop(0)
        elif what == "take":
            try:
                room.reserve(size)
            except Busy:
                assert held
                continue
            held.append(size)
            room.held_bytes += size
        assert sum(held) <= 50 or len(held) == 1


def test_what_was_turned_away_goes_first() -> None:
    room = Room(100, 1.0)
    room.held_bytes = 60
    with pytest.raises(Busy):
        room.reserve(80)
    with pytest.raises(Busy):
        room.reserve(1)
    room.held_bytes = 20
    room.reserve(80)
    room.reserve(1)
