"""What happens to stores in the background: small files are put together, old rows and removed files are deleted."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from spanmill.config.storage import Compaction
from spanmill.storage.exporter import run_whole
from spanmill.storage.merge import Interrupted, choose, expired, merged_name, read_row_groups
from spanmill.storage.store import Store
from spanmill.telemetry.logs import Log


class Clock(Protocol):
    """The time, and waiting for it to pass."""

    def now(self) -> float:
        """Seconds since 1970."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The computer's own."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What a pass changed: numbers of files."""

    merged: int = 0
    expired: int = 0
    deleted: int = 0

    def __add__(self, other: "UpkeepReport") -> "UpkeepReport":
        return UpkeepReport(self.merged + other.merged, self.expired + other.expired, self.deleted + other.deleted)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a store is to be kept."""

    compaction: Compaction
    retention_seconds: float = 0.0
    """0: for ever."""

    def tend(self, store: Store, now: float, stop: threading.Event) -> UpkeepReport:
        """One pass over a store; blocks. Raises `OSError`, `Interrupted`; what is done by then stays done."""
        deleted = store.delete_removed(self.compaction.grace)
        old = expired(store.state, now - self.retention_seconds) if self.retention_seconds else []
        store.remove(old)
        return UpkeepReport(self._merge(store, now, stop), len(old), deleted)

    def _merge(self, store: Store, now: float, stop: threading.Event) -> int:
        compaction, merged = self.compaction, 0
        if not compaction.enabled:
            return 0
        target = compaction.target_size_mib << 20
        for files in choose(store.state, now, min_files=compaction.min_files, target_bytes=target):
            paths = [store.directory / file.path for file in files]
            rows = read_row_groups(paths, store.table, store.options, stop)
            store.rewrite(rows, merged_name(files), removed=files)
            merged += len(files)
        return merged


class Upkeep:
    """Calls `tend` in a thread, every so often. An error of the disk, or of one pass, waits for the next."""

    def __init__(
        self,
        tend: Callable[[threading.Event], UpkeepReport],
        interval_seconds: float,
        clock: Clock,
        log: Log,
    ) -> None:
        self._tend, self._interval, self._clock, self._log = tend, interval_seconds, clock, log
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first pass is one interval away."""
        self._task = asyncio.create_task(self._run(), name="storage upkeep")

    async def stop(self) -> None:
        """End, undoing a merge that is under way. Safe twice and without `start`."""
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def tend(self) -> UpkeepReport:
        """One pass, now. Raises what it meets."""
        return await run_whole(lambda: self._tend(self._stop))

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._interval)
            try:
                report = await self.tend()
            except Interrupted:
                return
            except OSError as error:
                self._log.warning("upkeep of stored files failed and is tried again", reason=str(error))
            except Exception as error:  # noqa: BLE001 - upkeep is no reason to stop receiving
                self._log.error("upkeep of stored files failed", exc_info=error)
            else:
                if report != UpkeepReport():
                    self._log.info(
                        "stored files were tidied",
                        merged=report.merged,
                        expired=report.expired,
                        deleted=report.deleted,
                    )
