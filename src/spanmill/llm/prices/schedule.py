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
from spanmill.llm.prices.sources import TEXTS, UNPRICED
from spanmill.llm.prices.tariff import Changes, Quote

_MOST_CALLS: Final = 10_000
"""Kinds of calls remembered. An entry takes about 2 KB; who sends more kinds than that makes names up."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 24 * 3600 * 10**9
_LAST_MOMENT: Final = 7_258_118_400 * 10**9
"""2200-01-01 in nanoseconds: a span that begins later is priced as of then."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Quotes by number, as arrays."""

    table: RateTable
    has_tariff: np.ndarray
    source: np.ndarray
    """int64: the code of the quote's source, or of the reason."""
    sources: list[str]
    """By code; the first are `sources.TEXTS`."""


@dataclass(frozen=True, slots=True)
class _Periods:
    """The numbers of the quotes for one kind of call, by period."""

    changes: Changes
    numbers: dict[int, int] = field(default_factory=dict)

    def period(self, moment: int) -> int | None:
        """The period of a moment; None where it goes by the time of day."""
        return None if self.changes.times_of_day else bisect_right(self.changes.moments, moment)

    def of(self, starts: np.ndarray) -> np.ndarray:
        """The period of each start. Within one, the quote is the same."""
        periods = np.array(self.changes.moments, np.int64).searchsorted(starts, side="right")
        times = np.array(self.changes.times_of_day, np.int64)
        if len(times):
            periods = periods * (len(times) + 1) + times.searchsorted(starts % _DAY, "right")
        return np.asarray(periods)


class Schedule:
    """A price book that answers for many calls. Safe from any thread."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._held = _Held()

    def ask(self, calls: Sequence[Call], groups: np.ndarray, starts: np.ndarray) -> tuple[Answers, np.ndarray]:
        """The number of the quote (int64) for calls that began at `starts` (int64, nanoseconds since 1970), and the
        quotes. Their kinds are `calls[groups]`.
        """
        if len(self._held.periods) >= _MOST_CALLS:
            self._held = _Held()
        held = self._held
        earliest, latest = int(starts.min()), int(starts.max())
        numbers = np.zeros(len(calls), dtype=np.int64)
        several = []
        for group, call in enumerate(calls):
            periods = held.periods.get(call) or held.periods.setdefault(call, _Periods(self._book.changes(call)))
            period = periods.period(earliest)
            if period is None or period != periods.period(latest):
                several.append((group, periods))
                continue
            number = periods.numbers.get(period)
            numbers[group] = self._quote(held, call, periods, period, earliest) if number is None else number
        which = numbers[groups]
        for group, periods in several:
            rows = np.flatnonzero(groups == group)
            which[rows] = self._by_period(held, calls[group], periods, starts[rows])
        return held.answers(), which

    def _by_period(self, held: "_Held", call: Call, periods: _Periods, starts: np.ndarray) -> np.ndarray:
        which = np.zeros(len(starts), dtype=np.int64)
        period_of = periods.of(starts)
        for period in np.unique(period_of).tolist():
            rows = np.flatnonzero(period_of == period)
            which[rows] = self._quote(held, call, periods, period, int(starts[rows[0]]))
        return which

    def _quote(self, held: "_Held", call: Call, periods: _Periods, period: int, start: int) -> int:
        """The number of the quote for a period; the book is asked if it is the first time."""
        number = periods.numbers.get(period)
        if number is None:
            moment = _EPOCH + timedelta(microseconds=min(start, _LAST_MOMENT) // 1000)
            number = periods.numbers[period] = held.add(self._book.quote(call, moment))
        return number


class _Held:
    """The quotes given so far. They are only added to, so that a number stays true."""

    def __init__(self) -> None:
        self.periods: dict[Call, _Periods] = {}
        self._lock = threading.Lock()
        self._rates: list[Rates | None] = []
        self._sources: list[int] = []
        self._codes = {text: code for code, text in enumerate(TEXTS)}
        self._answers: Answers | None = None

    def add(self, quote: Quote) -> int:
        source = quote.source if quote.tariff else UNPRICED + quote.source
        with self._lock:
            self._sources.append(self._codes.setdefault(source, len(self._codes)))
            self._rates.append(rates_of(quote.tariff) if quote.tariff else None)
            self._answers = None
            return len(self._rates) - 1

    def answers(self) -> Answers:
        """All of them. There must be one."""
        answers = self._answers
        if answers is None:
            with self._lock:
                answers = self._answers = Answers(
                    RateTable.of([rates or NO_RATES for rates in self._rates]),
                    np.array([rates is not None for rates in self._rates]),
                    np.array(self._sources, dtype=np.int64),
                    list(self._codes),
                )
        return answers
