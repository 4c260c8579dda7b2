"""Prices for a column of calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.llm.prices.book import Call
from spanmill.llm.prices.money import Rates, RateTable, Tokens, amounts
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


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls used. int64 and bool arrays, an element for each call."""

    tokens: Tokens
    """Every token in one kind."""
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
    answers = schedule.answers()
    groups, first = _distinct(names, len(starts))
    kinds = [Call(*(column[row].as_py() for column in names)) for row in first]
    which = schedule.ask(answers, kinds, groups, starts)
    table = answers.table()
    row = table.rows(which, usage.input_tokens)
    known_time = usage.microseconds >= 0
    paid = amounts(table, which, row, usage.tokens, np.where(known_time, usage.microseconds, 0))
    priced = table.is_tariff[which]
    by_tokens, by_time = table.by_tokens[which], table.per_second[which] > 0
    lacks_price = table.lacks_price(row, usage.tokens)
    has_output = usage.has_output | ~usage.needs_output | usage.failed
    complete = has_output & (usage.has_input | usage.failed) & (usage.has_input | usage.has_output)
    valid = priced & (complete | ~by_tokens) & (known_time | ~by_time) & ~lacks_price & paid.in_range
    if not valid.all():
        used = usage.has_input | usage.has_output
        reasons = (
            (NO_USAGE, usage.failed & ~used & ~by_time),
            (None, ~priced),
            (_NO_COUNTS, by_tokens & ~used),
            (_NO_OUTPUT, by_tokens & ~complete & usage.has_input),
            (_NO_INPUT, by_tokens & ~complete),
            (_NO_DURATION, by_time & ~known_time),
            (_NO_KIND, lacks_price),
            (_OUT_OF_RANGE, ~paid.in_range),
        )
        which = _with_reasons(which, ~valid, reasons, sources)
    return Priced(paid.input, paid.output, paid.total, valid, which, sources)


def _with_reasons(
    which: np.ndarray, left: np.ndarray, reasons: Sequence[tuple[str | None, np.ndarray]], sources: list[str]
) -> np.ndarray:
    """The codes of `sources`, where rows that are `left` over have the first reason that holds; None is as it was."""
    for reason, where in reasons:
        rows = where & left
        if not rows.any():
            continue
        left = left & ~rows
        if reason is not None:
            which = np.where(rows, len(sources), which)
            sources.append(reason)
    return which


def _lacks_a_price(table: RateTable, row: np.ndarray, tokens: Tokens) -> np.ndarray:
    """Where tokens of a kind were used that has no price."""
    lacks = np.zeros(len(row), dtype=bool)
    for kind, count in enumerate(tokens):
        if count is not None and table.missing[:, kind].any():
            lacks |= table.missing[row, kind] & (count > 0)
    return lacks


def _answers(schedule: Schedule, names: tuple[pa.Array, ...], starts: np.ndarray) -> tuple[list[Answer], np.ndarray]:
    """The different answers, and for each call the number of its own."""
    groups, first = _distinct(names, len(starts))
    if len(first) == 1:
        order, ends = np.arange(len(starts)), [len(starts)]
    else:
        order = np.argsort(groups, kind="stable")
        ends = np.cumsum(np.bincount(groups, minlength=len(first))).tolist()
    answers: list[Answer] = []
    which = np.zeros(len(starts), dtype=np.int64)
    begin = 0
    for position, end in zip(first, ends, strict=True):
        rows, begin = order[begin:end], end
        call = Call(*(column[position].as_py() for column in names))
        for answer, positions in schedule.answers(call, starts[rows]):
            which[rows if positions is None else rows[positions]] = len(answers)
            answers.append(answer)
    return answers, which


def _distinct(columns: tuple[pa.Array, ...], length: int) -> tuple[np.ndarray, list[int]]:
    """For each row the number of its combination of values; and for each combination a row that has it."""
    codes, width = np.zeros(length, dtype=np.int64), 1
    for column in columns:
        if column.null_count == length:
            continue
        encoded = column.dictionary_encode("encode")
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
        width *= len(encoded.dictionary)
        if width > 4 * length:
            codes, first = _renumbered(codes)
            width = len(first)
    return _numbered(codes, width, length)


def _numbered(codes: np.ndarray, width: int, length: int) -> tuple[np.ndarray, list[int]]:
    """Codes below `width` without gaps, and a row of each."""
    row = np.full(width, -1, dtype=np.int64)
    row[codes] = np.arange(length)
    held = row >= 0
    return (np.cumsum(held) - 1)[codes], row[held].tolist()


def _renumbered(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, codes = np.unique(codes, return_inverse=True)
    return codes, distinct
