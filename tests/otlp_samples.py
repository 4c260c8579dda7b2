"""Small requests of each signal, as protobuf and as OTLP/JSON."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.signal import Signal

TRACE_ID, SPAN_ID = bytes(range(1, 17)), bytes(range(1, 9))


def traces(spans: int = 1, attributes: int = 2) -> bytes:
    """Spans as SDKs send them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = resource.scope_spans.add()
    for number in range(spans):
        span = scope.spans.add(name="chat", trace_id=TRACE_ID, span_id=SPAN_ID, kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = (
            1_700_000_000_000_000_000 + number,
            1_700_000_001_000_000_000,
        )
        for index in range(attributes):
            span.attributes.add(key=f"gen_ai.attribute.{index}").value.string_value = f"value {index}"
    return request.SerializeToString()


def metrics(points: int = 1) -> bytes:
    """A gauge."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load")
    for number in range(points):
        metric.gauge.data_points.add(time_unix_nano=1_700_000_000_000_000_000 + number, as_double=number / 2)
    return request.SerializeToString()


def logs(records: int = 1) -> bytes:
    """Log records with a text body."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(records):
        record = scope.log_records.add(time_unix_nano=1_700_000_000_000_000_000 + number, severity_number=9)
        record.body.string_value = "hello"
    return request.SerializeToString()


SAMPLES = {Signal.TRACES: traces(), Signal.METRICS: metrics(), Signal.LOGS: logs()}
