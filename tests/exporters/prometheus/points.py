"""Metrics as a sender would make them, and an exporter with its page."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from spanmill.batch import Batch
from spanmill.component import Position, Settings
from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.exporters.prometheus.exporter import PrometheusExporter
from spanmill.names import ComponentId, Kind
from spanmill.otlp.codec import decode
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Format, merge, render
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

T0 = 1_700_000_000_000_000_000
DELTA, CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_DELTA, otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
UNSPECIFIED = otlp.AGGREGATION_TEMPORALITY_UNSPECIFIED


def attributes(**values: Any) -> list[KeyValue]:
    kinds = {str: "string_value", int: "int_value", float: "double_value", bool: "bool_value"}
    return [KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value})) for key, value in values.items()]


def gauge(name: str, value: float, unit: str = "", at: int = 0, **labels: Any) -> otlp.Metric:
    return otlp.Metric(name=name, unit=unit, gauge=otlp.Gauge(data_points=[number(value, at, labels=labels)]))


def number(
    value: float, at: int = 0, start: int = 0, labels: dict[str, Any] | None = None, **more: Any
) -> otlp.NumberDataPoint:
    kind: dict[str, Any] = {"as_int" if isinstance(value, int) else "as_double": value}
    times: dict[str, Any] = {"time_unix_nano": T0 + at, "start_time_unix_nano": start and T0 + start}
    return otlp.NumberDataPoint(**kind, **times, attributes=attributes(**labels or {}), **more)


def counter(
    name: str,
    *points: otlp.NumberDataPoint,
    unit: str = "",
    temporality: otlp.AggregationTemporality.ValueType = CUMULATIVE,
    monotonic: bool = True,
) -> otlp.Metric:
    data = otlp.Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
    return otlp.Metric(name=name, unit=unit, sum=data)


def bucketed(
    counts: Sequence[int], bounds: Sequence[float], total: float | None = None, at: int = 0, start: int = 0, **more: Any
) -> otlp.HistogramDataPoint:
    return otlp.HistogramDataPoint(
        count=sum(counts),
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
        time_unix_nano=T0 + at,
        start_time_unix_nano=start and T0 + start,
        **more,
    )


def histogram(
    name: str,
    *points: otlp.HistogramDataPoint,
    unit: str = "",
    temporality: otlp.AggregationTemporality.ValueType = CUMULATIVE,
) -> otlp.Metric:
    return otlp.Metric(
        name=name, unit=unit, histogram=otlp.Histogram(data_points=points, aggregation_temporality=temporality)
    )


def request(
    *metrics: otlp.Metric, scope: InstrumentationScope | None = None, **resource: Any
) -> ExportMetricsServiceRequest:
    """Metrics of one resource; its attributes are written with `__` for the dots."""
    named = {key.replace("__", "."): value for key, value in resource.items()}
    scopes = [otlp.ScopeMetrics(scope=scope, metrics=metrics)]
    return ExportMetricsServiceRequest(
        resource_metrics=[otlp.ResourceMetrics(resource=Resource(attributes=attributes(**named)), scope_metrics=scopes)]
    )


def records(*requests: ExportMetricsServiceRequest) -> pa.RecordBatch:
    return decode(Signal.METRICS, [one.SerializeToString() for one in requests]).records


class Page:
    """An exporter that is fed directly, and its page as text."""

    def __init__(self, **config: Any) -> None:
        self.metrics = Metrics()
        model = PrometheusExporterConfig.model_validate({"endpoint": "127.0.0.1:0", **config})
        identity = ComponentId("prometheus")
        self.exporter = PrometheusExporter(
            model, Settings(Kind.EXPORTERS, identity, component_log("test", "test"), self.metrics)
        )

    async def send(self, *requests: ExportMetricsServiceRequest) -> None:
        await self.exporter.export(Batch(Signal.METRICS, records(*requests)), Position("j", 0, 0))

    def text(self, page: Format | None = None) -> str:
        page = page or Format()
        return render(merge(self.exporter.collect(), page.utf8).families, page)

    def lines(self, page: Format | None = None) -> list[str]:
        """The samples, without comments and `target_info`."""
        return [line for line in self.text(page).splitlines() if not line.startswith(("#", "target_info"))]

    def dropped(self, reason: str) -> float:
        return self.metrics.value("spanmill_prometheus_dropped_points", reason=reason)
