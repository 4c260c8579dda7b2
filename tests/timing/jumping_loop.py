"""An event loop whose clock jumps: when nothing is to be done before the next timer, it is that time already.

For tests of long waits. Nothing waits in it but what the tests' own process does: no sockets.
"""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE_SECONDS = 1.0


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.threads = 0
        """Work in threads that is under way: while there is any, time stands still."""

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
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now

    def run_in_executor(  # type: ignore[override]  # the base class has type variables for the arguments
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future = super().run_in_executor(executor, func, *args)
        self.jumping.threads += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: "asyncio.Future[Any]") -> None:
        self.jumping.threads -= 1


@contextmanager
def time_stands_still() -> Iterator[None]:
    """While something is awaited that happens in a thread of its own. Without effect in other loops."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, JumpingLoop):
        yield
        return
    loop.jumping.threads += 1
    try:
        yield
    finally:
        loop.jumping.threads -= 1
