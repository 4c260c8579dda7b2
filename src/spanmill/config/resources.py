"""What a configuration takes from the machine: ports, directories and files, servers; and what takes it twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spanmill.config.models import Configuration
from spanmill.config.values import Endpoint
from spanmill.exporters.duckdb.config import DuckdbExporterConfig
from spanmill.exporters.file.config import FileExporterConfig
from spanmill.exporters.otlp_grpc.config import OtlpGrpcExporterConfig
from spanmill.exporters.otlp_http.config import OtlpHttpExporterConfig
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.extensions.health_check.config import HealthCheckExtensionConfig
from spanmill.names import Kind
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.signal import Signal

_EVERY_INTERFACE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a component takes. `path` is the key in the configuration that says so."""

    owner: str
    """As a person calls it: `receiver otlp`."""
    path: tuple[str, ...]
    shares_page: bool = False
    """A listener that serves metrics: all of them may share one address."""


def listeners(configuration: Configuration) -> Iterator[tuple[Claim, Endpoint]]:
    """Where the daemon would listen."""
    for component, config in configuration.used(Kind.RECEIVERS).items():
        if isinstance(config, OtlpReceiverConfig):
            owner, path = f"receiver {component}", ("receivers", str(component), "protocols")
            for name, listener in (("grpc", config.protocols.grpc), ("http", config.protocols.http)):
                if listener is not None:
                    yield Claim(f"{owner} ({name})", (*path, name, "endpoint")), listener.endpoint
    for component, config in configuration.used(Kind.EXPORTERS).items():
        if isinstance(config, PrometheusExporterConfig):
            path = ("exporters", str(component), "endpoint")
            yield Claim(f"exporter {component}", path, shares_page=True), config.endpoint
    for component, config in configuration.used(Kind.EXTENSIONS).items():
        if isinstance(config, HealthCheckExtensionConfig):
            yield Claim(f"extension {component}", ("extensions", str(component), "endpoint")), config.endpoint
    metrics = configuration.service.telemetry.metrics
    if metrics.level != "none":
        own = Claim("the daemon's own metrics", ("service", "telemetry", "metrics", "address"), shares_page=True)
        yield own, metrics.address


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether both cannot be bound at once."""
    if one.socket or other.socket:
        return one.socket == other.socket
    if one.port != other.port or one.port == 0:
        return False
    hosts = {one.host, other.host}
    return len(hosts) == 1 or bool(hosts & _EVERY_INTERFACE) or hosts <= _LOOPBACK


def outputs(configuration: Configuration) -> Iterator[tuple[Claim, str]]:
    """Directories and files that exporters write."""
    for component, config in configuration.used(Kind.EXPORTERS).items():
        owner, path = f"exporter {component}", ("exporters", str(component))
        if isinstance(config, ParquetExporterConfig):
            yield Claim(owner, (*path, "directory")), str(Path(config.directory).resolve())
        elif isinstance(config, DuckdbExporterConfig | FileExporterConfig):
            yield Claim(owner, (*path, "path")), str(Path(config.path).resolve())


def destinations(configuration: Configuration) -> Iterator[tuple[Claim, str]]:
    """Servers that exporters connect to, as `host:port` or a URL."""
    for component, config in configuration.used(Kind.EXPORTERS).items():
        owner, path = f"exporter {component}", ("exporters", str(component))
        if isinstance(config, OtlpGrpcExporterConfig):
            yield Claim(owner, (*path, "endpoint")), config.endpoint
        elif isinstance(config, OtlpHttpExporterConfig):
            for url in sorted({url for signal in Signal if (url := config.url(signal))}):
                yield Claim(owner, path), url
