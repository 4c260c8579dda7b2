"""Batches of spans and log records, made from Python values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanmill.batch import Batch
from spanmill.signal import Signal
from tests.data import START, batch_of

Value = str | bool | int | float | bytes | Sequence["Value"] | Mapping[str, "Value"]
Attributes = Mapping[str, Value]


@dataclass
class Row:
    """A span or a log record."""

    attributes: Attributes = field(default_factory=dict)
    scope: str = "tests"
    name: str = "work"
    """Of a log record: its event's name."""
    resource: Attributes = field(default_factory=dict)
    events: Sequence[tuple[str, int, Attributes]] = ()
    """Name, milliseconds after the start, attributes."""
    body: Value | None = None
    parent: int = 0
    error: bool = False
    milliseconds: float = 2.5


def any_value(value: Value) -> AnyValue:
    """The value as OTLP has it."""
    message = AnyValue()
    match value:
        case bool():
            message.bool_value = value
        case str():
            message.string_value = value
        case int():
            message.int_value = value
        case float():
            message.double_value = value
        case bytes():
            message.bytes_value = value
        case Mapping():
            message.kvlist_value.SetInParent()
            message.kvlist_value.values.extend(entries(value))
        case _:
            message.array_value.SetInParent()
            message.array_value.values.extend(any_value(element) for element in value)
    return message


def entries(attributes: Attributes) -> list[KeyValue]:
    """Attributes as OTLP has them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def spans(*rows: Row) -> Batch:
    """A batch with a span for each row, numbered from 1 and all of one trace."""
    request = ExportTraceServiceRequest()
    for number, row in enumerate(rows, 1):
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(entries(row.resource))
        scope = resource.scope_spans.add()
        scope.scope.name = row.scope
        span = scope.spans.add(
            trace_id=(1).to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            parent_span_id=row.parent.to_bytes(8, "big") if row.parent else b"",
            name=row.name,
            start_time_unix_nano=START,
            end_time_unix_nano=START + int(row.milliseconds * 1_000_000),
            attributes=entries(row.attributes),
        )
        if row.error:
            span.status.code = Status.STATUS_CODE_ERROR
        for name, milliseconds, attributes in row.events:
            span.events.add(name=name, time_unix_nano=START + milliseconds * 1_000_000, attributes=entries(attributes))
    return batch_of(request)


def logs(*rows: Row) -> Batch:
    """A batch with a log record for each row."""
    request = ExportLogsServiceRequest()
    for row in rows:
        scope = request.resource_logs.add().scope_logs.add()
        scope.scope.name = row.scope
        record = scope.log_records.add(
            time_unix_nano=START,
            event_name=row.name,
            attributes=entries(row.attributes),
            span_id=(1).to_bytes(8, "big"),
        )
        if row.body is not None:
            record.body.CopyFrom(any_value(row.body))
    return batch_of(request, Signal.LOGS)
