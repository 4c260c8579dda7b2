"""Prices for a column of calls."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from spanmill.llm.prices.book import Call
from spanmill.llm.prices.money import Tokens, amounts
from spanmill.llm.prices.schedule import Schedule
from spanmill.llm.prices.sources import NO_COUNTS, NO_DURATION, NO_INPUT, NO_KIND, NO_OUTPUT, NO_USAGE, OUT_OF_RANGE


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
    """Nano-USD (int64) of each call where `valid`, and the code in `sources` (see there) of where the price is from,
    or why there is none."""

    input: np.ndarray
    output: np.ndarray
    total: np.ndarray
    valid: np.ndarray
    source: np.ndarray
    sources: list[str]


def price(schedule: Schedule, names: tuple[pa.Array, ...], starts: np.ndarray, usage: Usage) -> Priced:
    """Price each call. `names` are the columns of a `Call`; `starts` is int64, nanoseconds since 1970."""
    groups, first = _distinct(names, len(starts))
    calls = [Call(*(column[row].as_py() for column in names)) for row in first]
    answers, which = schedule.ask(calls, groups, starts)
    table = answers.table
    row = table.rows(which, usage.input_tokens)
    known_time = usage.microseconds >= 0
    paid = amounts(table, which, row, usage.tokens, np.where(known_time, usage.microseconds, 0))
    has_tariff, source = answers.has_tariff[which], answers.source[which]
    by_tokens, by_time = table.by_tokens[which], table.per_second[which] > 0
    lacks_price = table.lacks_price(row, usage.tokens)
    used = usage.has_input | usage.has_output
    complete = (usage.has_input & (usage.has_output | ~usage.needs_output)) | (usage.failed & used)
    unbilled = usage.failed & ~used & ~by_time
    valid = has_tariff & (complete | ~by_tokens) & (known_time | ~by_time) & ~unbilled & ~lacks_price & paid.in_range
    if not valid.all():
        source = np.select(
            [
                valid,
                unbilled,
                ~has_tariff,
                by_tokens & ~used,
                by_tokens & ~complete & usage.has_input,
                by_tokens & ~complete,
                by_time & ~known_time,
                lacks_price,
            ],
            [source, NO_USAGE, source, NO_COUNTS, NO_OUTPUT, NO_INPUT, NO_DURATION, NO_KIND],
            OUT_OF_RANGE,
        )
    return Priced(paid.input, paid.output, paid.total, valid, source, answers.sources)


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
