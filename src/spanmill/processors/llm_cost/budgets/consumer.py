"""Budgets as a consumer of the journals: counts every call once, whatever crashes in between.

The sums and the position in the journal that they include are written as one file before the journal's cursor moves,
and after a start `committed` answers from that file.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.disk import Disk
from spanmill.errors import Busy, StartError
from spanmill.periods import SLOT_SECONDS, Calendar, Period
from spanmill.processors.llm_cost.budgets.book import Book
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.budgets.counting import Calls, Scope, calls_of, spendings
from spanmill.processors.llm_cost.budgets.gauges import Gauges
from spanmill.processors.llm_cost.budgets.notifier import Notifier
from spanmill.processors.llm_cost.budgets.tally import (
    EARLY_SECONDS,
    Ledger,
    Notice,
    NoticeKey,
    NoticeState,
    Sums,
    Tally,
)
from spanmill.processors.llm_cost.budgets.thresholds import Thresholds, periods_by_label
from spanmill.signal import Signal

_PREFERENCE: Final = BatchPreference(min_items=50_000, max_age_seconds=1.0)
"""The state file is written for each batch: once a second does."""
_RETRY_AFTER_SECONDS: Final = 1.0

Notices = dict[NoticeKey, Notice]


class _Counted(NamedTuple):
    """What counting a batch gave, beside the new tally."""

    reached: Notices
    overflowed: dict[str, int]
    """Calls by label that were summed up as `other`."""
    late: int
    early: int
    """Calls in no period that is kept."""


_NOTHING_COUNTED: Final = _Counted({}, {}, 0, 0)


class BudgetConsumer:
    """Implements `component.Exporter`, for the journals of all pipelines that the processor stands in."""

    def __init__(
        self, config: Budgets, settings: Settings, clock: Callable[[], float] = time.time, disk: Disk | None = None
    ) -> None:
        """`clock`: seconds since 1970."""
        directory = config.directory or settings.state_directory / "budgets" / quote(str(settings.id), safe="")
        self._config, self._settings, self._clock = config, settings, clock
        self._calendar = Calendar(config.timezone)
        periods = periods_by_label(config)
        self._labels = tuple(periods)
        self._ledger = Ledger(self._calendar, periods, config.max_values)
        self._thresholds = Thresholds(config, self._calendar)
        self._name = f"{settings.kind.singular} {settings.id}"
        self._book = Book(Path(directory), self._name, settings.log, disk)
        self._notifier: Notifier | None = None
        self._pruned = 0

    def preference(self, signal: Signal) -> BatchPreference:
        return _PREFERENCE

    async def start(self, host: Host) -> None:
        await self._book.open()
        try:
            await self._change(self._resume)
        except Busy as busy:
            raise StartError(self._name, busy.reason) from busy
        Gauges(self._config, self._calendar, lambda: self._book.tally, self._clock).register(self._settings.metrics)
        if self._config.webhook is not None:
            self._notifier = Notifier(
                self._config.webhook, self._config, self._book, self._settings.log, self._count_notice,
                calendar=self._calendar, clock=self._clock,
            )  # fmt: skip
            self._notifier.start()

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self._book.tally.positions.get(journal)

    async def export(self, batch: Batch, position: Position) -> None:
        await self._change(partial(self._count, batch, position))

    async def stop(self) -> None:
        try:
            if self._notifier is not None:
                await self._notifier.stop()
        finally:
            self._book.close()

    async def _change(self, change: Callable[[Tally], tuple[Tally, _Counted]]) -> None:
        """Raises `Busy` on an error of the disk."""
        try:
            counted = await self._book.change(change)
        except OSError as error:
            raise Busy(
                f"the state of budgets cannot be written: {error.strerror or error}", _RETRY_AFTER_SECONDS
            ) from error
        metrics = self._settings.metrics
        for label, calls in counted.overflowed.items():
            metrics.counter("llm_budget_overflowed_calls", label=label).add(calls)
        for reason, calls in (("late", counted.late), ("early", counted.early)):
            if calls:
                metrics.counter("llm_budget_ignored_calls", reason=reason).add(calls)
        self._announce(counted.reached)

    # In a thread.

    def _count(self, batch: Batch, position: Position, tally: Tally) -> tuple[Tally, _Counted]:
        now = self._clock()
        calls = calls_of(batch, now) if position.last > tally.positions.get(position.journal, 0) else None
        if calls is None:
            return tally, _NOTHING_COUNTED
        first = int(self._ledger.first_moment(now) // SLOT_SECONDS)
        last = int((now + EARLY_SECONDS) // SLOT_SECONDS)
        tally = self._pruned_hourly(tally, now)
        changed, overflowed = dict[Scope, Sums](), dict[str, int]()
        for label in self._labels:
            added = self._ledger.add(tally, spendings(calls, [label], first, last), now)
            tally = added.tally
            changed |= added.changed
            if added.overflowed:
                overflowed[label] = added.overflowed
        reached = self._reached(tally, changed, now)
        return tally.at(position).with_notices(reached), _Counted(reached, overflowed, *_outside(calls, first, last))

    def _resume(self, tally: Tally) -> tuple[Tally, _Counted]:
        """What the last run left undone, and what other limits mean for what was spent."""
        now = self._clock()
        tally = self._pruned_hourly(tally, now)
        left, told = {}, NoticeState.SETTLED
        for key, notice in tally.notices.items():
            if notice.state is NoticeState.TRYING:
                left[key] = Notice(told, notice.limit)
                self._settings.log.warning(
                    "whether a notification of a budget was sent is not known", budget=key.budget
                )
                self._count_notice(key.budget, "in_doubt")
            elif notice.state is not told and (key.budget not in self._config.limits or not self._config.webhook):
                left[key] = Notice(told, notice.limit)
        tally = tally.with_notices(left)
        reached = self._reached(tally, tally.scopes, now)
        return tally.with_notices(reached), _Counted(reached, {}, 0, 0)

    def _reached(self, tally: Tally, sums: Mapping[Scope, Sums], now: float) -> Notices:
        """The thresholds that are reached; those that nobody is to be called for are settled already."""
        reached = self._thresholds.reached(tally, sums)
        told = NoticeState.SETTLED
        return {
            key: notice._replace(state=told)
            if not self._config.webhook or self._thresholds.is_late(key, now)
            else notice
            for key, notice in reached.items()
        }

    def _pruned_hourly(self, tally: Tally, now: float) -> Tally:
        hour = self._calendar.current(Period.HOUR, now)
        if hour == self._pruned:
            return tally
        self._pruned = hour
        return self._ledger.pruned(tally, now)

    # On the event loop.

    def _announce(self, reached: Notices) -> None:
        for key, notice in reached.items():
            self._settings.log.warning(
                "a share of a budget is spent",
                budget=key.budget, period=key.period.value, of=self._calendar.describe(key.period, key.start),
                scope=key.value, percent=key.threshold, limit_usd=notice.limit / 1e9,
            )  # fmt: skip
            if self._config.webhook is not None and notice.state is NoticeState.SETTLED:
                self._count_notice(key.budget, "late")
        if reached and self._notifier is not None:
            self._notifier.wake()

    def _count_notice(self, budget: str, result: str) -> None:
        self._settings.metrics.counter("llm_budget_notifications", budget=budget, result=result).add()


def _outside(calls: Calls, first: int, last: int) -> tuple[int, int]:
    return int((calls.slots < first).sum()), int((calls.slots > last).sum())
