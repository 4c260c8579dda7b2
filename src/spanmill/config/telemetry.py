"""Configuration of the daemon's own logs and metrics: `service.telemetry`."""

from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spanmill.config.base import Model, warn
from spanmill.config.values import Endpoint, Flag, invalid


class LogTelemetry(Model):
    """The daemon's own log."""

    also_accepted: ClassVar = {"processors": "ignored: Spanmill does not push its own log"}
    unsupported: ClassVar = {"sampling": "not supported: the log is always rate-limited"}

    level: Literal["debug", "info", "warn", "error"] = "info"
    """The least severe lines that are written, in upper or lower case."""
    encoding: Literal["console", "json"] = "console"
    """Lines for people, or JSON."""
    output_paths: tuple[str, ...] = ("stderr",)
    """Where lines go: `stderr`, `stdout` or paths of files."""
    error_output_paths: tuple[str, ...] = ("stderr",)
    """Accepted for the Collector's sake."""
    initial_fields: dict[str, Any] = Field(default_factory=dict)
    """Fields that every line carries."""
    development: Flag = False
    """Accepted for the Collector's sake."""
    disable_caller: Flag = False
    """Accepted for the Collector's sake."""
    disable_stacktrace: Flag = False
    """Accepted for the Collector's sake."""

    @model_validator(mode="before")
    @classmethod
    def ignored_processors(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, dict) and "processors" in data:
            warn(info, "telemetry.logs.processors", "ignored: Spanmill does not push its own log")
            return {key: value for key, value in data.items() if key != "processors"}
        return data

    @field_validator("level", mode="before")
    @classmethod
    def any_case(cls, value: Any) -> Any:
        lower = value.lower() if isinstance(value, str) else value
        return "warn" if lower == "warning" else lower


_NAMES = ("without_type_suffix", "without_units", "without_scope_info")


class MetricTelemetry(Model):
    """The daemon's own metrics, on `/metrics`. The Collector's `readers` form is read as `address`."""

    also_accepted: ClassVar = {
        "readers": "a pull reader with a prometheus exporter sets `address` and `without_...`; others are ignored",
        "views": "ignored: metrics are served as they are",
    }

    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """How much is measured; `none` serves no page."""
    address: Endpoint = Endpoint("localhost", 8888)
    """Where the page is served."""
    without_type_suffix: Flag = True
    """Leave `_total` out of the names of counters, as the Collector does. They are shown as untyped then."""
    without_units: Flag = True
    """Leave units out of names, as the Collector does."""
    without_scope_info: Flag = True
    """Leave out the labels `otel_scope_name` and `otel_scope_version`, as the Collector does."""

    @model_validator(mode="before")
    @classmethod
    def readers_as_address(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "views" in data:
            del data["views"]
            warn(info, "telemetry.metrics.views", "ignored: Spanmill serves its own metrics as they are")
        readers = data.pop("readers", None)
        if readers is None:
            return data
        if not isinstance(readers, list):
            raise invalid("wrong type", "a list of readers", key="readers")
        pages = [page for reader in readers if (page := _page(reader, info)) is not None]
        if len(pages) > 1:
            raise invalid("more than one page", "one pull reader", key="readers")
        return {**pages[0], **data} if pages else data

    @field_validator("level", mode="before")
    @classmethod
    def any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


def _page(reader: Any, info: ValidationInfo) -> dict[str, Any] | None:
    """What a `pull: {exporter: {prometheus: {host, port}}}` reader says; None, with a warning, for a push."""
    if isinstance(reader, dict) and "periodic" in reader:
        message = "ignored: Spanmill does not push its own metrics; scrape `service.telemetry.metrics.address`"
        warn(info, "telemetry.metrics.readers", message)
        return None
    body: Any = reader
    for key in ("pull", "exporter", "prometheus"):
        body = body.get(key) if isinstance(body, dict) else None
        if body is None and key != "prometheus":
            raise invalid(
                "not a reader", "pull: {exporter: {prometheus: {host: localhost, port: 8888}}}", key="readers"
            )
    body = body if isinstance(body, dict) else {}
    host, port = body.get("host", "localhost"), body.get("port", 8888)
    address = f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    names = {key: body[key] for key in _NAMES if body.get(key) is not None}
    return {"address": address, **names}


class Telemetry(Model):
    """What the daemon says about itself."""

    also_accepted: ClassVar = {"traces": "ignored: Spanmill does not trace itself"}

    logs: LogTelemetry = LogTelemetry()
    """Its log."""
    metrics: MetricTelemetry = MetricTelemetry()
    """Its metrics."""
    resource: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Attributes that name this instance, as labels of `target_info`."""

    @model_validator(mode="before")
    @classmethod
    def ignored_traces(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if data.pop("traces", None):
            warn(info, "telemetry.traces", "ignored: Spanmill does not trace itself")
        if isinstance(data.get("resource"), dict):
            data["resource"] = {key: value for key, value in data["resource"].items() if value is not None}
        return data
