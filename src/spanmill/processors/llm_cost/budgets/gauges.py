"""What a scrape reads of budgets. Worked out from the tally at every scrape, so that a new period needs no traffic."""

from collections.abc import Callable, Iterator
from typing import Final

from spanmill.processors.llm_cost.budgets.config import Budget, Budgets
from spanmill.processors.llm_cost.budgets.counting import BILLION, OVERALL, Amount, Scope
from spanmill.processors.llm_cost.budgets.periods import Calendar, Period
from spanmill.processors.llm_cost.budgets.tally import OTHER, Sums, Tally
from spanmill.telemetry.metrics import Labels, Metrics

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

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
        for scope, sums in tally.scopes.items():
            if scope.label in labels and (before := self._between(sums, now - 2 * _DAY, now - _DAY)) > 0:
                series = (("label", scope.label), ("scope", scope.value))
                yield series, self._between(sums, now - _DAY, now) / before

    def _between(self, sums: Sums, first: float, last: float) -> float:
        """The sum of the hours between two moments; of those that lie there in part, the part."""
        total = 0.0
        for (period, start), amount in sums.items():
            if period is Period.HOUR and first - 2 * _HOUR < start < last:
                end = min(self._calendar.end(period, start), max(self._clock(), start + 1))
                share = (min(end, last) - max(start, first)) / (end - start)
                total += max(0.0, share) * amount.nano_usd
        return total


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
