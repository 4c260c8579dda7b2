"""The judge's own calls as spans: what they took, what they cost, and which span they were about."""

from collections.abc import Mapping
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
from spanmill.llm.prices.money import USD
from spanmill.otlp.codec import decode
from spanmill.processors.llm_judge.marks import ATTRIBUTE, SCOPE
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


def batch_of(call: OwnCall) -> Batch:
    """The call as a span with the columns about LLM calls filled: no processor sees it."""
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [_request(call).SerializeToString()]).records)
    return batch.with_record_columns(_columns(call))


def _request(call: OwnCall) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_entry("service.name", _SERVICE))
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = SCOPE, __version__
    span = scope.spans.add(
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
    return request


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


def _columns(call: OwnCall) -> Mapping[str, pa.Array]:
    """The columns of the table that the attributes say the same of."""
    texts = {
        "operation": _OPERATION,
        "provider": call.provider,
        "request_model": call.model,
        "feature": SCOPE,
        "error_type": call.error_type or None,
        "dialect": "gen_ai",
    }
    columns = {name: pa.array([text], pa.string()) for name, text in texts.items()}
    columns["is_llm_call"] = pa.array([True])
    reply = call.reply
    if reply is not None:
        counts = {
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "retries": reply.attempts - 1,
        }
        columns |= {name: pa.array([count], pa.int64()) for name, count in counts.items()}
        told = {"response_model": reply.model, "response_id": reply.response_id, "finish_reason": reply.finish_reason}
        columns |= {name: pa.array([text or None], pa.string()) for name, text in told.items()}
        if reply.cost_nano_usd is not None:
            columns["cost_usd"] = pa.array([Decimal(reply.cost_nano_usd).scaleb(-_NANO)], USD)
    return columns


def _entry(key: str, value: str | bool | float) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=str(value)))
