"""How many requests are under way, and how many begin in a minute: as many as the server bears.

Requests under way go by AIMD (RFC 5681's way with congestion): halved when the server asks for fewer, one more after
each round of answers, up to what is configured.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

_MINUTE: Final = 60.0


class Pace:
    """At most so many beginnings within any minute. Times are of any one clock, in seconds."""

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._ends: deque[float] = deque()
        """When a minute will have passed since each beginning: the one sum that both questions below compare with, so
        that no rounding lets one begin while another still counts."""

    def wait_seconds(self, now: float) -> float:
        """Until one more may begin; 0: now."""
        while self._ends and self._ends[0] <= now:
            self._ends.popleft()
        if self._per_minute is None or len(self._ends) < self._per_minute:
            return 0.0
        return self._ends[0] - now

    def begin(self, now: float) -> None:
        """One begins."""
        if self._per_minute is not None:
            self._ends.append(now + _MINUTE)


class Rates:
    """Belongs to the event loop."""

    def __init__(self, most: int, per_minute: int | None = None) -> None:
        """`most`: requests under way."""
        self._most, self._limit = most, float(most)
        self._pace = Pace(per_minute)
        self._under_way = 0
        self._paused_until = 0.0
        """Event loop time."""
        self._lowered_at = -1.0
        self._line = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        """Requests that may be under way."""
        return int(self._limit)

    @property
    def under_way(self) -> int:
        """Requests that are."""
        return self._under_way

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Wait until a request may begin, first come first served; gives when it began."""
        async with self._line:
            while (seconds := self._wait_seconds()) is None or seconds > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._changed.wait()
            began = _now()
            self._pace.begin(began)
            self._under_way += 1
        try:
            yield began
        finally:
            self._under_way -= 1
            self._changed.set()

    def answered(self) -> None:
        """The server answered: it may bear more."""
        self._limit = min(float(self._most), self._limit + 1 / self._limit)
        self._changed.set()

    def throttled(self, began: float, pause_seconds: float) -> None:
        """The server asked for fewer, in answer to a request that began then; none begins for so long.

        Of all requests that were under way together the first such answer halves, the others say the same thing.
        """
        now = _now()
        self._paused_until = max(self._paused_until, now + pause_seconds)
        if began > self._lowered_at:
            self._limit = max(1.0, self._limit / 2)
            self._lowered_at = now

    def _wait_seconds(self) -> float | None:
        """0: now. None: until something changes."""
        if self._under_way >= self.limit:
            return None
        now = _now()
        return max(0.0, self._paused_until - now, self._pace.wait_seconds(now))


def _now() -> float:
    return asyncio.get_running_loop().time()
