"""Spans, metric points and log records that carry the ids they are counted by, raw and as the SDK's own objects."""

import time
from random import Random

from opentelemetry._logs import LogRecord
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from tests.delivery.crashes.ledger import text_of

_SERVICE = "crashing"
_RESOURCE = Resource({"service.name": _SERVICE})
_SCOPE = InstrumentationScope("crashes", "1")
_HOURS = 3
_NANOSECONDS_PER_HOUR = 3_600_000_000_000
_LONG_EVERY = 8
_LONG_BYTES = 40_000
"""Now and then a span carries a text that does not compress, so that a journal fills segment after segment."""


def _trace_id(identity: int) -> int:
    return 0x5BAD << 112 | identity >> 3


def _moment(identity: int) -> int:
    """Some hours ago, each item in one of a few: stores put files together only of hours that are over."""
    return time.time_ns() - (2 + identity % _HOURS) * _NANOSECONDS_PER_HOUR


def raw_spans(ids: range) -> bytes:
    """A serialized request."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="service.name").value.string_value = _SERVICE
    spans = of_resource.scope_spans.add().spans
    for identity in ids:
        start = _moment(identity)
        span = spans.add(
            trace_id=_trace_id(identity).to_bytes(16, "big"),
            span_id=identity.to_bytes(8, "big"),
            name="raw",
            start_time_unix_nano=start,
            end_time_unix_nano=start + 1_000_000,
        )
        span.attributes.add(key="id").value.string_value = text_of(identity)
        if identity % _LONG_EVERY == 0:
            span.attributes.add(key="text").value.string_value = Random(identity).randbytes(_LONG_BYTES // 2).hex()
    return request.SerializeToString()


def sdk_spans(ids: range) -> list[ReadableSpan]:
    """What an SDK hands to its span exporter."""
    return [
        ReadableSpan(
            "sdk",
            SpanContext(_trace_id(identity), identity, is_remote=False, trace_flags=TraceFlags(1)),
            resource=_RESOURCE,
            attributes=_tag(identity),
            start_time=_moment(identity),
            end_time=_moment(identity) + 1_000_000,
            instrumentation_scope=_SCOPE,
        )
        for identity in ids
    ]


def sdk_logs(ids: range) -> list[ReadableLogRecord]:
    """What an SDK hands to its exporter of log records."""
    return [
        ReadableLogRecord(
            LogRecord(
                timestamp=_moment(identity),
                observed_timestamp=_moment(identity),
                body=text_of(identity),
                attributes=_tag(identity),
            ),
            _RESOURCE,
            _SCOPE,
        )
        for identity in ids
    ]


def sdk_metrics(ids: range) -> MetricsData:
    """What an SDK hands to its metric exporter."""
    points = [NumberDataPoint(_tag(identity), 0, _moment(identity), identity) for identity in ids]
    gauge = Metric("gauge", "", "1", Gauge(points))
    return MetricsData([ResourceMetrics(_RESOURCE, [ScopeMetrics(_SCOPE, [gauge], "")], "")])


def _tag(identity: int) -> dict[str, str]:
    return {"id": text_of(identity)}
