"""Stores as real exporters write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.llm.evaluations import Evaluation
from spanmill.llm.evaluations import batch_of as evaluations_batch
from spanmill.schema import SPANS
from spanmill.signal import Signal
from tests.data import START, spans
from tests.exporters.parquet.test_parquet_exporter import running

Row = Mapping[str, Any]


def message(role: str, text: str) -> str:
    """A column's messages: one, of that role."""
    return orjson.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()


def call(question: str, answer: str, **columns: Any) -> Row:
    """The columns of an LLM call."""
    return {"input": message("user", question), "output": message("assistant", answer), **columns}


def trace_id(number: int) -> str:
    """Of the span `number`, from 1: each has a trace of its own."""
    return f"{number:032x}"


def span_id(number: int) -> str:
    """The same of the span itself."""
    return f"{number:016x}"


def batch(rows: Sequence[Row]) -> Batch:
    """Spans 1, 2, ... with these columns; `attributes` are not among what can be set."""
    records = spans(len(rows)).records
    for name in dict.fromkeys(name for row in rows for name in row):
        column = pa.array([row.get(name) for row in rows], SPANS.schema.field(name).type)
        records = records.append_column(name, column)
    return Batch(Signal.TRACES, records)


def evaluation(number: int, name: str, score: float | None, **more: Any) -> Evaluation:
    """A verdict on span `number`; a judge's unless it is said."""
    values: dict[str, Any] = {"source": "judge", "span_id": span_id(number), "time_unix_nano": START + 10**9, **more}
    return Evaluation(name=name, trace_id=trace_id(number), score=score, **values)


async def store(directory: Path, rows: Sequence[Row], evaluations: Sequence[Evaluation] = ()) -> Path:
    """A directory as a parquet exporter leaves it."""
    async with running(directory) as exporter:
        await exporter.export(batch(rows), Position("j", 0, 0))
    if evaluations:
        async with running(directory) as exporter:
            logs = evaluations_batch(evaluations, resource_attributes={"service.name": "shop"})
            await exporter.export(logs, Position("k", 0, 0))
    return directory
