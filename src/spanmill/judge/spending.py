"""What a judge has spent by hour, day and month, and whether one question more may be asked.

What a question may take at most is set aside before it is asked and counts as spent until it is settled. So a limit is
exceeded only by what estimates fall short of, for the questions under way. Knows nothing of disks.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from spanmill.errors import SpanmillError
from spanmill.judge.spending_config import SpendingConfig
from spanmill.periods import Calendar, Period

_BILLION: Final = 10**9


class Amount(NamedTuple):
    """What calls take."""

    tokens: int
    nano_usd: int
    """Billionths of a USD."""


NOTHING: Final = Amount(0, 0)


class SetAside(NamedTuple):
    """What was set aside for one question, in the periods in which it was asked."""

    periods: tuple[tuple[Period, int], ...]
    amount: Amount


class Spent(SpanmillError):  # noqa: N818 - an event, not a fault
    """A limit does not allow the question."""

    def __init__(self, period: Period, unit: str, limit: str, resets_at: int) -> None:
        self.period, self.unit = period, unit
        self.resets_at = resets_at
        """Seconds since 1970: when the next period begins."""
        super().__init__(f"the budget of {limit} for this {period.value} is spent")


class Spending:
    """Belongs to the event loop; `read` and the like may be called in any thread."""

    def __init__(self, config: SpendingConfig | None = None, clock: Callable[[], float] = time.time) -> None:
        """Without a configuration there are no limits, and only sums. `clock`: seconds since 1970."""
        self._calendar = Calendar(config.timezone if config else "UTC")
        self._tokens: Mapping[Period, int] = config.tokens if config else {}
        self._nano_usd: Mapping[Period, int] = config.nano_usd if config else {}
        self._clock = clock
        self._sums: dict[tuple[Period, int], Amount] = {}

    def set_aside(self, amount: Amount) -> SetAside:
        """Set aside what a question may take. Raises `Spent`."""
        now = self._clock()
        periods = tuple((period, self._calendar.current(period, now)) for period in Period)
        for period, start in periods:
            held = self._sums.get((period, start), NOTHING)
            if period in self._tokens and held.tokens + amount.tokens > self._tokens[period]:
                raise self._spent(period, start, "tokens", f"{self._tokens[period]:,} tokens")
            if period in self._nano_usd and held.nano_usd + amount.nano_usd > self._nano_usd[period]:
                raise self._spent(period, start, "usd", f"{self._nano_usd[period] / _BILLION:,.9g} USD")
        self._sums = {key: held for key, held in self._sums.items() if key in periods}
        self._add(periods, amount)
        return SetAside(periods, amount)

    def settle(self, set_aside: SetAside, amount: Amount) -> None:
        """The question took this much, and not what was set aside."""
        before = set_aside.amount
        change = Amount(amount.tokens - before.tokens, amount.nano_usd - before.nano_usd)
        self._add(tuple(key for key in set_aside.periods if key in self._sums), change)

    def read(self, period: Period) -> Amount:
        """What is spent in the period under way, with what is set aside."""
        return self._sums.get((period, self._calendar.current(period, self._clock())), NOTHING)

    def limits(self) -> dict[tuple[Period, str], int]:
        """The limits by period and unit: `tokens`, or `usd` in billionths."""
        tokens = {(period, "tokens"): limit for period, limit in self._tokens.items()}
        return tokens | {(period, "usd"): limit for period, limit in self._nano_usd.items()}

    def dump(self) -> list[list[Any]]:
        """What `load` takes, as JSON has it."""
        return [[period.value, start, held.tokens, held.nano_usd] for (period, start), held in self._sums.items()]

    def load(self, dumped: list[list[Any]]) -> None:
        """Go on from what `dump` gave. The periods of another time zone, or past ones, count no more."""
        self._sums = {(Period(period), start): Amount(tokens, nano) for period, start, tokens, nano in dumped}

    def _add(self, periods: tuple[tuple[Period, int], ...], amount: Amount) -> None:
        sums = dict(self._sums)
        for key in periods:
            held = sums.get(key, NOTHING)
            sums[key] = Amount(max(0, held.tokens + amount.tokens), max(0, held.nano_usd + amount.nano_usd))
        self._sums = sums  # replaced whole: a scrape reads it in another thread

    def _spent(self, period: Period, start: int, unit: str, limit: str) -> Spent:
        return Spent(period, unit, limit, self._calendar.end(period, start))
