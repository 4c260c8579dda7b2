"""Configuration of the prometheus exporter."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.base import Misfit, Model, warn
from spanmill.config.blocks import NO_AUTH, TlsServer
from spanmill.config.values import Duration, Endpoint, Flag, Positive
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.signal import Signal

TranslationStrategy = Literal[
    "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation"
]


class ResourceLabels(Model):
    """Which resource attributes become labels of every series."""

    included: tuple[str, ...] = ()
    """Names of attributes; `*` stands for any text."""
    excluded: tuple[str, ...] = ()
    """Names among the included that do not; `*` stands for any text."""


class ResourceConversion(Model):
    """The older way to turn resource attributes into labels."""

    enabled: Flag = False
    """Every resource attribute becomes a label of every series."""
    exclude_service_attributes: Flag = False
    """Leave out `service.name`, `service.namespace` and `service.instance.id`, which are `job` and `instance`."""


class PrometheusExporterConfig(Model):
    """Serves the metrics received on `/metrics`, for Prometheus to scrape. In a traces pipeline it counts LLM calls, in
    a logs pipeline evaluations."""

    also_accepted: ClassVar = {"add_metric_suffixes": "retired; write `translation_strategy`"}
    unsupported: ClassVar = {"auth": NO_AUTH, "middlewares": "not supported"}

    endpoint: Endpoint
    """Where to listen. The same as the daemon's own metrics: they share one page."""
    namespace: str = ""
    """Put before every metric's name, with an underscore."""
    const_labels: dict[str, str] = Field(default_factory=dict)
    """Labels put on every series."""
    send_timestamps: Flag = False
    """Give each sample the time of its point rather than the time of the scrape."""
    metric_expiration: Duration = 300.0
    """A series that got no point for so long is no longer served."""
    max_series: Positive = 250_000
    """How many lines the metrics received may have on the page, and the same again those of LLM calls, and of
    evaluations. What would need more is dropped and counted, so that attributes with ever new values cannot use up the
    memory. Not in the Collector."""
    resource_constant_labels: ResourceLabels = ResourceLabels()
    """Which resource attributes become labels of every series."""
    resource_to_telemetry_conversion: ResourceConversion = ResourceConversion()
    """Retired by the Collector in favour of `resource_constant_labels`."""
    enable_open_metrics: Flag = False
    """Offer the OpenMetrics format, which carries exemplars."""
    without_scope_info: Flag = False
    """Leave out the labels that name the instrumentation scope."""
    translation_strategy: TranslationStrategy = "UnderscoreEscapingWithSuffixes"
    """How OTLP names become Prometheus names."""
    tls: TlsServer | None = None
    """TLS of the listener. None: plain HTTP."""
    llm: LlmMetricsConfig = LlmMetricsConfig()
    """What it counts of LLM calls where it stands in a traces pipeline, and of evaluations in a logs pipeline. Not in
    the Collector."""

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        if signal is not Signal.METRICS:
            yield from self.llm.unfit_labels()

    @model_validator(mode="before")
    @classmethod
    def retired_suffixes_key(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("add_metric_suffixes"), bool):
            return data
        warn(info, "add_metric_suffixes", "`add_metric_suffixes` is retired; write `translation_strategy`")
        strategy = "With" if data["add_metric_suffixes"] else "Without"
        rest = {key: value for key, value in data.items() if key != "add_metric_suffixes"}
        return {"translation_strategy": f"UnderscoreEscaping{strategy}Suffixes", **rest}
