"""Journals on disks that fail or die at a chosen operation, and batches that are known by a number."""

import asyncio
import errno
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from spanmill.batch import Batch
from spanmill.disk import Disk
from spanmill.journal import Packed, Reader, digest
from spanmill.journal import committer as committer_module
from spanmill.journal import disk as disk_module
from spanmill.journal.committer import Policy
from spanmill.journal.disk import DiskJournal, Limits
from spanmill.journal.stored import StoredBatch, store
from spanmill.names import PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.data import span_ids, spans
from tests.logs import CapturedLog
from tests.storage.harness import BrokenDisk, Crash

TRACES = PipelineId(Signal.TRACES)
SEGMENT_BYTES = 16 * 1024
"""Room for three batches of one span."""
MIB = 1024 * 1024


@cache
def batch(number: int) -> Batch:
    """One span with that id."""
    return spans(1, first=number)


def request(number: int) -> bytes:
    """The digest of the request that brought the span."""
    return digest("sender", str(number).encode())


@cache
def packed(number: int) -> StoredBatch:
    """The span as a journal keeps it, known by its request."""
    return store(batch(number), (request(number),))


class FaultyDisk(BrokenDisk):
    """A `BrokenDisk` with the operations of journals, whose errors may end.

    `crash`: also `in`, in the middle: half of what was to be written is. `torn`: an error also comes in the middle.
    Nothing is synced: a process that dies takes no page cache with it.
    """

    def __init__(
        self, fail_at: int | None = None, crash: str = "", last: int | None = None, error: int = errno.ENOSPC
    ) -> None:
        super().__init__(fail_at, crash, last)
        self.error = error
        self.crashed = threading.Event()
        self.on_crash: Callable[[], object] = lambda: None
        self._counting = threading.Lock()

    def _step(self, name: str, work: Callable[[], Any], half: Callable[[], Any] = lambda: None) -> Any:
        with self._counting:
            number = self.count
            if number is not None:
                self.count = number + 1
                self.steps.append(name)
        if number is None or self.fail_at is None or number < self.fail_at:
            return work()
        if self.crash:
            if number == self.fail_at and self.crash in {"after", "in"}:
                done = work() if self.crash == "after" else half()
                if name.startswith(("allocate", "create")):  # what a process had open is closed when it dies
                    _close(done)
            self.crashed.set()
            self.on_crash()
            raise Crash(name)
        if number > (self.last or 0):
            return work()
        half()
        raise OSError(self.error, os.strerror(self.error), name)

    def heal(self) -> None:
        """Whatever was the matter is gone."""
        self.fail_at = None

    def sync(self, file: Any) -> None:
        self._step("sync", file.flush)

    def sync_directory(self, path: Path) -> None:
        self._step(f"sync directory {path.name}", lambda: None)

    def allocate(self, path: Path, size: int) -> int:
        def half() -> int:
            return Disk.allocate(self, path, size // 2)

        descriptor: int = self._step(f"allocate {path.name}", lambda: Disk.allocate(self, path, size), half)
        return descriptor

    def write_at(self, descriptor: int, offset: int, parts: Sequence[memoryview]) -> None:
        data = b"".join(parts)

        def half() -> None:
            os.pwrite(descriptor, data[: len(data) // 2], offset)

        self._step("write at", lambda: Disk.write_at(self, descriptor, offset, parts), half)

    def sync_data(self, descriptor: int) -> None:
        self._step("sync data", lambda: None)

    def truncate(self, path: Path, size: int) -> None:
        self._step(f"truncate {path.name}", lambda: Disk.truncate(self, path, size))

    def free_bytes(self, path: Path) -> int:
        free: int = self._step("free bytes", lambda: Disk.free_bytes(self, path))
        return free


def _close(opened: object) -> None:
    if isinstance(opened, int):
        os.close(opened)
    elif isinstance(opened, io.IOBase):
        opened.close()


class Opened:
    """A journal on a directory, with its consumers. On a disk that does not sync, unless another is given."""

    def __init__(
        self, directory: Path, disk: Disk | None = None, consumers: Sequence[str] = ("one", "two"),
        policy: Policy | None = None, max_bytes: int = 64 * MIB, dedup_window: float = 600.0,
        pipeline: PipelineId = TRACES,
    ) -> None:  # fmt: skip
        self.metrics, self.log = Metrics(), CapturedLog()
        limits = Limits(max_bytes, dedup_window)
        self.journal = DiskJournal(
            directory, pipeline, limits, policy or Policy(SEGMENT_BYTES), self.metrics, self.log, disk or FaultyDisk()
        )
        self.readers: dict[str, Reader] = {name: self.journal.reader(name) for name in consumers}

    async def start(self) -> Self:
        await self.journal.start()
        return self

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.journal.stop()

    async def append(self, *numbers: int) -> None:
        """Append them one after the other."""
        for number in numbers:
            await self.journal.append(packed(number))

    def rest(self, consumer: str = "one") -> list[int]:
        """The numbers of all that the consumer has not read, each compared with what was appended."""
        found = []
        for record in iter(self.readers[consumer].read, None):
            loaded = record.load()
            number = span_ids(loaded)[0]
            assert loaded.records.equals(batch(number).records)
            found.append(number)
        return found

    def take(self, count: int, consumer: str) -> list[int]:
        """Read so many records and commit the last of them; their numbers."""
        reader, found, last = self.readers[consumer], [], 0
        for _ in range(count):
            record = reader.read()
            if record is None:
                break
            found += span_ids(record.load())
            last = record.sequence
        if last:
            reader.commit(last)
        return found

    async def tidied(self) -> bool:
        """Wait until the cursors are on the disk and what they have passed is gone; False when that fails."""
        journal, before = self.journal, self.journal._tidying
        journal._dirty.set()
        while journal._tidying is before or journal._tidying is None or not journal._tidying.done():
            await asyncio.sleep(0.0005)
        return journal._tidying.exception() is None and not journal._untidy

    def value(self, name: str) -> float:
        """What a counter or a gauge of the journal says."""
        full = f"spanmill_journal_{name}"
        return sum(reading.value or 0 for reading in self.metrics.read() if reading.definition.name == full)

    async def quiet(self) -> None:
        """Wait until nothing is written any more of what the start began."""
        while self.journal._tidying is None or not self.journal._tidying.done():
            await asyncio.sleep(0.001)

    @property
    def notes(self) -> list[str]:
        """What was said of damage when the journal was opened."""
        return [entry["what"] for entry in self.log.entries if "what" in entry]

    async def abandon(self) -> None:
        """See `die`."""
        await die(self.journal)


async def die(journal: DiskJournal) -> None:
    """As if its process had died: nothing is put in order any more, and nothing is left open."""
    if journal._keeper is not None:
        journal._keeper.cancel()
    for task in (journal._keeper, journal._tidying):
        if task is not None:  # what a thread has begun ends by itself
            with suppress(BaseException):
                await task
    committer = journal._committer
    if committer is not None:

        def let_go() -> None:
            active, committer._active = committer._active, None
            if active is not None:
                os.close(active.descriptor)

        committer._seal = let_go  # type: ignore[method-assign]
        await asyncio.to_thread(committer.close)
        let_go()
    journal._cursor_file.close()
    journal._keeper = None


def contents(directory: Path) -> dict[str, bytes]:
    """Every file of a journal."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def copies(directory: Path) -> list[Path]:
    """What is in the quarantine, sorted."""
    return sorted((directory / "quarantine").glob("*"))


def segments(directory: Path) -> list[Path]:
    """The segments, the oldest first."""
    return sorted(directory.glob("*.segment"))


@contextmanager
def hurried(reopen_seconds: float = 0.005) -> Iterator[None]:
    """Journals wait for nothing, and a thread that dies by a `Crash` says nothing."""
    said = threading.excepthook
    tidy, reopen = disk_module._TIDY_SECONDS, committer_module._REOPEN_SECONDS

    def say(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not Crash:
            said(args)

    threading.excepthook = say
    disk_module._TIDY_SECONDS, committer_module._REOPEN_SECONDS = 0.0, reopen_seconds
    try:
        yield
    finally:
        threading.excepthook = said
        disk_module._TIDY_SECONDS, committer_module._REOPEN_SECONDS = tidy, reopen


async def die_with(disk: FaultyDisk, work: Any) -> BaseException | None:
    """Run until it ends or the disk's process dies; what ended it."""
    loop, crashed = asyncio.get_running_loop(), asyncio.Event()
    disk.on_crash = lambda: loop.call_soon_threadsafe(crashed.set)
    task, death = asyncio.ensure_future(work), asyncio.create_task(crashed.wait())
    await asyncio.wait([task, death], return_when=asyncio.FIRST_COMPLETED)
    for each in (task, death):
        each.cancel()
    await asyncio.wait([task, death])
    if disk.crashed.is_set():
        return Crash()
    return None if task.cancelled() else task.exception()


__all__ = ["Crash", "FaultyDisk", "Opened", "Packed", "batch", "copies", "hurried", "packed", "request", "segments"]
