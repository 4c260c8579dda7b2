"""What a scrape reads of budgets. Worked out from the tally at every scrape, so that a new period needs no traffic."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Final

from spanmill.periods import Calendar, Period
from spanmill.processors.llm_cost.budgets.config import Budget, Budgets
from spanmill.processors.llm_cost.budgets.counting import BILLION, OVERALL, Amount, Scope
from spanmill.processors.llm_cost.budgets.tally import OTHER, Tally
from spanmill.telemetry.metrics import Labels, Metrics

_DAY: Final = 24 * 3600

Series = Iterator[tuple[Labels, float]]


class Gauges:
    """The series of one processor. Called in the scrape's thread."""

    def __init__(
        self, budgets: Budgets, calendar: Calendar, read: Callable[[], Tally], clock: Callable[[], float]
    ) -> None:
        """`clock`: seconds since 1970."""
        self._budgets, self._calendar, self._read, self._clock = budgets, calendar, read, clock

    def register(self, metrics: Metrics) -> None:
        """Put them on the daemon's page."""
        metrics.gauges("llm_budget_spent_usd", lambda: self._amounts(lambda amount: amount.nano_usd))
        metrics.gauges("llm_budget_unpriced_calls", lambda: self._amounts(lambda amount: amount.unpriced))
        metrics.gauges("llm_budget_limit_usd", self._limits)
        metrics.gauges("llm_cost_day_over_day_ratio", self._growth)

    def _amounts(self, part: Callable[[Amount], int]) -> Series:
        tally, now = self._read(), self._clock()
        for name, budget in self._budgets.limits.items():
            for value in _values(budget, tally):
                for period in _periods(budget, value):
                    start = self._calendar.current(period, now)
                    amount = part(tally.spent(Scope(budget.label, value), period, start))
                    yield _labels(name, period, value), amount / BILLION

    def _limits(self) -> Series:
        tally = self._read()
        for name, budget in self._budgets.limits.items():
            for value in _values(budget, tally):
                for period in _periods(budget, value):
                    if not _is_other(budget, value) and (limit := budget.limit(value, period)) is not None:
                        yield _labels(name, period, value), limit / BILLION

    def _growth(self) -> Series:
        """What the last 24 hours cost over what the 24 hours before did."""
        tally, now = self._read(), self._clock()
        labels = {OVERALL, *(budget.label for budget in self._budgets.limits.values())}
        shares = cache(partial(self._shares, now=now))
        for scope, sums in tally.scopes.items():
            last = before = 0.0
            for (period, start), amount in sums.items():
                if period is Period.HOUR:
                    of_last, of_before = shares(start)
                    last, before = last + of_last * amount.nano_usd, before + of_before * amount.nano_usd
            if scope.label in labels and before > 0:
                yield (("label", scope.label), ("scope", scope.value)), last / before

    def _shares(self, start: int, now: float) -> tuple[float, float]:
        """Which part of an hour lies in the last 24, and which in the 24 before. One that is under way ends now."""
        end = min(self._calendar.end(Period.HOUR, start), max(now, start + 1))
        days = (now - _DAY, now), (now - 2 * _DAY, now - _DAY)
        last, before = (max(0.0, min(end, to) - max(start, since)) / (end - start) for since, to in days)
        return last, before


def _values(budget: Budget, tally: Tally) -> Iterator[str]:
    """Those that have a sum, and those whose limit is written down, in this order each once."""
    found = {scope.value: None for scope in tally.scopes if scope.label == budget.label}
    yield from found | dict.fromkeys(budget.exceptions if budget.per else [""])


def _periods(budget: Budget, value: str) -> Iterator[Period]:
    for period in Period:
        if period in budget.periods and (_is_other(budget, value) or budget.limit(value, period) is not None):
            yield period


def _is_other(budget: Budget, value: str) -> bool:
    return budget.per is not None and value == OTHER


def _labels(budget: str, period: Period, value: str) -> Labels:
    return ("budget", budget), ("period", period.value), ("scope", value)
