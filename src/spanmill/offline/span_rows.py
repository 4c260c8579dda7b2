"""Rows of any input as spans, which is what evaluators ask about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from spanmill.exporters.duckdb.catalogue import quoted, quoted_name
from spanmill.judge.evaluator import Evaluator
from spanmill.offline.examples import row_id
from spanmill.offline.inputs import Opened
from spanmill.offline.mistakes import Mistake
from spanmill.query.values import plain_values
from spanmill.schema import SPANS
from spanmill.schema.table import conform

_UNREAD: Final = frozenset({"events", "links", "otlp"})
"""Large, and nothing that is asked about."""
_OWN: Final = "own_id"


class Spans:
    """Spans by their public columns. Implements `judge.sources.Rows`."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> pa.Array:
        """Nulls where nothing is known."""
        return self.table.column(name).combine_chunks()

    def where(self, rows: npt.NDArray[np.bool_]) -> "Spans":
        """Some of them."""
        return Spans(self.table.filter(pa.array(rows)))


@dataclass(frozen=True)
class Chunk:
    """Some rows of an input."""

    rows: Spans
    ids: Mapping[tuple[str, str], str]
    """Each row's own id, by its trace and span."""
    made_up: frozenset[tuple[str, str]]
    """Traces and spans of rows that have none of their own."""
    labels: Mapping[str, Any]
    """By row's id, where there is one."""
    trace: Spans
    """All spans of these traces."""


def chunks(
    source: Opened, where: str, label: str, *, beside: Opened | None, rows_at_once: int = 500
) -> Iterator[Chunk]:
    """`label`: the column of people's labels; empty for none. `beside`: the same input once more, where other spans of
    the traces are wanted. In an order that is the same each time. Raises `Mistake`."""
    marked = source.column(label) if label else "NULL"
    read = [name for name in source.columns if name not in _UNREAD]
    columns = ", ".join([*map(quoted_name, read), f"{marked} AS {_OWN}"])
    order = "ORDER BY start_time, trace_id, span_id" if source.spans else ""
    number, seen = 0, set[str]()
    for batch in source.reader(columns, where, order, rows_at_once):
        table = pa.Table.from_batches([batch])
        labels = plain_values(batch.column(_OWN))
        if source.spans:
            yield _of_spans(beside, table.drop_columns([_OWN]), labels)
        else:
            yield _of_lines(batch, read, labels, number, seen)
        number += len(batch)


def fitting(rows: Spans, evaluator: Evaluator) -> npt.NDArray[np.bool_]:
    """For each row whether the evaluator's condition is true. Raises `Mistake`."""
    if not evaluator.where:
        return np.ones(len(rows), bool)
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.register("spans", rows.table)
        try:
            held = connection.sql(f"SELECT coalesce(({evaluator.where}\n), false) AS fits FROM spans").to_arrow_table()  # noqa: S608
        except duckdb.Error as error:
            raise Mistake(f"{evaluator.name}: where: {str(error).splitlines()[0]}") from None
    return np.asarray(held.column("fits").to_numpy(), bool)


def _of_spans(beside: Opened | None, table: pa.Table, labels: list[Any]) -> Chunk:
    rows = Spans(_as_spans(table))
    pairs = [
        (trace or "", span or "")
        for trace, span in zip(*(rows.column(name).to_pylist() for name in ("trace_id", "span_id")), strict=True)
    ]
    ids = {pair: ":".join(pair) for pair in pairs}
    marked = {ids[pair]: label for pair, label in zip(pairs, labels, strict=True) if label is not None}
    trace = rows
    if beside is not None:
        chosen = ", ".join(quoted(trace_id) for trace_id in sorted({pair[0] for pair in pairs}))
        names = ", ".join(quoted_name(name) for name in table.column_names)
        trace = Spans(_as_spans(beside.select(names, f"trace_id IN ({chosen})", "ORDER BY start_time, span_id")))
    return Chunk(rows, ids, frozenset(), marked, trace)


def _of_lines(batch: pa.RecordBatch, names: list[str], labels: list[Any], number: int, seen: set[str]) -> Chunk:
    """`seen`: ids of earlier rows; these are added."""
    columns = {name: plain_values(batch.column(name)) for name in names}
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    spans, ids, marked, made_up = [], {}, {}, set()
    for index, (line, label) in enumerate(zip(lines, labels, strict=True)):
        own = row_id(line, number + index)
        digest = blake2b(own.encode(), digest_size=24).hexdigest()
        pair = (line.get("trace_id") or digest[:32], line.get("span_id") or digest[32:])
        if own in seen or pair in ids:
            raise Mistake(f'two rows have the id "{own}"; expected one of its own for each')
        seen.add(own)
        ids[pair] = own
        if not line.get("trace_id"):
            made_up.add(pair)
        spans.append(_as_span(line) | {"trace_id": pair[0], "span_id": pair[1]})
        if label is not None:
            marked[own] = label
    table = pa.table({name: pa.array([span.get(name) for span in spans], _TYPES[name]) for name in _TYPES})
    rows = Spans(_as_spans(table))
    return Chunk(rows, ids, frozenset(made_up), marked, rows)


_TYPES: Final = {
    field.name: field.type
    for field in SPANS.schema
    if pa.types.is_string(field.type) or field.name in ("attributes", "is_llm_call", "sample_weight")
}
"""The columns that lines may fill: texts, and these."""


def _as_span(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line's values under the names that spans have for them; what spans have no column for is an attribute."""
    metadata = _object(line.get("metadata"))
    known = {**metadata, **{name: value for name, value in line.items() if value is not None and name != "metadata"}}
    span: dict[str, Any] = {name: _text(value) for name, value in known.items() if name in _TYPES}
    span["documents"] = _text(known.get("documents", known.get("context")))
    weight = known.get("sample_weight")
    span["sample_weight"] = float(weight) if isinstance(weight, int | float) else None
    span["is_llm_call"] = known.get("is_llm_call", True) is True
    others = {name: _text(value) for name, value in known.items() if name not in _TYPES}
    span["attributes"] = list((_object(known.get("attributes")) | others).items())
    return span


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _as_spans(table: pa.Table) -> pa.Table:
    held = [name for name in table.column_names if name in SPANS.schema.names]
    try:
        return conform(table.select(held), SPANS.schema)
    except pa.ArrowException as error:
        raise Mistake(f"columns that spans have too are of other types: {error}") from None
