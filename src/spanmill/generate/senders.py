"""OpenTelemetry's SDK set up the way an application does it, for each protocol, with every failure counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import grpc
from opentelemetry._logs import Logger
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer

from spanmill.generate.options import Options, Protocol
from spanmill.signal import Signal

_SCOPE: Final = "spanmill.generate"
_TOKEN_BOUNDS: Final = [4.0**power for power in range(14)]
_SECOND_BOUNDS: Final = [0.01 * 2**power for power in range(14)]
"""Bucket bounds that the GenAI conventions advise for tokens and seconds."""
_QUEUE_ITEMS: Final = 8192
_EXPORT_ITEMS: Final = 512
_METRICS_MILLISECONDS: Final = 5_000


def exporters(protocol: Protocol, target: str, *, gzip: bool, timeout_seconds: float = 10.0) -> tuple[Any, Any, Any]:
    """The SDK's span, metric and log record exporters for a protocol; `target` is `http://host:port`."""
    if protocol is Protocol.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

        squeeze = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        makers: tuple[Any, Any, Any] = (GrpcSpans, GrpcMetrics, GrpcLogs)
        spans, metrics, logs = (make(endpoint=target, compression=squeeze, timeout=timeout_seconds) for make in makers)
        return spans, metrics, logs
    if protocol is Protocol.HTTP_PROTOBUF:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans

        makers, encoding = (HttpSpans, HttpMetrics, HttpLogs), Compression.Gzip if gzip else Compression.NoCompression
    else:
        from opentelemetry.exporter.otlp.common.http import Compression as JsonCompression
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonLogs
        from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter as JsonMetrics
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonSpans

        encoding = getattr(JsonCompression, "GZIP" if gzip else "NONE")
        makers = (JsonSpans, JsonMetrics, JsonLogs)
    paths = ("traces", "metrics", "logs")
    spans, metrics, logs = (
        make(endpoint=f"{target}/v1/{path}", compression=encoding, timeout=timeout_seconds)
        for make, path in zip(makers, paths, strict=True)
    )
    return spans, metrics, logs


class SeededIds(IdGenerator):
    """Trace and span ids that follow from a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1


@dataclass(slots=True)
class Tally:
    """What became of the exports, as the SDK's exporters saw it."""

    sent: int = 0
    failed: int = 0

    def watch(self, exporter: Any) -> Any:
        """The same exporter, with the result of each export counted here."""
        export: Callable[..., Any] = exporter.export

        def counted(*arguments: Any, **named: Any) -> Any:
            result = export(*arguments, **named)
            if result.name == "SUCCESS":
                self.sent += 1
            else:
                self.failed += 1
            return result

        exporter.export = counted
        return exporter


class Meters:
    """The instruments that an LLM application has, by the names of the GenAI conventions."""

    tokens: Histogram
    duration: Histogram
    requests: Counter

    def __init__(self, meter: Meter, sessions: Callable[[], int]) -> None:
        from opentelemetry.metrics import Observation

        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens used by a call.",
            explicit_bucket_boundaries_advisory=_TOKEN_BOUNDS,
        )
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Duration of a call.",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        )
        self.requests = meter.create_counter("app.requests", "{request}", "Requests that the application answered.")
        meter.create_observable_gauge(
            "app.sessions.active", [lambda _: [Observation(sessions())]], "{session}", "Sessions under way."
        )


@dataclass(slots=True)
class Service:
    """One instrumented application: its providers, and what it uses of them."""

    name: str
    tracers: TracerProvider
    metrics: MeterProvider
    logs: LoggerProvider
    tracer: Tracer = field(init=False)
    logger: Logger = field(init=False)
    meters: Meters = field(init=False)
    sessions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tracer = self.tracers.get_tracer(_SCOPE, "1.0.0")
        self.logger = self.logs.get_logger(_SCOPE, "1.0.0")
        self.meters = Meters(self.metrics.get_meter(_SCOPE, "1.0.0"), lambda: len(self.sessions))

    def flush(self) -> None:
        """Send what is gathered, spans and log records; metrics have a clock of their own."""
        self.tracers.force_flush()
        self.logs.force_flush()

    def shutdown(self) -> None:
        """Send everything, metrics too, and end the SDK's threads."""
        self.tracers.shutdown()
        self.logs.shutdown()
        self.metrics.shutdown()


def make_service(name: str, options: Options, random: Random, tally: Tally) -> Service:
    """A service that sends what the options say, where they say; every export is counted in `tally`."""
    resource = Resource.create(
        {
            "service.name": name,
            "service.version": "2.4.1",
            "service.instance.id": f"{name}-{random.getrandbits(24):06x}",
            "deployment.environment.name": "demo",
        }
    )
    made = exporters(options.protocol, options.target, gzip=options.gzip)
    spans, metrics, logs = (tally.watch(exporter) for exporter in made)
    tracers = TracerProvider(resource=resource, id_generator=SeededIds(random), shutdown_on_exit=False)
    loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
    readers = []
    if Signal.TRACES in options.signals:
        tracers.add_span_processor(BatchSpanProcessor(spans, _QUEUE_ITEMS, max_export_batch_size=_EXPORT_ITEMS))
    if Signal.METRICS in options.signals:
        readers.append(PeriodicExportingMetricReader(metrics, export_interval_millis=_METRICS_MILLISECONDS))
    if Signal.LOGS in options.signals:
        loggers.add_log_record_processor(
            BatchLogRecordProcessor(logs, max_queue_size=_QUEUE_ITEMS, max_export_batch_size=_EXPORT_ITEMS)
        )
    return Service(name, tracers, MeterProvider(readers, resource=resource, shutdown_on_exit=False), loggers)
