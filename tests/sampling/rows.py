"""Batches of spans and log records that carry chosen sampling information."""

from collections.abc import Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.batch import Batch
from spanmill.signal import Signal
from tests.data import batch_of, key_value


def trace_id(randomness: int) -> bytes:
    """A trace id whose low 56 bits are these; the others are set, as they may be."""
    return b"\xff" * 9 + randomness.to_bytes(7, "big")


def spans(rows: Sequence[tuple[int, str]]) -> Batch:
    """A span for each randomness and tracestate."""
    request = ExportTraceServiceRequest()
    items = request.resource_spans.add().scope_spans.add().spans
    for number, (randomness, state) in enumerate(rows):
        items.add(trace_id=trace_id(randomness), span_id=number.to_bytes(8, "big"), trace_state=state, name="chat")
    return batch_of(request)


def log_records(rows: Sequence[tuple[int, dict[str, str]]]) -> Batch:
    """A log record for each randomness and attributes."""
    request = ExportLogsServiceRequest()
    items = request.resource_logs.add().scope_logs.add().log_records
    for randomness, attributes in rows:
        items.add(trace_id=trace_id(randomness), attributes=[key_value(*each) for each in attributes.items()])
    return batch_of(request, Signal.LOGS)


def states(batch: Batch) -> list[str]:
    """The tracestates as they are, empty for none."""
    texts: list[str] = batch.records.column("trace_state").to_pylist()
    return texts
