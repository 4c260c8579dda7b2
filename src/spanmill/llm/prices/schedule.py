"""Remembers what the price book said: once for each kind of call and each period in which its price stays the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from spanmill.llm.prices.book import Call, PriceBook
from spanmill.llm.prices.money import Rates, rates_of

_MOST_CALLS: Final = 10_000
"""Kinds of calls remembered. An entry takes about 2 KB; who sends more kinds than that makes names up."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 24 * 3600 * 10**9
_LAST_MOMENT: Final = 7_258_118_400 * 10**9
"""2200-01-01 in nanoseconds: a span that begins later is priced as of then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A quote in integers. Without `rates`, `source` is the reason."""

    source: str
    rates: Rates | None = None


@dataclass(slots=True)
class _Periods:
    """The answers for one kind of call, by period."""

    moments: np.ndarray
    times_of_day: np.ndarray
    answers: dict[int, Answer] = field(default_factory=dict)

    def of(self, starts: np.ndarray) -> np.ndarray:
        """The period of each start. Within one, the answer is the same."""
        periods = np.searchsorted(self.moments, starts, side="right") * (len(self.times_of_day) + 1)
        if len(self.times_of_day):
            periods += np.searchsorted(self.times_of_day, starts % _DAY, side="right")
        return np.asarray(periods)


class Schedule:
    """A price book that answers for many calls. Safe from any thread: at worst two ask the book the same thing."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._calls: dict[Call, _Periods] = {}

    def answers(self, call: Call, starts: np.ndarray) -> Iterator[tuple[Answer, np.ndarray | None]]:
        """Answers for calls of one kind that began at `starts` (int64, nanoseconds since 1970), each with the
        positions in `starts` that it is for; None for all of them.
        """
        periods = self._periods(call)
        if not len(periods.moments) and not len(periods.times_of_day):
            yield self._answer(call, periods, 0, 0), None
            return
        numbers = periods.of(starts)
        for number in np.unique(numbers).tolist():
            positions = np.flatnonzero(numbers == number)
            yield self._answer(call, periods, number, int(starts[positions[0]])), positions

    def _periods(self, call: Call) -> _Periods:
        held = self._calls.get(call)
        if held is None:
            if len(self._calls) >= _MOST_CALLS:
                self._calls.clear()
            changes = self._book.changes(call)
            held = _Periods(np.array(changes.moments, np.int64), np.array(changes.times_of_day, np.int64))
            self._calls[call] = held
        return held

    def _answer(self, call: Call, periods: _Periods, number: int, start: int) -> Answer:
        answer = periods.answers.get(number)
        if answer is None:
            moment = _EPOCH + timedelta(microseconds=min(start, _LAST_MOMENT) // 1000)
            quote = self._book.quote(call, moment)
            rates = None if quote.tariff is None else rates_of(quote.tariff)
            answer = periods.answers[number] = Answer(quote.source, rates)
        return answer
