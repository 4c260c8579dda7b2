"""Tells what is due to be told, one notice after the other, beside the counting.

Over restarts a notice is told at most once: that it is being told is on the disk before the first request begins, and
a request whose outcome a crash has hidden is not made again. Unless those before it had failed: more likely than not
that one failed too, and nobody has been told.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from spanmill.config.webhook import GIVE_UP_SECONDS, Webhook
from spanmill.net.webhook import Answer, Poster, Result
from spanmill.periods import Calendar
from spanmill.processors.llm_cost.budgets.book import Book
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.budgets.counting import Scope
from spanmill.processors.llm_cost.budgets.message import message
from spanmill.processors.llm_cost.budgets.tally import Notice, NoticeKey, NoticeState, Tally
from spanmill.retrying import Retrying
from spanmill.telemetry.logs import Log

_STOP_SECONDS: Final = 5.0
"""How long what is due may take to be told when the daemon stops. The rest is told after the next start."""

_TO_TELL: Final = frozenset({NoticeState.DUE, NoticeState.FAILING})

Count = Callable[[str, str], None]
"""Takes a budget's name and what became of a notice of it: sent, failed, ..."""


class Notifier:
    """Belongs to the event loop."""

    def __init__(
        self, webhook: Webhook, budgets: Budgets, book: Book, log: Log, count: Count, *,
        calendar: Calendar, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """`clock`: seconds since 1970."""
        self._webhook, self._budgets, self._calendar, self._clock = webhook, budgets, calendar, clock
        self._book, self._log, self._count = book, log, count
        retry = webhook.retry_on_failure
        if retry.max_elapsed_time is None:
            retry = retry.model_copy(update={"max_elapsed_time": GIVE_UP_SECONDS})
        self._retrying = Retrying(retry, durable=False)
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""

    def start(self) -> None:
        """Begin with what is due."""
        self._task = asyncio.create_task(self._run(), name="budget notices")

    def wake(self) -> None:
        """More may be due."""
        self._woken.set()

    async def stop(self) -> None:
        """Try once more what is due, for a moment. Safe twice, and without `start`."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping.set()
        self.wake()
        try:
            await asyncio.wait([task], timeout=_STOP_SECONDS)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        poster = Poster(self._webhook)
        try:
            while True:
                self._woken.clear()
                due = self._next()
                if due is not None:
                    await self._tell(poster, *due)
                left = self._next()
                if self._stopping.is_set() and (left is None or (due is not None and due[0] == left[0])):
                    return
                if due is None:
                    await self._woken.wait()
        finally:
            await poster.close()

    def _next(self) -> tuple[NoticeKey, Notice] | None:
        notices = self._book.tally.notices.items()
        return next(((key, notice) for key, notice in notices if notice.state in _TO_TELL), None)

    async def _tell(self, poster: Poster, key: NoticeKey, notice: Notice) -> None:
        """Try until it is told or given up; when stopping, leave it due after one attempt more."""
        retrying = self._retrying
        retrying.restart()
        retrying.begin()
        while (answer := await self._attempt(poster, key, notice)).result is Result.FAILED and retrying.enabled:
            retrying.back_off(answer.retry_after_seconds)
            if retrying.too_late or self._stopping.is_set():
                break
            if answer.reason != self._complaint:
                self._log.warning("a notification of a budget failed and is tried again", reason=answer.reason)
            self._complaint = answer.reason
            await self._rest(retrying.wait_seconds)
        if answer.result is Result.TOLD:
            self._complaint = ""
            await self._settle(key, notice, "sent")
        elif answer.result is Result.REFUSED or not retrying.enabled or retrying.too_late:
            self._log.error("a notification of a budget is given up", budget=key.budget, reason=answer.reason)
            await self._settle(key, notice, "failed")

    async def _attempt(self, poster: Poster, key: NoticeKey, notice: Notice) -> Answer:
        """One request, and on the disk how far the notice is with it."""
        known = self._book.tally.notices.get(key, notice)
        if known.state is NoticeState.DUE and not await self._mark(key, notice.limit, NoticeState.TRYING):
            return Answer(Result.FAILED, "the state file cannot be written")
        scope = Scope(self._budgets.limits[key.budget].label, key.value)
        spent = self._book.tally.spent(scope, key.period, key.start)
        text = message(self._budgets, self._calendar, key, notice, spent, self._clock())
        try:
            answer = await poster.post(text, _identity(key, notice))
        except asyncio.CancelledError:  # the daemon stops: that is all the time there was for an answer
            await self._mark(key, notice.limit, NoticeState.FAILING)
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not end the telling of others
            answer = Answer(Result.REFUSED, type(error).__name__)
        if answer.result is Result.FAILED:
            await self._mark(key, notice.limit, NoticeState.FAILING)
        return answer

    async def _settle(self, key: NoticeKey, notice: Notice, result: str) -> None:
        self._count(key.budget, result)
        await self._mark(key, notice.limit, NoticeState.SETTLED)

    async def _mark(self, key: NoticeKey, limit: int, state: NoticeState) -> bool:
        """Whether it is on the disk how far the notice is. One that has another limit by now is another notice."""

        def change(tally: Tally) -> tuple[Tally, None]:
            known = tally.notices.get(key)
            same = known is not None and known.limit == limit and known.state is not state
            return (tally.with_notices({key: Notice(state, limit)}) if same else tally), None

        try:
            await self._book.change(change)
        except OSError as error:
            self._log.warning("the state of budgets cannot be written", reason=error.strerror or str(error))
            return False
        return True

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _identity(key: NoticeKey, notice: Notice) -> str:
    """Names the notice in every attempt at it."""
    return hashlib.sha256("\0".join(map(str, (*key, notice.limit))).encode()).hexdigest()[:32]
