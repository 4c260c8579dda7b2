"""What was spent, as one immutable value: sums by scope and period, what was told of them, and what they include."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from spanmill.component import Position
from spanmill.periods import Calendar, Period
from spanmill.processors.llm_cost.budgets.counting import Amount, Scope, Spending

KEPT_SECONDS: Final = 49 * 3600
"""How long a period is kept behind its end: for calls that are told late, clocks that are set back, and the growth from
one day to the next."""
EARLY_SECONDS: Final = 24 * 3600
"""How far ahead of ours a sender's clock may be; beyond it a call is not counted."""
OTHER: Final = "other"
"""The value under which everything is summed up that finds no place any more."""
NOTHING: Final = Amount(0, 0)
_MOST_JOURNALS: Final = 100
"""Positions that are remembered, the latest used. Each run with a journal in memory adds one."""

Sums = Mapping[tuple[Period, int], Amount]
"""By period and its first second."""
_EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})


class NoticeKey(NamedTuple):
    """What is told at most once: that a share of a limit is spent."""

    budget: str
    period: Period
    start: int
    """The period's first second."""
    value: str
    """Of the budget's column; empty for one without."""
    threshold: int
    """Percent."""


class NoticeState(StrEnum):
    """How far the telling is."""

    DUE = "due"
    """Nobody has been told."""
    TRYING = "trying"
    """The first request was begun, and its outcome is not known."""
    FAILING = "failing"
    """A request was not taken, or not answered; others may be under way."""
    SETTLED = "settled"
    """Told, or given up."""


class Notice(NamedTuple):
    """What became of a threshold that was reached."""

    state: NoticeState
    limit: int
    """That it is a share of, in billionths of a USD. The threshold of another limit is another threshold."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything that the state file holds."""

    scopes: Mapping[Scope, Sums] = field(default_factory=lambda: _EMPTY)
    notices: Mapping[NoticeKey, Notice] = field(default_factory=lambda: _EMPTY)
    positions: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """By journal the last record that the sums include, the journal used longest ago first."""

    def spent(self, scope: Scope, period: Period, start: int) -> Amount:
        """What was spent in a period."""
        sums: Sums = self.scopes.get(scope, _EMPTY)
        return sums.get((period, start), NOTHING)

    def at(self, position: Position) -> "Tally":
        """The same, and the records of the position are included."""
        positions = {journal: last for journal, last in self.positions.items() if journal != position.journal}
        positions[position.journal] = max(position.last, self.positions.get(position.journal, 0))
        return replace(self, positions=dict(list(positions.items())[-_MOST_JOURNALS:]))

    def with_notices(self, notices: Mapping[NoticeKey, Notice]) -> "Tally":
        """The same with these notices instead of, or beside, those there are."""
        return replace(self, notices={**self.notices, **notices}) if notices else self


class Added(NamedTuple):
    """What adding spendings gives."""

    tally: Tally
    changed: Mapping[Scope, Sums]
    """The new sums, where they are others than before."""
    overflowed: int
    """Calls that were summed up as `OTHER` for want of room."""


class Ledger:
    """How spendings are added up: which periods of a label are kept, and for how long."""

    def __init__(self, calendar: Calendar, periods: Mapping[str, frozenset[Period]], max_values: int) -> None:
        """`periods`: by label those that are summed up."""
        self._calendar, self._periods, self._max_values = calendar, periods, max_values

    def add(self, tally: Tally, spendings: Iterable[Spending], now: float) -> "Added":
        """The tally with the spendings in it."""
        scopes, changed = dict(tally.scopes), dict[Scope, dict[tuple[Period, int], Amount]]()
        room, overflowed = self._room(scopes), 0
        kept = cache(partial(self._kept, now=now))
        for spending in spendings:
            scope, amount = spending.scope, spending.amount
            keys = kept(scope.label, spending.slot)
            if not keys:
                continue
            if scope not in scopes and scope not in changed and not self._take(room, scope):
                overflowed += spending.calls
                scope = Scope(scope.label, OTHER)
            before: Sums = scopes.get(scope, _EMPTY)
            sums = changed.setdefault(scope, {})
            for key in keys:
                sums[key] = sums.get(key, before.get(key, NOTHING)).plus(amount)
        for scope, sums in changed.items():
            scopes[scope] = {**scopes.get(scope, _EMPTY), **sums}
        return Added(replace(tally, scopes=scopes), changed, overflowed)

    def pruned(self, tally: Tally, now: float) -> Tally:
        """Without the sums that nobody asks for any more, and what was told of them."""
        scopes = {}
        for scope, sums in tally.scopes.items():
            wanted = self._periods.get(scope.label, frozenset())
            kept = {key: amount for key, amount in sums.items() if key[0] in wanted and self._is_kept(*key, now)}
            if kept:
                scopes[scope] = kept
        notices = {key: notice for key, notice in tally.notices.items() if self._is_kept(key.period, key.start, now)}
        return replace(tally, scopes=scopes, notices=notices)

    def first_moment(self, now: float) -> int:
        """When the oldest period begins that is kept."""
        return min(self._calendar.current(period, now - KEPT_SECONDS) for period in Period)

    def _kept(self, label: str, slot: int, now: float) -> list[tuple[Period, int]]:
        """The periods in which a slot lies, of those that a label's values are summed up by and that are kept."""
        keys = ((period, self._calendar.start(period, slot)) for period in self._periods[label])
        return [key for key in keys if self._is_kept(*key, now)]

    def _is_kept(self, period: Period, start: int, now: float) -> bool:
        return start >= self._calendar.current(period, now - KEPT_SECONDS)

    def _room(self, scopes: Iterable[Scope]) -> dict[str, int]:
        """How many values more each label may have."""
        room = dict.fromkeys(self._periods, self._max_values)
        for scope in scopes:
            if scope.label in room and scope.value != OTHER:
                room[scope.label] -= 1
        return room

    def _take(self, room: dict[str, int], scope: Scope) -> bool:
        if scope.value == OTHER:
            return True
        room[scope.label] -= 1
        return room[scope.label] >= 0
