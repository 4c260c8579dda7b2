"""A disk that is full, read-only, or fails to sync: clear words, nothing acknowledged lost, recovery without hands."""

import asyncio
import errno
import os
import re
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from spanmill.config.models import Journal as JournalConfig
from spanmill.depositing import append
from spanmill.disk import Disk
from spanmill.errors import Busy, StartError
from spanmill.journal.committer import Policy
from spanmill.journal.directory import JournalDirectory, directory_name
from spanmill.names import PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.deliveries import until
from tests.garbage import frames_left
from tests.journal.harness import MIB, SEGMENT_BYTES, TRACES, FaultyDisk, Opened, hurried, packed, request, segments
from tests.logs import CapturedLog


@pytest.fixture(autouse=True)
async def _hurried() -> AsyncIterator[None]:
    with hurried():
        yield


@dataclass
class SmallDisk:
    """A file system of its own, or something like it where nobody may mount one."""

    path: Path
    disk: Disk
    fill: Callable[[], None]
    free: Callable[[], None]


class Pretended(FaultyDisk):
    """A disk that is full when a test says so."""

    full = False

    def allocate(self, path: Path, size: int) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return super().allocate(path, size)

    def create(self, path: Path, mode: int = 0o666) -> BinaryIO:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return super().create(path, mode)

    def free_bytes(self, path: Path) -> int:
        return 0 if self.full else 1 << 40


