"""The judge's own calls as spans: what they took, what they cost, and which span they were about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from spanmill import __version__
from spanmill.batch import Batch
from spanmill.judge.model import Reply
from spanmill.judge.questions import Question
from spanmill.otlp.codec import decode
from spanmill.processors.llm_judge.marks import ATTRIBUTE, SCOPE
from spanmill.schema import SPANS
from spanmill.signal import Signal

_OPERATION: Final = "chat"
_SERVICE: Final = "spanmill"
_NANO: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCall:
    """One question that a model was asked, answered or not."""

    trace_id: bytes
    span_id: bytes
    start_ns: int
    """Nanoseconds since 1970."""
    end_ns: int
    provider: str
    model: str
    question: Question
    reply: Reply | None
    """None: there was no answer."""
    error_type: str = ""
    """Why there is no verdict; empty when there is one."""


def batch_of(calls: Sequence[OwnCall]) -> Batch:
    """The calls as spans with the columns about LLM calls filled: no processor sees them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_entry("service.name", _SERVICE))
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = SCOPE, __version__
    scope.spans.extend(map(_span, calls))
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [request.SerializeToString()]).records)
    rows = [_values(call) for call in calls]
    columns = {name: pa.array([row.get(name) for row in rows], SPANS.column(name).type) for name in _FILLED}
    return batch.with_record_columns(columns)


def _span(call: OwnCall) -> Span:
    span = Span(
        trace_id=call.trace_id,
        span_id=call.span_id,
        name=f"{_OPERATION} {call.model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=call.start_ns,
        end_time_unix_nano=call.end_ns,
        attributes=[_entry(key, value) for key, value in _attributes(call).items() if value not in (None, "")],
    )
    judged = call.question
    span.links.add(trace_id=bytes.fromhex(judged.trace_id), span_id=bytes.fromhex(judged.span_id))
    if call.error_type:
        span.status.code = Status.STATUS_CODE_ERROR
    return span


def _attributes(call: OwnCall) -> Mapping[str, Any]:
    reply = call.reply
    told: dict[str, Any] = (
        {}
        if reply is None
        else {
            "gen_ai.response.model": reply.model,
            "gen_ai.response.id": reply.response_id,
            "gen_ai.usage.input_tokens": reply.input_tokens,
            "gen_ai.usage.output_tokens": reply.output_tokens,
        }
    )
    return {
        ATTRIBUTE: True,
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.evaluation.name": call.question.evaluator,
        "error.type": call.error_type,
        **told,
    }


_FILLED: Final = (
    "operation", "provider", "request_model", "feature", "error_type", "dialect", "is_llm_call", "input_tokens",
    "output_tokens", "total_tokens", "retries", "response_model", "response_id", "finish_reason", "cost_usd",
)  # fmt: skip


def _values(call: OwnCall) -> Mapping[str, Any]:
    """What the columns of the table have that the attributes say the same of."""
    known: dict[str, Any] = {
        "operation": _OPERATION,
        "provider": call.provider,
        "request_model": call.model,
        "feature": SCOPE,
        "error_type": call.error_type or None,
        "dialect": "gen_ai",
        "is_llm_call": True,
    }
    reply = call.reply
    if reply is None:
        return known
    cost = reply.cost_nano_usd
    return known | {
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "retries": reply.attempts - 1,
        "response_model": reply.model or None,
        "response_id": reply.response_id or None,
        "finish_reason": reply.finish_reason or None,
        "cost_usd": None if cost is None else Decimal(cost).scaleb(-_NANO),
    }


def _entry(key: str, value: str | bool | float) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=str(value)))
