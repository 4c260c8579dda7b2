"""What exporters into stores have in common: taking the directory, writing in threads, upkeep in the background."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Position, Settings
from spanmill.disk import Disk, make_directories
from spanmill.errors import Busy, SpanmillError, StartError
from spanmill.lock import DirectoryInUse, DirectoryLock
from spanmill.signal import Signal
from spanmill.storage.parquet_file import FileOptions

_RETRY_AFTER_SECONDS = 5.0
"""After an error of the disk. A full disk seldom has room again at once."""
_T = TypeVar("_T")


class TableStore(Protocol):
    """Where the rows of one signal go."""

    def open(self) -> None: ...
    def committed(self, journal: str) -> int | None: ...
    def append(self, parts: Iterator[pa.Table], *positions: Position) -> None: ...


class StoreWriter:
    """One store for each signal under one directory; the asynchronous face of synchronous, blocking stores."""

    def __init__(self, directory: Path, stores: Mapping[Signal, TableStore], settings: Settings, disk: Disk) -> None:
        self._directory, self._stores, self._disk = directory, stores, disk
        self._name = f"{settings.kind.singular} {settings.id}"
        self._lock = DirectoryLock(directory)

    async def open(self) -> None:
        """Take the directory and read what is there. Raises `StartError`."""
        await asyncio.to_thread(self._open)

    def committed(self, journal: str, signal: Signal) -> int | None:
        """The last record of the journal whose rows are stored."""
        return self._stores[signal].committed(journal)

    async def append(self, batch: Batch, position: Position, options: FileOptions) -> None:
        """Store the rows. Raises `Busy` on an error of the disk."""
        store = self._stores[batch.signal]
        try:
            await run_whole(lambda: store.append(row_groups(batch, options), position))
        except OSError as error:
            raise Busy(f"{self._directory}: {error.strerror or error}", _RETRY_AFTER_SECONDS) from error

    def close(self) -> None:
        """Let another collector have the directory. Safe twice."""
        self._lock.release()

    def _open(self) -> None:
        try:
            make_directories(self._disk, self._directory)
            self._lock.acquire()
            for store in self._stores.values():
                store.open()
        except OSError as error:
            self.close()
            reason = f"{error.filename or self._directory}: {error.strerror or error}; it must be writable"
            raise StartError(self._name, reason) from error
        except (DirectoryInUse, SpanmillError) as error:
            self.close()
            raise StartError(self._name, str(error)) from error


def row_groups(batch: Batch, options: FileOptions) -> Iterator[pa.Table]:
    """The batch as it is stored, in parts of a row group each, converted one at a time: memory stays bounded."""
    if not len(batch):
        return
    step = options.rows_at_once(len(batch), batch.nbytes)
    for offset in range(0, len(batch), step):
        yield batch.slice(offset, step).stored()


async def run_whole(work: Callable[[], _T]) -> _T:
    """Run in a thread to the end, also when cancelled meanwhile: half a step is no state to stop in."""
    task: asyncio.Task[_T] = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody waits for it any more, and asyncio would complain of that
        raise
