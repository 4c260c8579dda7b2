"""OpenTelemetry's Python SDK as a sender: what it hands to its exporters is recorded, and said in the tables' words."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from spanmill.generate.options import Protocol
from spanmill.generate.senders import exporters

Row = dict[str, Any]
_ATTRIBUTES: dict[str, Any] = {
    "text": '안녕하세요, 世界 — "quoted"\nsecond line',
    "whole": 2**53 + 1,
    "negative": -7,
    "half": 0.5,
    "yes": True,
    "list": ["eins", "zwei", "三"],
    "numbers": [1, 2, 3],
    "empty": "",
}
_ELSEWHERE = SpanContext(
    0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(1), TraceState([("vendor", "x1")])
)


class Recorded:
    """An exporter of the SDK; keeps what it was handed, and whether it was accepted, and passes it on."""

    def __init__(self, exporter: Any) -> None:
        self.handed: list[Any] = []
        self.results: list[str] = []
        export = exporter.export

        def record(data: Any, *arguments: Any, **named: Any) -> Any:
            self.handed.append(data)
            result = export(data, *arguments, **named)
            self.results.append(result.name)
            return result

        exporter.export = record


def send(protocol: Protocol, target: str, *, gzip: bool, service: str) -> dict[str, list[Row]]:
    """Send spans, metrics and log records as a service; by table, the rows that they should become."""
    spans, metrics, logs = recorded = _sent(protocol, target, gzip, service)
    assert {result for each in recorded for result in each.results} == {"SUCCESS"}
    return {
        "spans": [row for batch in spans.handed for row in map(span_row, batch)],
        "metrics": [row for data in metrics.handed for row in metric_rows(data)],
        "logs": [row for batch in logs.handed for row in map(log_row, batch)],
    }


def outcomes(protocol: Protocol, target: str, *, service: str) -> list[set[str]]:
    """Send the same; what the SDK's exporters of spans, metrics and log records report."""
    return [set(each.results) for each in _sent(protocol, target, False, service)]


def _sent(protocol: Protocol, target: str, gzip: bool, service: str) -> tuple[Recorded, Recorded, Recorded]:
    resource = Resource.create({"service.name": service, "host.cpus": 8, "zones": ["a", "b"]})
    made = exporters(protocol, target, gzip=gzip)
    spans, metrics, logs = (Recorded(exporter) for exporter in made)
    _send_spans(made[0], resource)
    _send_metrics(made[1], resource)
    _send_logs(made[2], resource)
    return spans, metrics, logs


def _send_spans(exporter: Any, resource: Resource) -> None:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop", "1.2.3")
    for kind in SpanKind:
        link = Link(_ELSEWHERE, {"why": "follows", "n": 2})
        with tracer.start_as_current_span(
            f"{kind.name} parent", kind=kind, attributes=_ATTRIBUTES, links=[link]
        ) as parent:
            parent.add_event("looked up", {"rows": 3, "store": "cache"}, time.time_ns())
            with tracer.start_as_current_span("child") as child:
                child.set_status(Status(StatusCode.OK))
            with tracer.start_as_current_span("broken") as broken:
                broken.record_exception(ValueError("no such order"))
                broken.set_status(Status(StatusCode.ERROR, "no such order"))
    provider.get_tracer("bare").start_span("no version, no attributes").end()
    provider.shutdown()


def _send_metrics(exporter: Any, resource: Resource) -> None:
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    fine = View(instrument_name="payload.size", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], resource=resource, views=[fine], shutdown_on_exit=False)
    meter = provider.get_meter("shop", "1.2.3")
    labels = {"route": "/ask", "language": "ko"}
    meter.create_counter("requests", "{request}", "Requests answered.").add(7, labels)
    meter.create_counter("paid", "USD").add(0.125, labels)
    meter.create_up_down_counter("queue.length").add(-3, labels)
    meter.create_gauge("temperature", "Cel").set(21.5, labels)
    meter.create_observable_gauge("sessions", [lambda _: [Observation(12, labels)]])
    durations = meter.create_histogram("duration", "s", explicit_bucket_boundaries_advisory=[0.1, 1.0, 10.0])
    sizes = meter.create_histogram("payload.size", "By")
    for value in (0.05, 0.5, 5.0, 50.0):
        durations.record(value, labels)
        sizes.record(value * 1000, labels)
    provider.shutdown()


