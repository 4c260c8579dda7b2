"""Batches of spans with LLM columns, as the normaliser leaves them, and an llm_cost that prices them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.names import Kind
from spanmill.otlp.codec import decode
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.llm_cost.processor import LlmCostProcessor
from spanmill.schema import TABLES
from spanmill.signal import Signal
from tests.processors.building import entries, pairs, settings

START = 1_790_000_000_000_000_000
"""2026-09-21T14:13:20Z in nanoseconds."""
SECOND = 10**9


@dataclass(frozen=True)
class Row:
    """A span: ids as small numbers, 0 for no parent, and LLM columns by name."""

    id: int
    parent: int = 0
    trace: int = 1
    start: int = START
    seconds: float = 1.0
    failed: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


def call(id: int, parent: int = 0, *, trace: int = 1, tokens: int | None = 1000, **more: Any) -> Row:  # noqa: A002
    """A call of gpt-4o, 2.50 USD per million input tokens and 10 per million output tokens; half as many of these."""
    fields = {name: more.pop(name) for name in ("start", "seconds", "failed", "attributes") if name in more}
    columns = {
        "is_llm_call": True,
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "input_tokens": tokens,
        "output_tokens": None if tokens is None else tokens // 2,
    }
    return Row(id, parent, trace, columns=columns | more, **fields)


COST_OF_CALL = 1000 * 2_500 + 500 * 10_000
"""Nano-USD of `call()`."""


def batch_of(rows: Sequence[Row]) -> Batch:
    """The rows as a batch of spans, in this order."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for row in rows:
        span = spans.add(
            trace_id=row.trace.to_bytes(16, "big"),
            span_id=row.id.to_bytes(8, "big"),
            parent_span_id=row.parent.to_bytes(8, "big") if row.parent else b"",
            start_time_unix_nano=row.start,
            end_time_unix_nano=row.start + int(row.seconds * SECOND),
            attributes=entries(pairs(**row.attributes)),
        )
        span.status.code = Status.STATUS_CODE_ERROR if row.failed else Status.STATUS_CODE_UNSET
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [request.SerializeToString()]).records)
    types = TABLES[Signal.TRACES].schema
    for name in sorted({name for row in rows for name in row.columns}):
        values = pa.array([row.columns.get(name) for row in rows], types.field(name).type)
        batch = batch.with_record_column(name, values)
    return batch


def processor(component: Settings | None = None, **config: Any) -> LlmCostProcessor:
    """An llm_cost of this configuration, as its YAML."""
    model = LlmCostProcessorConfig.model_validate(config)
    return LlmCostProcessor(model, component or settings(Kind.PROCESSORS, "llm_cost"))


def priced(rows: Sequence[Row], component: Settings | None = None, **config: Any) -> list[dict[str, Any]]:
    """The columns that a new llm_cost gives these rows in one batch."""
    return columns_of(processor(component, **config)(batch_of(rows)))


def columns_of(batch: Batch) -> list[dict[str, Any]]:
    names = ["is_llm_call", "input_cost_usd", "output_cost_usd", "cost_usd", "price_source", "tokens_estimated"]
    rows: list[dict[str, Any]] = batch.table([*names, "input_tokens", "output_tokens", "total_tokens"]).to_pylist()
    return rows


def nano(usd: Any) -> int | None:
    """A cost in whole nano-USD."""
    return None if usd is None else int(usd * 10**9)
