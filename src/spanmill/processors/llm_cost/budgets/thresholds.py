"""When a share of a limit is spent: which notices that gives."""

from collections.abc import Iterator, Mapping
from typing import Final

from spanmill.periods import Calendar, Period
from spanmill.processors.llm_cost.budgets.config import Budget, Budgets
from spanmill.processors.llm_cost.budgets.counting import OVERALL, Scope
from spanmill.processors.llm_cost.budgets.tally import OTHER, Notice, NoticeKey, NoticeState, Sums, Tally

LATE_SECONDS: Final = 3600
"""Nobody is called for a limit of a period that has ended so long ago."""


def periods_by_label(budgets: Budgets) -> dict[str, frozenset[Period]]:
    """By label the periods that are summed up. Everything together has all of them, so that a limit that is added later
    finds what was spent before; the growth from one day to the next is made of hours."""
    periods = {OVERALL: frozenset(Period)}
    for budget in budgets.limits.values():
        periods[budget.label] = periods.get(budget.label, frozenset({Period.HOUR})) | budget.periods
    return periods


class Thresholds:
    """The thresholds of all budgets."""

    def __init__(self, budgets: Budgets, calendar: Calendar) -> None:
        self._calendar = calendar
        self._by_label: dict[str, list[tuple[str, Budget, tuple[int, ...]]]] = {}
        for name, budget in budgets.limits.items():
            self._by_label.setdefault(budget.label, []).append((name, budget, budgets.shares(budget)))

    def reached(self, tally: Tally, sums: Mapping[Scope, Sums]) -> dict[NoticeKey, Notice]:
        """Those that some of these sums reach and that were not told yet.

        A threshold is told again in the same period only after its limit was raised.
        """
        found = {}
        for key, limit in self._reached(sums):
            known = tally.notices.get(key)
            if known is None or known.limit < limit:
                found[key] = Notice(NoticeState.DUE, limit)
        return found

    def is_late(self, key: NoticeKey, now: float) -> bool:
        """Whether the period has ended too long ago for anybody to be called."""
        return self._calendar.end(key.period, key.start) + LATE_SECONDS < now

    def _reached(self, sums: Mapping[Scope, Sums]) -> Iterator[tuple[NoticeKey, int]]:
        for scope, amounts in sums.items():
            if scope.value == OTHER and scope.label != OVERALL:
                continue
            for name, budget, thresholds in self._by_label.get(scope.label, ()):
                for (period, start), amount in amounts.items():
                    limit = budget.limit(scope.value, period)
                    for threshold in thresholds if limit else ():
                        if limit and amount.nano_usd * 100 >= threshold * limit:
                            yield NoticeKey(name, period, start, scope.value, threshold), limit
