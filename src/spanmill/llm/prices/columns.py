"""Prices for a column of calls."""

from collections.abc import Callable
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
    needs_output: Callable[[], np.ndarray]
    """Whether calls of this operation have an output; the others need not have a count of it. Asked only if it matters,
    as the next two."""
    failed: Callable[[], np.ndarray]
    microseconds: Callable[[], np.ndarray]
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


def price(
    schedule: Schedule, names: tuple[pa.Array, ...], rows: np.ndarray, starts: np.ndarray, usage: Usage
) -> Priced:
    """Price each call. `names` are the columns of a `Call`, in which the calls are at `rows`; `starts` (int64,
    nanoseconds since 1970) has an element for each call."""
    calls, groups = _distinct_calls(names, rows)
    answers, which = schedule.ask(calls, groups, starts)
    table = answers.table
    row = table.rows(which, usage.input_tokens)
    time = usage.microseconds() if table.has_per_second else None
    paid = amounts(table, which, row, usage.tokens, None if time is None else np.maximum(time, 0))
    has_tariff, source = answers.has_tariff[which], answers.source[which]
    lacks_price = table.lacks_price(row, usage.tokens)
    is_plain = paid.in_range is None and time is None and lacks_price is None and has_tariff.all()
    if is_plain and usage.has_input.all() and usage.has_output.all():
        return Priced(paid.input, paid.output, paid.total, has_tariff, source, answers.sources)
    never = np.zeros(len(row), dtype=bool)
    facts = _Facts(
        has_tariff=has_tariff,
        by_tokens=table.by_tokens[which],
        by_time=table.per_second[which] > 0,
        unknown_time=never if time is None else time < 0,
        lacks_price=never if lacks_price is None else lacks_price,
        out_of_range=never if paid.in_range is None else ~paid.in_range,
    )
    valid, source = _judged(usage, facts, source)
    return Priced(paid.input, paid.output, paid.total, valid, source, answers.sources)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of each call's price; all bool."""

    has_tariff: np.ndarray
    by_tokens: np.ndarray
    by_time: np.ndarray
    unknown_time: np.ndarray
    lacks_price: np.ndarray
    out_of_range: np.ndarray


def _judged(usage: Usage, facts: _Facts, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which prices hold, and the codes of the sources, or of what is wrong first."""
    failed = usage.failed()
    used = usage.has_input | usage.has_output
    complete = (usage.has_input & (usage.has_output | ~usage.needs_output())) | (failed & used)
    problems = (
        (NO_USAGE, failed & ~used & ~facts.by_time),
        (source, ~facts.has_tariff),
        (NO_COUNTS, facts.by_tokens & ~used),
        (NO_OUTPUT, facts.by_tokens & ~complete & usage.has_input),
        (NO_INPUT, facts.by_tokens & ~complete),
        (NO_DURATION, facts.by_time & facts.unknown_time),
        (NO_KIND, facts.lacks_price),
        (OUT_OF_RANGE, facts.out_of_range),
    )
    wrong = [where for _, where in problems]
    source = np.select(wrong, [code for code, _ in problems], source)
    return np.asarray(~np.logical_or.reduce(wrong)), source


def _distinct_calls(names: tuple[pa.Array, ...], rows: np.ndarray) -> tuple[list[Call], np.ndarray]:
    """The kinds of calls that are at `rows`, and for each of these the number of its kind."""
    combined, width = np.zeros(len(rows), dtype=np.int64), 1
    codes: list[np.ndarray | None] = []
    values: list[list[str | None]] = []
    for column in names:
        if column.null_count == len(column):
            codes.append(None)
            values.append([None])
            continue
        encoded = column.dictionary_encode("encode")
        code = encoded.indices.to_numpy()[rows]
        codes.append(code)
        values.append(encoded.dictionary.to_pylist())
        combined = combined * len(values[-1]) + code
        width *= len(values[-1])
        if width > 4 * len(rows):
            distinct, combined = np.unique(combined, return_inverse=True)
            width = len(distinct)
    groups, first = _numbered(combined, width)
    columns = [
        held * len(first) if coded is None else [held[each] for each in coded[first].tolist()]
        for coded, held in zip(codes, values, strict=True)
    ]
    return [Call(*each) for each in zip(*columns, strict=True)], groups


def _numbered(codes: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes below `width` without gaps, and where each of them is to be found."""
    place = np.full(width, -1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    held = place >= 0
    return (held.cumsum() - 1)[codes], place[held]