def _send_logs(exporter: Any, resource: Resource) -> None:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("shop", "1.2.3")
    now = time.time_ns()
    logger.emit(
        LogRecord(
            timestamp=now,
            observed_timestamp=now + 1_001,
            severity_number=SeverityNumber.WARN,
            severity_text="WARNING",
            body="재고가 부족합니다",
            attributes=_ATTRIBUTES,
        )
    )
    evaluated: Any = {"score": 0.75, "label": "good", "notes": ["short", "kind"]}
    logger.emit(
        LogRecord(
            timestamp=now + 7,
            observed_timestamp=now + 8,
            body=evaluated,
            event_name="gen_ai.evaluation.result",
            context=set_span_in_context(NonRecordingSpan(_ELSEWHERE)),
        )
    )
    provider.shutdown()


def as_text(value: Any) -> str:
    """An attribute value as the tables have it: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    value = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    """A map column."""
    return {key: as_text(value) for key, value in (attributes or {}).items()}


def _envelope(resource: Any, scope: Any) -> Row:
    return {
        "service_name": resource.attributes["service.name"],
        "scope_name": scope.name,
        "scope_version": scope.version or None,
        "resource_attributes": texts(resource.attributes),
    }


def span_row(span: Any) -> Row:
    """The row that a span of the SDK should become."""
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "trace_state": span.context.trace_state.to_header() or None,
        "flags": 0x100,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start_time": span.start_time,
        "end_time": span.end_time,
        "duration_ms": (span.end_time - span.start_time) / 1e6,
        "status_code": span.status.status_code.name.lower(),
        "status_message": span.status.description,
        **_envelope(span.resource, span.instrumentation_scope),
        "attributes": texts(span.attributes),
        "events": [{"time": e.timestamp, "name": e.name, "attributes": texts(e.attributes)} for e in span.events],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                "trace_state": None,  # this SDK does not send it
                "attributes": texts(link.attributes),
            }
            for link in span.links
        ],
    }


_KINDS = {"Gauge": "gauge", "Sum": "sum", "Histogram": "histogram", "ExponentialHistogram": "exponential_histogram"}
_TEMPORALITIES = {0: "unspecified", 1: "delta", 2: "cumulative"}
_POINT_COLUMNS = (
    "value",
    "value_int",
    "count",
    "sum",
    "min",
    "max",
    "explicit_bounds",
    "bucket_counts",
    "scale",
    "zero_count",
    "positive",
    "negative",
)


def metric_rows(data: Any) -> Iterator[Row]:
    """The rows that a collection of the SDK should become, one for each point."""
    for of_resource in data.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                envelope = _envelope(of_resource.resource, of_scope.scope)
                yield from (_metric_row(metric, point) | envelope for point in metric.data.data_points)


def _metric_row(metric: Any, point: Any) -> Row:
    kind = _KINDS[type(metric.data).__name__]
    return {
        **dict.fromkeys(_POINT_COLUMNS),
        "name": metric.name,
        "description": metric.description or None,
        "unit": metric.unit or None,
        "type": kind,
        "temporality": _TEMPORALITIES[int(getattr(metric.data, "aggregation_temporality", 0))],
        "is_monotonic": getattr(metric.data, "is_monotonic", False),
        "start_time": point.start_time_unix_nano,
        "time": point.time_unix_nano,
        "flags": 0,
        "attributes": texts(point.attributes),
        **_point_values(kind, point),
    }


def _point_values(kind: str, point: Any) -> Row:
    if kind in ("gauge", "sum"):
        return {"value": float(point.value), "value_int": point.value if isinstance(point.value, int) else None}
    values = {"count": point.count, "sum": point.sum, "min": point.min, "max": point.max}
    if kind == "histogram":
        return values | {"explicit_bounds": list(point.explicit_bounds), "bucket_counts": list(point.bucket_counts)}
    buckets = {
        name: {"offset": side.offset, "bucket_counts": list(side.bucket_counts)}
        for name, side in (("positive", point.positive), ("negative", point.negative))
    }
    return values | {"scale": point.scale, "zero_count": point.zero_count} | buckets


def log_row(readable: Any) -> Row:
    """The row that a log record of the SDK should become."""
    record = readable.log_record
    return {
        "time": record.timestamp,
        "observed_time": record.observed_timestamp,
        "trace_id": f"{record.trace_id:032x}" if record.trace_id else None,
        "span_id": f"{record.span_id:016x}" if record.span_id else None,
        "flags": int(record.trace_flags or 0),
        "severity_number": record.severity_number.value if record.severity_number else 0,
        "severity_text": record.severity_text,
        "event_name": record.event_name,
        "body": as_text(record.body),
        **_envelope(readable.resource, readable.instrumentation_scope),
        "attributes": texts(record.attributes),
    }


def names_of(rows: Iterable[Row]) -> set[str]:
    """The distinct names of rows."""
    return {row["name"] for row in rows}
