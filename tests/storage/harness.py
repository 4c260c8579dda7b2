"""A disk that fails or dies at a chosen operation, and batches at chosen times."""

import asyncio
import errno
import io
import os
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from spanmill.batch import Batch
from spanmill.component import Host
from spanmill.disk import Disk
from tests.data import START, batch_of, traces

NO_HOST = cast("Host", None)
"""Storage exporters ask nothing of the engine."""


class Crash(BaseException):
    """The process died here."""


def batch_at(nanoseconds: list[int]) -> Batch:
    """One span for each start time."""
    request = traces(len(nanoseconds))
    for span, start in zip(request.resource_spans[0].scope_spans[0].spans, nanoseconds, strict=True):
        span.start_time_unix_nano = start
    return batch_of(request)


class ManualClock:
    """Time passes when the test says so. It begins a day after the spans of `tests.data`."""

    def __init__(self) -> None:
        self.time = START / 1e9 + 24 * 3_600 - 10
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()
        self.time += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass without waking anybody."""
        self.time += seconds

    async def pass_interval(self) -> None:
        """Wait until somebody sleeps, wake them, and wait until they sleep again."""
        await self._asleep.wait()
        self._asleep.clear()
        self._wake.set()
        await self._asleep.wait()


def files_in(directory: Path, pattern: str = "*") -> list[Path]:
    """The files below a directory that match, sorted."""
    return sorted(path for path in directory.rglob(pattern) if path.is_file())


class BrokenDisk(Disk):
    """Counts operations once armed. The one numbered `fail_at` fails with ENOSPC; or the process dies there.

    `crash`: `before` the operation, or `after` it; every later operation dies too, as nothing runs in a dead process.
    """

    def __init__(self, fail_at: int | None = None, crash: str = "", last: int | None = None) -> None:
        self.fail_at, self.crash = fail_at, crash
        self.last = fail_at if last is None else last
        """Operations `fail_at` to `last` fail."""
        self.count: int | None = None
        self.steps: list[str] = []

    def arm(self) -> None:
        """Begin to count."""
        self.count = 0

    def _step(self, name: str, work: Any) -> Any:
        if self.count is None:
            return work()
        number, self.count = self.count, self.count + 1
        self.steps.append(name)
        if self.fail_at is None or self.last is None or number < self.fail_at:
            return work()
        if self.crash:
            if number == self.fail_at and self.crash == "after":
                done = work()
                if isinstance(done, io.IOBase):
                    done.close()
            raise Crash(name)
        if number > self.last:
            return work()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    def create(self, path: Path, mode: int = 0o666) -> BinaryIO:
        file = self._step(f"create {path.name}", lambda: super(BrokenDisk, self).create(path, mode))
        return cast("BinaryIO", _BrokenFile(self, file, path.name))

    def sync(self, file: BinaryIO) -> None:
        self._step("sync", lambda: super(BrokenDisk, self).sync(file))

    def rename(self, source: Path, target: Path) -> None:
        self._step(f"rename {target.name}", lambda: super(BrokenDisk, self).rename(source, target))

    def sync_directory(self, path: Path) -> None:
        self._step(f"sync directory {path.name}", lambda: super(BrokenDisk, self).sync_directory(path))

    def make_directory(self, path: Path, mode: int = 0o777) -> None:
        self._step(f"make directory {path.name}", lambda: super(BrokenDisk, self).make_directory(path, mode))

    def unlink(self, path: Path) -> None:
        self._step(f"unlink {path.name}", lambda: super(BrokenDisk, self).unlink(path))

    def remove_directory(self, path: Path) -> None:
        self._step(f"remove directory {path.name}", lambda: super(BrokenDisk, self).remove_directory(path))


class _BrokenFile:
    """A file whose writes are operations of the disk."""

    closed = False

    def __init__(self, disk: BrokenDisk, file: BinaryIO, name: str) -> None:
        self._disk, self._file, self._name = disk, file, name
        self._held = bytearray()
        self._size = 0

    def write(self, data: Any) -> int:
        self._held += data
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """As a buffered file: what was written goes to the disk in one operation."""
        held, self._held = bytes(self._held), bytearray()
        if held:
            self._disk._step(f"write {self._name}", lambda: self._file.write(held))
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
