"""The values of a template's variables, from the columns of the judged spans and of other spans of their traces."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.judge import rendering
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.sources import QUESTION, Rows, Source

_ROLES: Final = {"input": "user", "output": "assistant", "system_instructions": "system"}
"""The columns that hold messages, and whose they are when these do not say."""


def values(rows: Rows, evaluator: Evaluator, trace: Rows) -> list[dict[str, str]]:
    """For each row the variables that have a value, shortened to their limits.

    `trace` has the spans among which those of the same trace are looked for.
    """
    found: list[dict[str, str]] = [{} for _ in range(len(rows))]
    for name, sources in evaluator.variables.items():
        for source in sources:
            waiting = [row for row, held in enumerate(found) if name not in held]
            if not waiting:
                break
            most = source.max_characters or evaluator.max_characters
            texts = of_trace(source, rows, trace) if source.of_trace else of_rows(source, rows)
            for row in waiting:
                if text := texts[row]:
                    found[row][name] = rendering.shortened(text, most)
    # In the template's order, whichever source had the value: equal questions are to be equal texts.
    return [{name: held[name] for name in evaluator.variables if name in held} for held in found]


def of_rows(source: Source, rows: Rows) -> list[str]:
    """The source's text in each row, empty where there is none."""
    return _texts(source, rows.column(source.held_in))


def of_trace(source: Source, rows: Rows, trace: Rows) -> list[str]:
    """For each row the source's texts in the spans of its trace that do the operation, in order of their starts.

    Only spans that began before the judged one ended: what came later cannot have been known to it.
    """
    trace_ids = rows.column("trace_id")
    same_trace = pc.is_in(trace.column("trace_id"), pc.drop_null(pc.unique(trace_ids)))
    fitting = pc.indices_nonzero(pc.and_kleene(same_trace, pc.equal(trace.column("operation"), source.operation)))
    columns = [trace.column("trace_id"), trace.column("start_time").cast("int64"), trace.column(source.held_in)]
    theirs, starts, held = (column.take(fitting) for column in columns)
    there: dict[str, list[tuple[int, str]]] = {}
    for trace_id, start, text in zip(theirs.to_pylist(), starts.to_pylist(), _texts(source, held), strict=True):
        there.setdefault(trace_id, []).append((start or 0, text))
    for found in there.values():
        found.sort(key=itemgetter(0))  # spans that start together stay in the order in which they came
    ends = rows.column("end_time").cast("int64").to_pylist()
    return [
        _joined([text for start, text in there.get(trace_id, ()) if end is None or start <= end])
        for trace_id, end in zip(trace_ids.to_pylist(), ends, strict=True)
    ]


def _texts(source: Source, held: pa.Array) -> list[str]:
    """The source's text in each value of its column."""
    if source.attribute:
        return [_text("", dict(each or ()).get(source.attribute)) for each in held.to_pylist()]
    return [_text(source.column, each) for each in held.to_pylist()]


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(text for text in texts if text)


def _text(column: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if column == QUESTION:
        return rendering.last_question(str(value))
    if column in _ROLES:
        return rendering.conversation(str(value), _ROLES[column])
    if column == "documents":
        return rendering.documents(str(value))
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def missing(values: Mapping[str, str], required: frozenset[str]) -> str:
    """The first of the required variables that has no value; empty when all have one."""
    return min(required - values.keys(), default="")
