"""Spares an exporter that fails: after some failures in a row one attempt at a time, with a cool-down between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

FAILURES_TO_OPEN = 3
"""Failures in a row, of all deliveries of an exporter together, after which it is taken to be down."""


class Breaker:
    """What the deliveries of one exporter know together about how it is doing. Belongs to the event loop.

    Closed: everybody may call. Open: one delivery at a time waits for the end of the cool-down and calls (a probe);
    the others stand in line behind it. An answer closes it for all of them, a failure begins the next cool-down.
    """

    def __init__(self, failures_to_open: float = FAILURES_TO_OPEN) -> None:
        self._failures_to_open = failures_to_open
        self._failures = 0
        self._cool_at = 0.0
        """Event loop time of the end of the cool-down."""
        self._line = asyncio.Lock()
        self._changed = asyncio.Event()
        self.reason = ""
        """Of the last failure; empty when nothing has failed since the last answer."""
        self.failing_since: float | None = None
        """Event loop time of the first failure since the last answer."""

    @property
    def is_open(self) -> bool:
        """Whether the exporter is taken to be down."""
        return self._failures >= self._failures_to_open

    @property
    def cooling_seconds(self) -> float:
        """Until the next probe, 0 when none is waited for."""
        return max(0.0, self._cool_at - asyncio.get_running_loop().time()) if self.is_open else 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Wait until a call may be made, and hold the others back while it is a probe; gives whether it is one.

        Say `answered` or `failed` before leaving. One who was let through while it was closed may have to wait for
        something else and find it open by then: look again before calling.
        """
        if self.is_open:
            async with self._line:
                await self._cool_down()
                if self.is_open:
                    yield True
                    return
        yield False

    def answered(self) -> None:
        """The exporter delivered, or refused data for good: it is alive."""
        self._failures = 0
        self.failing_since, self.reason = None, ""
        self._changed.set()

    def failed(self, reason: str, wait_seconds: float) -> None:
        """The exporter could not be reached, or was busy; it is not to be called for so long."""
        now = asyncio.get_running_loop().time()
        self._failures += 1
        self._cool_at = now + wait_seconds
        if self.failing_since is None:
            self.failing_since = now
        self.reason = reason

    def hurry(self) -> None:
        """End the cool-down under way."""
        self._cool_at = 0.0
        self._changed.set()

    async def _cool_down(self) -> None:
        while seconds := self.cooling_seconds:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
