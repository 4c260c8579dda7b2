"""Remembers what the price book said: once for each kind of call and each period in which its price stays the same."""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from spanmill.llm.prices.book import Call, PriceBook
from spanmill.llm.prices.money import NO_RATES, Rates, RateTable, rates_of
from spanmill.llm.prices.tariff import Changes

_MOST_CALLS: Final = 10_000
"""Kinds of calls remembered. An entry takes about 2 KB; who sends more kinds than that makes names up."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 24 * 3600 * 10**9
_LAST_MOMENT: Final = 7_258_118_400 * 10**9
"""2200-01-01 in nanoseconds: a span that begins later is priced as of then."""


@dataclass(slots=True)
class Answers:
    """The quotes given so far, by number. Grows only; what was read of it stays true."""

    sources: list[str] = field(default_factory=list)
    """Where each tariff is from; the reason where there is none."""
    rates: list[Rates | None] = field(default_factory=list)
    periods: dict[Call, "_Periods"] = field(default_factory=dict)
    _table: RateTable | None = None

    def table(self) -> RateTable:
        """The rates of all of them; of no use where there is no tariff."""
        table = self._table
        if table is None or len(table.first) < len(self.rates):
            table = self._table = RateTable.of([each or NO_RATES for each in list(self.rates)])
        return table


@dataclass(slots=True)
class _Periods:
    """The numbers of the answers for one kind of call, by period."""

    changes: Changes
    answers: dict[int, int] = field(default_factory=dict)

    def period(self, moment: int) -> int | None:
        """The period of a moment, where none is by the time of day."""
        changes = self.changes
        return None if changes.times_of_day else bisect_right(changes.moments, moment)

    def of(self, starts: np.ndarray) -> np.ndarray:
        """The period of each start. Within one, the answer is the same."""
        periods = np.array(self.changes.moments, np.int64).searchsorted(starts, side="right")
        times = np.array(self.changes.times_of_day, np.int64)
        if len(times):
            periods = periods * (len(times) + 1) + times.searchsorted(starts % _DAY, "right")
        return np.asarray(periods)


class Schedule:
    """A price book that answers for many calls. Safe from any thread."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._answers = Answers()
        self._lock = threading.Lock()

    def answers(self) -> Answers:
        """Where the numbers lead that `ask` gives; another object once in a while, so that it stays small."""
        if len(self._answers.periods) >= _MOST_CALLS:
            self._answers = Answers()
        return self._answers

    def ask(self, answers: Answers, calls: Sequence[Call], groups: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """The number of the answer (int64) for calls that began at `starts` (int64, nanoseconds since 1970). Their
        kinds are `calls[groups]`.
        """
        earliest, latest = int(starts.min()), int(starts.max())
        numbers = np.zeros(len(calls), dtype=np.int64)
        mixed = []
        for group, call in enumerate(calls):
            periods = answers.periods.get(call) or self._periods(answers, call)
            period = periods.period(earliest)
            if period is None or period != periods.period(latest):
                mixed.append(group)
                continue
            number = periods.answers.get(period)
            numbers[group] = self._answer(answers, call, period, earliest) if number is None else number
        which = numbers[groups]
        for group in mixed:
            rows = np.flatnonzero(groups == group)
            which[rows] = self._by_period(answers, calls[group], starts[rows])
        return which

    def _by_period(self, answers: Answers, call: Call, starts: np.ndarray) -> np.ndarray:
        which = np.zeros(len(starts), dtype=np.int64)
        periods = answers.periods[call].of(starts)
        for period in np.unique(periods).tolist():
            rows = np.flatnonzero(periods == period)
            which[rows] = self._answer(answers, call, period, int(starts[rows[0]]))
        return which

    def _periods(self, answers: Answers, call: Call) -> _Periods:
        return answers.periods.setdefault(call, _Periods(self._book.changes(call)))

    def _answer(self, answers: Answers, call: Call, period: int, start: int) -> int:
        """The number of the answer for a period, which is asked for if it is the first time."""
        held = answers.periods[call].answers
        with self._lock:
            if period not in held:
                moment = _EPOCH + timedelta(microseconds=min(start, _LAST_MOMENT) // 1000)
                quote = self._book.quote(call, moment)
                answers.sources.append(quote.source)
                answers.rates.append(None if quote.tariff is None else rates_of(quote.tariff))
                held[period] = len(answers.rates) - 1
            return held[period]
