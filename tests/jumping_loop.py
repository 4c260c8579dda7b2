"""An event loop whose clock jumps: when nothing is to be done before the next timer, it is that time already.

For tests of long waits. Nothing waits in it but what the tests' own process does: no sockets.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

_PATIENCE_SECONDS = 1.0


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.threads = 0
        """Calls in the loop's executor that are under way: while there are any, time stands still."""

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(_PATIENCE_SECONDS if self.threads else 0)
        if not events and not self.threads:
            self.now += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """`time` begins at 1000 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]  # the base class has type variables for the arguments
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: "asyncio.Future[Any]") -> None:
        self._jumping.threads -= 1


class JumpingPolicy(asyncio.DefaultEventLoopPolicy):
    """For pytest-asyncio's fixture `event_loop_policy`."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return JumpingLoop()
