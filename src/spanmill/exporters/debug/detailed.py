"""Verbosity `detailed`: every field, in the layout that people know from the Collector."""

from collections.abc import Callable, Iterator
from typing import Any

from spanmill.exporters.debug.metric_detail import metric_lines
from spanmill.exporters.debug.text import attribute_lines, enum_name, time, value
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_TITLES = {Signal.TRACES: "Spans", Signal.METRICS: "Metrics", Signal.LOGS: "Logs"}
_ITEMS = {Signal.TRACES: "Span", Signal.METRICS: "Metric", Signal.LOGS: "LogRecord"}
_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS_CODES = ("Unset", "Ok", "Error")
_LEVELS = ("Trace", "Debug", "Info", "Warn", "Error", "Fatal")
_SEVERITIES = ("Unspecified", *(f"{level}{step}" for level in _LEVELS for step in ("", "2", "3", "4")))


def lines(signal: Signal, request: Any) -> Iterator[str]:
    """The lines of an `Export<Signal>ServiceRequest`."""
    service, title = SERVICES[signal], _TITLES[signal]
    for number, group in enumerate(getattr(request, service.resources)):
        yield f"Resource{title} #{number}"
        yield f"Resource SchemaURL: {group.schema_url}"
        yield from _titled_attributes("Resource attributes:", group.resource.attributes)
        for scope_number, scope in enumerate(getattr(group, service.scopes)):
            yield f"Scope{title} #{scope_number}"
            yield f"Scope{title} SchemaURL: {scope.schema_url}"
            yield f"InstrumentationScope {scope.scope.name} {scope.scope.version}"
            yield from _titled_attributes("InstrumentationScope attributes:", scope.scope.attributes)
            for item_number, item in enumerate(getattr(scope, service.items)):
                yield f"{_ITEMS[signal]} #{item_number}"
                yield from _LINES[signal](item)


def _titled_attributes(title: str, attributes: Any) -> Iterator[str]:
    if attributes:
        yield title
        yield from attribute_lines(attributes)


def _span_lines(span: Any) -> Iterator[str]:
    yield f"    Trace ID       : {span.trace_id.hex()}"
    yield f"    Parent ID      : {span.parent_span_id.hex()}"
    yield f"    ID             : {span.span_id.hex()}"
    yield f"    Name           : {span.name}"
    yield f"    Kind           : {enum_name(span.kind, _KINDS)}"
    yield f"    TraceState     : {span.trace_state}"
    yield f"    Flags          : {span.flags}"
    yield f"    Start time     : {time(span.start_time_unix_nano)}"
    yield f"    End time       : {time(span.end_time_unix_nano)}"
    yield f"    Status code    : {enum_name(span.status.code, _STATUS_CODES)}"
    yield f"    Status message : {span.status.message}"
    for name in ("attributes", "events", "links"):
        if dropped := getattr(span, f"dropped_{name}_count"):
            yield f"    Dropped {name}: {dropped}"
    yield from _titled_attributes("Attributes:", span.attributes)
    yield from _event_lines(span.events)
    yield from _link_lines(span.links)


def _event_lines(events: Any) -> Iterator[str]:
    if events:
        yield "Events:"
    for number, event in enumerate(events):
        yield f"SpanEvent #{number}"
        yield f"     -> Name: {event.name}"
        yield f"     -> Timestamp: {time(event.time_unix_nano)}"
        yield from _nested_attributes(event)


def _link_lines(links: Any) -> Iterator[str]:
    if links:
        yield "Links:"
    for number, link in enumerate(links):
        yield f"SpanLink #{number}"
        yield f"     -> Trace ID: {link.trace_id.hex()}"
        yield f"     -> ID: {link.span_id.hex()}"
        yield f"     -> TraceState: {link.trace_state}"
        yield f"     -> Flags: {link.flags}"
        yield from _nested_attributes(link)


def _nested_attributes(owner: Any) -> Iterator[str]:
    yield f"     -> DroppedAttributesCount: {owner.dropped_attributes_count}"
    if owner.attributes:
        yield "     -> Attributes:"
        yield from attribute_lines(owner.attributes, indent="     ")


def _log_lines(record: Any) -> Iterator[str]:
    yield f"ObservedTimestamp: {time(record.observed_time_unix_nano)}"
    yield f"Timestamp: {time(record.time_unix_nano)}"
    yield f"SeverityText: {record.severity_text}"
    yield f"SeverityNumber: {enum_name(record.severity_number, _SEVERITIES)}({record.severity_number})"
    if record.event_name:
        yield f"EventName: {record.event_name}"
    yield f"Body: {value(record.body)}"
    yield from _titled_attributes("Attributes:", record.attributes)
    if record.dropped_attributes_count:
        yield f"Dropped attributes: {record.dropped_attributes_count}"
    yield f"Trace ID: {record.trace_id.hex()}"
    yield f"Span ID: {record.span_id.hex()}"
    yield f"Flags: {record.flags}"


_LINES: dict[Signal, Callable[[Any], Iterator[str]]] = {
    Signal.TRACES: _span_lines,
    Signal.METRICS: metric_lines,
    Signal.LOGS: _log_lines,
}
