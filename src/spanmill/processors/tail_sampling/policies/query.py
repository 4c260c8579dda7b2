"""All questions of all policies in one query over the spans of a pass, grouped by trace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.conditions import engine
from spanmill.processors.tail_sampling.policies.columns import TABLE, TRACE, Source, table
from spanmill.processors.tail_sampling.policies.matching import Match
from spanmill.processors.tail_sampling.policies.verdicts import Traces


@dataclass(frozen=True, slots=True)
class Answers:
    """For each question and trace, in that order."""

    true: np.ndarray
    failed: np.ndarray
    """Where the question could not be worked out, for example because a text is no number; it is not true there."""


class Query:
    """Questions about traces, asked together. Safe from any thread."""

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = tuple(matches)
        self._sql = _strict(self._matches)
        self._sources: tuple[Source, ...] = tuple(dict.fromkeys(each for match in matches for each in match.sources))

    @property
    def reads(self) -> frozenset[str]:
        """The record columns that it needs."""
        return frozenset().union(*(source.reads for source in self._sources))

    def ask(self, rows: Batch, trace_of_row: np.ndarray, traces: Traces) -> Answers:
        """The answers. A question that fails on some value fails for that trace alone; see `Answers`."""
        answers = Answers(*np.zeros((2, len(self._matches), traces.count), bool))
        if not self._matches or not len(trace_of_row):
            return answers
        spans = table(self._sources, rows, trace_of_row, traces)
        everything = range(len(self._matches))
        try:
            _fill(answers, self._sql, spans, everything)
        except duckdb.Error:
            self._try(answers, spans, everything)
        return answers

    def _try(self, answers: Answers, spans: pa.Table, questions: Sequence[int]) -> None:
        try:
            _fill(answers, _tolerant([self._matches[index] for index in questions]), spans, questions)
        except duckdb.Error:  # an aggregate itself failed, a sum that overflows for example
            if len(questions) == 1:
                answers.failed[questions[0]] = True
                return
            for index in questions:
                self._try(answers, spans, [index])


def _fill(answers: Answers, sql: str, spans: pa.Table, questions: Iterable[int]) -> None:
    found = engine.columns(sql, TABLE, spans)
    order = found[TRACE]
    for place, index in enumerate(questions):
        answers.true[index, order] = found[f"match_{place}"]
        if f"failed_{place}" in found:
            answers.failed[index, order] = found[f"failed_{place}"]


def _strict(matches: Sequence[Match]) -> str:
    aggregates = {each.name: each.sql for match in matches for each in match.aggregates}
    return _sql(aggregates, [f"coalesce({match.sql}, false) AS match_{i}" for i, match in enumerate(matches)])


def _tolerant(matches: Sequence[Match]) -> str:
    aggregates = {each.name: each.tried for match in matches for each in match.aggregates}
    chosen = []
    for index, match in enumerate(matches):
        failing = {f"failed_{each.name}": each.failed for each in match.aggregates if each.failed}
        aggregates |= failing
        failed = " OR ".join([f"TRY([{match.sql}]) IS NULL", *failing])
        chosen += [
            f"coalesce(TRY({match.sql}) AND NOT ({failed}), false) AS match_{index}",
            f"({failed}) AS failed_{index}",
        ]
    return _sql(aggregates, chosen)


def _sql(aggregates: dict[str, str], chosen: Sequence[str]) -> str:
    listed = "".join(f", {sql} AS {name}" for name, sql in aggregates.items())
    columns = "".join(f", {each}" for each in chosen)
    return f"SELECT {TRACE}{columns} FROM (SELECT {TRACE}{listed} FROM {TABLE} GROUP BY {TRACE})"  # noqa: S608