@contextmanager
def mounted(path: Path) -> Iterator[bool]:
    """A tmpfs of 1 MiB; False where this is not allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    allowed = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", str(path)], check=True)


@pytest.fixture(params=["mounted", "pretended"])
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    path = tmp_path / "small"
    with mounted(path) as allowed:
        if allowed and request.param == "mounted":
            ballast = path / "ballast"

            def fill() -> None:
                with ballast.open("wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(4096))
                    except OSError:
                        pass

            yield SmallDisk(path, Disk(), fill, ballast.unlink)
        else:
            disk = Pretended()
            yield SmallDisk(path, disk, lambda: setattr(disk, "full", True), lambda: setattr(disk, "full", False))


def refuses(it: Opened) -> bool:
    try:
        it.journal.reserve(0)
    except Busy:
        return True
    return False


async def append_until_refused(it: Opened, first: int) -> list[int]:
    taken: list[int] = []
    while (refused := await _refusal(it, first + len(taken))) is None:
        taken.append(first + len(taken))
    assert re.search("No space left|free on the disk", refused.reason)
    assert 0 < refused.retry_after <= 5
    return taken


async def _refusal(it: Opened, number: int) -> Busy | None:
    try:
        await it.append(number)
    except Busy as busy:
        return busy
    return None


async def test_a_full_disk_is_answered_with_busy_and_taken_up_again_when_there_is_room(small: SmallDisk) -> None:
    async with Opened(small.path / "journal", small.disk) as it:
        await it.append(1)
        small.fill()
        taken = [1, *await append_until_refused(it, 2)]
        await until(lambda: refuses(it))
        assert it.take(1, "two") == [1]
        assert await it.tidied()  # a full disk keeps no cursor from moving
        small.free()
        await until(lambda: not refuses(it))
        await it.append(90)
        assert it.rest() == [*taken, 90]
        assert it.value("write_failures") >= 1
        assert [entry["log_level"] for entry in it.log.entries] == ["error", "info"]
    async with Opened(small.path / "journal", small.disk) as it:
        assert (it.rest("one"), it.rest("two")) == ([*taken, 90], [*taken[1:], 90])


async def test_a_journal_that_fills_its_disk_starts_gives_out_what_it_has_and_makes_room(small: SmallDisk) -> None:
    async with Opened(small.path / "journal", small.disk) as it:
        await it.append(*range(1, 9))
    small.fill()
    async with Opened(small.path / "journal", small.disk) as it:
        await until(lambda: refuses(it))
        assert it.take(8, "one") == list(range(1, 9))
        assert it.take(8, "two") == list(range(1, 9))
        assert await it.tidied()
        if isinstance(small.disk, Pretended):
            small.free()
        await until(lambda: not refuses(it))
        await it.append(9)


async def test_a_new_journal_on_a_full_disk_says_what_is_wrong(small: SmallDisk) -> None:
    small.fill()
    it = Opened(small.path / "journal", small.disk)
    with pytest.raises(StartError, match=r"journal of pipeline traces: .*No space left on device; it must be writable"):
        await it.start()
    await it.journal.stop()


class Guarded(FaultyDisk):
    """A disk with so much room as a test says."""

    free = 100 * MIB

    def free_bytes(self, path: Path) -> int:
        return self.free


async def test_so_much_of_the_disk_stays_free_as_is_asked_for(tmp_path: Path) -> None:
    disk = Guarded()
    async with Opened(tmp_path, disk, policy=Policy(SEGMENT_BYTES, min_free_bytes=64 * MIB)) as it:
        await it.append(1)
        disk.free = 64 * MIB
        taken = await append_until_refused(it, 2)
        assert len(taken) == 2  # what the segment had room for
        await until(lambda: refuses(it))
        disk.free = 65 * MIB
        await until(lambda: not refuses(it))
        await it.append(9)
        assert it.rest() == [1, 2, 3, 9]


@contextmanager
def read_only(path: Path) -> Iterator[Path]:
    """A directory into which nothing can be written."""
    with mounted(path) as allowed:
        target = path / "journal"
        target.mkdir()
        if allowed:
            subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        else:
            target.chmod(0o500)
        yield target
        if not allowed:
            target.chmod(0o700)


@pytest.mark.parametrize("below", ["", "traces"])
async def test_a_directory_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path, below: str) -> None:
    with read_only(tmp_path / "disk") as directory:
        it = Opened(directory / below, Disk())
        with pytest.raises(
            StartError, match=r"journal of pipeline traces: .*(Read-only|Permission denied).*another place"
        ):
            await it.start()
        await it.journal.stop()


async def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    it = Opened(tmp_path / "file" / "journal", Disk())
    with pytest.raises(StartError, match=r"journal of pipeline traces: .*(Not a directory|File exists)"):
        await it.start()


def journals(directory: Path) -> tuple[JournalDirectory, CapturedLog]:
    log = CapturedLog()
    return JournalDirectory(JournalConfig(directory=str(directory)), Metrics(), log), log


async def test_a_second_collector_on_the_same_directory_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    first, _ = journals(tmp_path / "journal")
    second, _ = journals(tmp_path / "journal")
    await first.open()
    try:
        with pytest.raises(
            StartError, match=rf"service.journal: .*is in use by another collector .*process {os.getpid()}"
        ):
            await second.open()
    finally:
        first.close()
    await second.open()
    second.close()
    second.close()


async def test_data_of_a_pipeline_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = PipelineId(Signal.TRACES, "old")
    async with Opened(tmp_path / directory_name(gone), pipeline=gone) as it:
        await it.append(1)
    directory, log = journals(tmp_path)
    directory.journal(TRACES)
    await directory.open()
    directory.close()
    assert [entry["directory"] for entry in log.entries] == [str(tmp_path / "traces%2Fold")]


def test_names_of_directories_are_plain_short_and_different() -> None:
    names = ["", "a", "a/b", "../..", "x" * 300, "x" * 299 + "y", "é"]
    folders = [directory_name(PipelineId(Signal.TRACES, name)) for name in names]
    assert len(set(folders)) == len(names)
    assert all(len(folder) < 200 and "/" not in folder and folder not in {".", ".."} for folder in folders)


class Unsyncable(FaultyDisk):
    """A disk whose next sync fails; what was written is called clean then, as Linux does."""

    failing = 0

    def __init__(self) -> None:
        super().__init__()
        self.synced_after_failing: list[int] = []
        self._failed: set[int] = set()

    def sync_data(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if self.failing:
            self.failing -= 1
            self._failed.add(inode)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if inode in self._failed:
            self.synced_after_failing.append(inode)


async def test_after_a_failed_sync_nothing_is_acknowledged_from_that_file_again(tmp_path: Path) -> None:
    disk = Unsyncable()
    async with Opened(tmp_path, disk) as it:
        await it.append(1)
        await it.quiet()
        disk.failing = 1
        answers = await asyncio.gather(*(it.journal.append(packed(n)) for n in (2, 3)), return_exceptions=True)
        refused = [n for n, answer in zip((2, 3), answers, strict=True) if isinstance(answer, Busy)]
        assert refused
        assert not any(it.journal.holds(request(number)) for number in refused)
        await until(lambda: not refuses(it))
        for number in refused:
            assert await it.journal.append(packed(number))
        assert sorted(it.rest()) == [1, 2, 3]
        assert len(segments(tmp_path)) == 2
        assert disk.synced_after_failing == []
    async with Opened(tmp_path) as it:
        assert sorted(it.rest()) == [1, 2, 3]
        assert (it.value("damaged_records"), it.value("torn_bytes")) == (0, 0)


async def test_what_was_refused_is_not_read_even_where_it_could_not_be_cut_off(tmp_path: Path) -> None:
    class Stubborn(Unsyncable):
        def truncate(self, path: Path, size: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk = Stubborn()
    async with Opened(tmp_path, disk) as it:
        await it.append(1)
        await it.quiet()
        disk.failing = 1
        with pytest.raises(Busy):
            await it.append(2)
        await until(lambda: not refuses(it))
        await it.append(3)
    async with Opened(tmp_path) as it:
        assert it.rest() == [1, 3]


async def test_a_defect_while_writing_is_answered_and_does_not_stop_the_journal(tmp_path: Path) -> None:
    class Broken(FaultyDisk):
        broken = False

        def write_at(self, *arguments: object) -> None:
            if self.broken:
                raise ZeroDivisionError("a defect")
            super().write_at(*arguments)  # type: ignore[arg-type]

    disk = Broken()
    async with Opened(tmp_path, disk) as it:
        await it.quiet()
        disk.broken = True
        with pytest.raises(Busy, match="a defect"):
            await it.append(1)
        disk.broken = False
        await until(lambda: not refuses(it))
        await it.append(1)
        assert it.rest() == [1]


async def test_with_an_interval_the_disk_follows_also_under_constant_load(tmp_path: Path) -> None:
    disk = FaultyDisk()
    policy = Policy(64 * MIB, "interval", fsync_interval_seconds=0.01)
    async with Opened(tmp_path, disk, policy=policy, consumers=()) as it:
        disk.arm()
        ends = asyncio.get_running_loop().time() + 0.3

        async def send(first: int) -> None:
            number = first
            while asyncio.get_running_loop().time() < ends:
                await it.append(number % 50 + 1)
                number += 1

        await asyncio.gather(*(send(first) for first in range(8)))
        assert 3 <= disk.steps.count("sync data") <= 40


async def test_stopping_waits_for_the_cursors_that_are_being_written(tmp_path: Path) -> None:
    class Slow(FaultyDisk):
        under_way = most = 0

        def write_at(self, *arguments: object) -> None:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            entered.set()
            release.wait(0.2)
            super().write_at(*arguments)  # type: ignore[arg-type]
            self.under_way -= 1

    entered, release = threading.Event(), threading.Event()
    release.set()
    disk = Slow()
    it = await Opened(tmp_path, disk).start()
    await it.append(1, 2)
    await it.quiet()
    release.clear()
    entered.clear()
    disk.most = 0
    it.take(2, "one")
    await asyncio.to_thread(entered.wait, 2)
    await it.journal.stop()
    assert disk.most == 1
    async with Opened(tmp_path) as it:
        assert (it.rest("one"), it.rest("two")) == ([], [1, 2])


async def test_what_a_failing_disk_does_not_take_leaves_no_garbage(tmp_path: Path) -> None:
    disk = FaultyDisk()
    async with Opened(tmp_path, disk) as it:
        disk.count, disk.fail_at, disk.last = 0, 0, 10**9
        with frames_left() as left:
            for number in (1, 2, 3):  # the committer still has the last
                it.journal.note_trouble("")
                with pytest.raises(Busy, match="cannot be written"):
                    await append([(it.journal, packed(number))])
        assert left == []
        disk.heal()
