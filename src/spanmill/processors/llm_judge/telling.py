"""Puts out what was found: verdicts as log events, the judge's own calls as spans, those of a moment together.

A record for each would cost more than everything else that is done for a verdict.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from spanmill.batch import Batch
from spanmill.component import Outlet
from spanmill.errors import Busy
from spanmill.llm import evaluations
from spanmill.llm.evaluations import Evaluation
from spanmill.processors.llm_judge import own_calls
from spanmill.processors.llm_judge.book import JudgeBook
from spanmill.processors.llm_judge.own_calls import OwnCall
from spanmill.signal import Signal

_GATHER_SECONDS: Final = 1.0
"""A verdict waits so long for others. After a crash in this time its question is asked again."""


class Told(NamedTuple):
    """A verdict, or an attempt at one."""

    key: bytes
    """Of the question."""
    evaluation: Evaluation
    call: OwnCall | None
    """The call as it was made; None: there was none, or nobody wants to see it."""


class Teller:
    """Belongs to the event loop. Any number may wait in it."""

    def __init__(self, outlets: Mapping[Signal, Outlet], book: JudgeBook, most: Callable[[], int]) -> None:
        """`most`: how many may be told together. They do not wait for more when there are so many."""
        self._outlets, self._book, self._most = outlets, book, most
        self._waiting: list[Told] = []
        self._enough = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def holds(self, key: bytes) -> bool:
        """Whether the verdict of that question is out, as far as anybody remembers."""
        outlet = self._outlets.get(Signal.LOGS)
        return key in self._book.answered or (outlet is not None and outlet.holds(key))

    async def tell(self, told: Told) -> None:
        """Return when it is out and noted."""
        if self._task is None:
            self._enough.clear()
            self._task = asyncio.create_task(self._put_soon(), name="judge verdicts")
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)
        self._waiting.append(told)
        if len(self._waiting) >= self._most():
            self._enough.set()
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Put no more. Safe twice."""
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _put_soon(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                await self._enough.wait()
        group, self._waiting, self._task = self._waiting, [], None
        await self._put_all(group)

    async def _put_all(self, group: Sequence[Told]) -> None:
        keys = [told.key for told in group]
        logs, traces = self._outlets.get(Signal.LOGS), self._outlets.get(Signal.TRACES)
        if logs is not None:
            events = [told.evaluation for told in group]
            batch = await asyncio.to_thread(evaluations.batch_of, events, resource_attributes={})
            await _put(logs, batch, keys)
        self._book.answered.update(keys)
        with suppress(OSError):  # told by the next question, which has to be written before it is asked
            await self._book.save()
        calls = {told.key: told.call for told in group if told.call is not None}
        if traces is not None and calls:
            await _put(traces, await asyncio.to_thread(own_calls.batch_of, list(calls.values())), list(calls))


async def _put(outlet: Outlet, batch: Batch, digests: Sequence[bytes]) -> None:
    while True:
        try:
            await outlet.put(batch, *digests)
        except Busy as busy:
            await asyncio.sleep(busy.retry_after)
        else:
            return
