"""Refuses new data while memory is short, before it is read and long before it is decoded.

What is measured is resident memory (RSS), as the operating system and a container's limit count it: Python has no
counter of live bytes as Go has, and most of what a batch occupies is held by Arrow outside Python's heap. RSS falls
later than the data goes; giving memory back when a limit is passed makes the difference small.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spanmill.available_memory import give_back, group_limit_bytes
from spanmill.component import Host
from spanmill.errors import Busy
from spanmill.otlp.weight import DECODED_PER_BYTE
from spanmill.telemetry.logs import Log
from spanmill.telemetry.process import resident_bytes

_MIB: Final = 1024 * 1024
_FRESH_SECONDS: Final = 0.1
"""What was read is good for so long: reading takes 20 microseconds, and a burst fills memory faster than any tick."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 4.0
_CALM_SECONDS: Final = 10.0
"""Under load memory is short every other second. It is said once, and that it is over when it has been for so long."""
_WORTHWHILE: Final = 0.05
"""Giving back that frees a smaller share is tried less and less often: it costs a pause of everything."""


class ShortOfMemory(Busy):
    """Refused because the process holds as much memory as it should."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes of resident memory. Above `soft` senders are refused that sent much lately; `hard` is what the process
    should never reach, and everybody is refused."""

    soft: int
    hard: int


class Watch:
    """Looks at the memory held and remembers when giving back was last worth it. No task and no clock of its own.

    `now` is in seconds of any steady clock.
    """

    def __init__(self, limits: Limits, read: Callable[[], float], give_back: Callable[[], None]) -> None:
        self.limits = limits
        self.held = 0.0
        """Bytes of resident memory when it was last read."""
        self._read, self._give_back = read, give_back
        self._read_at = self._gave_back = float("-inf")
        self._pause = _FIRST_PAUSE_SECONDS

    @property
    def is_short(self) -> bool:
        return self.held > self.limits.soft

    def glance(self, now: float) -> None:
        """Read again unless that was just done."""
        if now - self._read_at >= _FRESH_SECONDS:
            self.held, self._read_at = self._read(), now

    def is_due(self, now: float) -> bool:
        """Whether memory is short and giving back may help. Never twice within a second."""
        return self.is_short and now - self._gave_back >= self._pause

    def look(self, now: float) -> None:
        """Read, give back if that is due, and read again. Takes tens of milliseconds."""
        self.held, self._read_at = self._read(), now
        if self.is_due(now):
            before = self.held
            self._give_back()
            self.held = self._read()
            self._gave_back = now
            worthwhile = self.held < before * (1 - _WORTHWHILE)
            self._pause = _FIRST_PAUSE_SECONDS if worthwhile else min(self._pause * 2, _LONGEST_PAUSE_SECONDS)


class MemoryGuard:
    """Watches memory while it runs, and tells admission how much there is for requests.

    `start` and `stop` are called in pairs, by everybody who uses it.
    """

    def __init__(self, limits: Limits, log: Log, interval_seconds: float = 1.0) -> None:
        self.watch = Watch(limits, resident_bytes, give_back)
        self._interval = interval_seconds
        self._log = log
        self._host: Host | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._users = 0
        self._short_at = float("-inf")
        self._said = False

    def running(self, host: Host) -> "MemoryGuard":
        """The guard with these limits that runs already, or this one: memory need not be looked at twice."""
        guards = (room for room in host.admission.rooms if isinstance(room, MemoryGuard))
        return next((guard for guard in guards if guard.watch.limits == self.watch.limits), self)

    async def start(self, host: Host) -> None:
        self._users += 1
        if self._users == 1:
            self._host = host
            host.admission.rooms.append(self)
            await self._look()
            self._task = asyncio.create_task(self._run(), name="memory guard")

    async def stop(self) -> None:
        self._users -= 1
        if self._users == 0 and self._host is not None and self._task is not None:
            self._host.admission.rooms.remove(self)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        """Raises `ShortOfMemory` above the hard limit. Safe from any thread.

        For what was let in already: it is in memory, and between the limits the quickest way to be rid of it is to go
        on. To refuse it there would undo the work, have it sent again, and get nothing done at all.
        """
        if self.watch.held > self.watch.limits.hard:
            raise self._short(self.watch.limits.hard)

    def room_bytes(self, lately: float) -> float:
        """The bytes of requests that memory has room for, with all that decoding them takes.

        Raises `ShortOfMemory`: above the soft limit for senders that sent more than that lately, above the hard limit
        for all. On the event loop only.
        """
        now = time.monotonic()
        self.watch.glance(now)
        if self.watch.is_due(now):
            self._wanted.set()
        room = (self.watch.limits.hard - self.watch.held) / DECODED_PER_BYTE
        if self.watch.is_short and (room <= 0 or lately > room):
            raise self._short(self.watch.limits.soft)
        return max(0.0, room)

    def _short(self, limit: int) -> ShortOfMemory:
        held = round(self.watch.held / _MIB)
        return ShortOfMemory(
            f"memory is short: {held} MiB are in use, of {limit // _MIB} allowed", max(1.0, self._interval)
        )

    async def _run(self) -> None:
        assert self._host is not None
        try:
            while True:
                try:
                    async with asyncio.timeout(self._interval):
                        await self._wanted.wait()
                except TimeoutError:
                    pass
                self._wanted.clear()
                await self._look()
        except Exception as error:  # noqa: BLE001 - a guard that has stopped looking guards nothing
            self._host.report_fatal(error)

    async def _look(self) -> None:
        now = time.monotonic()
        await asyncio.to_thread(self.watch.look, now)
        values = {"held_mib": round(self.watch.held / _MIB), "soft_limit_mib": self.watch.limits.soft // _MIB}
        if self.watch.is_short:
            self._short_at = now
            if not self._said:
                self._log.warning("memory is short, data is refused", **values)
            self._said = True
        elif self._said and now - self._short_at >= _CALM_SECONDS:
            self._log.info("memory is free again, data is taken", **values)
            self._said = False


def guard_of_group(
    percentage: int, log: Log, group_limit: Callable[[], int | None] = group_limit_bytes
) -> MemoryGuard | None:
    """A guard for a percentage of this process's control group; None when it has no limit, or the percentage is 0."""
    limit = group_limit() if percentage else None
    if limit is None:
        return None
    allowed = limit * percentage // 100
    return MemoryGuard(Limits(allowed - allowed // 10, allowed), log)
