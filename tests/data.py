"""Small OTLP requests and batches, made with protobuf's own messages."""

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanmill.batch import Batch
from spanmill.journal.memory import MemoryJournal
from spanmill.otlp.codec import decode
from spanmill.signal import Signal

START = 1_760_000_000_000_000_000
"""2025-10-09T08:53:20Z in nanoseconds."""


def key_value(key: str, value: str | bool | float) -> KeyValue:
    """An attribute of the type that the value has."""
    message = AnyValue()
    setattr(
        message, {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)], value
    )
    return KeyValue(key=key, value=message)


def traces(count: int = 1, *, first: int = 1, service: str = "shop", name: str = "chat") -> ExportTraceServiceRequest:
    """A request of `count` spans whose ids are `first`, `first + 1`, ..."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(key_value("service.name", service))
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "tests", "1"
    for number in range(first, first + count):
        scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name=name,
            kind=3,
            start_time_unix_nano=START + number,
            end_time_unix_nano=START + number + 2_500_000,
            attributes=[key_value("gen_ai.request.model", "gpt-4o"), key_value("gen_ai.usage.input_tokens", number)],
        )
    return request


def batch_of(request: Message, signal: Signal = Signal.TRACES) -> Batch:
    """The request's rows."""
    return Batch(signal, decode(signal, [request.SerializeToString()]).records)


def spans(count: int = 1, first: int = 1) -> Batch:
    """A batch of spans with ids from `first`."""
    return batch_of(traces(count, first=first))


def span_ids(batch: Batch) -> list[int]:
    """The ids that `traces` gave, as numbers."""
    return [int(text, 16) for text in batch.column("span_id").to_pylist()]


def packed_size(batch: Batch) -> int:
    """The bytes that a batch counts for in a journal in memory."""
    return MemoryJournal(0).pack(batch).size
