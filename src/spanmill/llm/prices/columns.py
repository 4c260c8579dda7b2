"""Prices for a column of calls."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.llm.prices.book import Call
from spanmill.llm.prices.money import Rates, RateTable, amounts
from spanmill.llm.prices.schedule import Answer, Schedule
from spanmill.llm.prices.tariff import KINDS

UNPRICED: Final = "unpriced: "
NO_USAGE: Final = "no usage"
"""For a failed call that used nothing: it has no price, and lacks none."""
_NO_COUNTS: Final = UNPRICED + "no token counts"
_NO_INPUT: Final = UNPRICED + "no input token count"
_NO_OUTPUT: Final = UNPRICED + "no output token count"
_NO_KIND: Final = UNPRICED + "no price for all kinds of tokens"
_NO_DURATION: Final = UNPRICED + "no duration"
_OUT_OF_RANGE: Final = UNPRICED + "numbers out of range"
_MOST_CODES: Final = 2**62
_EMPTY: Final = Rates(
    bounds=np.zeros(0, np.int64),
    whole=np.zeros((1, len(KINDS)), np.int64),
    part=np.zeros((1, len(KINDS)), np.int64),
    missing=np.zeros((1, len(KINDS)), bool),
    request=0,
    per_second=0,
    by_tokens=True,
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls used. int64 and bool arrays, an element for each call."""

    tokens: np.ndarray
    """A column for each of `KINDS`, every token in one of them."""
    input_tokens: np.ndarray
    """The length of the prompt, which chooses the tier."""
    has_input: np.ndarray
    """Whether the number of input tokens is known."""
    has_output: np.ndarray
    needs_output: np.ndarray
    """Whether calls of this operation have an output; the others need not have a count of it."""
    failed: np.ndarray
    microseconds: np.ndarray
    """How long the call took; below 0 is unknown."""


@dataclass(frozen=True, slots=True)
class Priced:
    """Nano-USD (int64) of each call where `valid`, and the code in `sources` of where the price is from, or why there
    is none."""

    input: np.ndarray
    output: np.ndarray
    total: np.ndarray
    valid: np.ndarray
    source: np.ndarray
    sources: list[str]


def price(schedule: Schedule, names: tuple[pa.Array, ...], starts: np.ndarray, usage: Usage) -> Priced:
    """Price each call. `names` are the columns of a `Call`; `starts` is int64, nanoseconds since 1970."""
    answers, which = _answers(schedule, names, starts)
    table = RateTable.of([answer.rates or _EMPTY for answer in answers])
    row = table.first[which]
    for number, answer in enumerate(answers):
        if answer.rates is not None and len(answer.rates.bounds):
            mine = np.flatnonzero(which == number)
            row[mine] += np.searchsorted(answer.rates.bounds, usage.input_tokens[mine], side="left")
    known_time = usage.microseconds >= 0
    paid = amounts(table, which, row, usage.tokens, np.where(known_time, usage.microseconds, 0))
    priced = np.array([answer.rates is not None for answer in answers])[which]
    by_tokens, by_time = table.by_tokens[which], table.per_second[which] > 0
    used = usage.has_input | usage.has_output
    complete = (usage.has_output | ~usage.needs_output | usage.failed) & (usage.has_input | usage.failed)
    unbilled = usage.failed & ~used & ~by_time
    problems = (
        (NO_USAGE, unbilled),
        (None, ~priced),
        (_NO_COUNTS, by_tokens & ~used),
        (_NO_OUTPUT, by_tokens & ~complete & usage.has_input),
        (_NO_INPUT, by_tokens & ~complete),
        (_NO_DURATION, by_time & ~known_time),
        (_NO_KIND, (table.missing[row] & (usage.tokens > 0)).any(axis=1)),
        (_OUT_OF_RANGE, ~paid.in_range),
    )
    sources = [answer.source if answer.rates is not None else UNPRICED + answer.source for answer in answers]
    valid = np.ones(len(which), dtype=bool)
    for reason, where in problems:
        rows = where & valid
        if not rows.any():
            continue
        valid &= ~rows
        if reason is not None:
            which = np.where(rows, len(sources), which)
            sources.append(reason)
    return Priced(paid.input, paid.output, paid.total, valid, which, sources)


def _answers(schedule: Schedule, names: tuple[pa.Array, ...], starts: np.ndarray) -> tuple[list[Answer], np.ndarray]:
    """The different answers, and for each call the number of its own."""
    groups, first = _distinct(names, len(starts))
    answers: list[Answer] = []
    which = np.zeros(len(starts), dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(len(first)), side="right").tolist()
    begin = 0
    for position, end in zip(first.tolist(), ends, strict=True):
        rows, begin = order[begin:end], end
        call = Call(*(column[position].as_py() for column in names))
        for answer, positions in schedule.answers(call, starts[rows]):
            which[rows if positions is None else rows[positions]] = len(answers)
            answers.append(answer)
    return answers, which


def _distinct(columns: tuple[pa.Array, ...], length: int) -> tuple[np.ndarray, np.ndarray]:
    """For each row the number of its combination of values; and for each combination a row that has it."""
    codes = np.zeros(length, dtype=np.int64)
    for column in columns:
        if column.null_count == length:
            continue
        encoded = column.dictionary_encode("encode")
        if int(codes.max(initial=0)) > _MOST_CODES // len(encoded.dictionary):
            codes = np.unique(codes, return_inverse=True)[1]
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
    _, first, groups = np.unique(codes, return_index=True, return_inverse=True)
    return groups, first
