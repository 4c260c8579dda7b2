"""The one table of component types: what there is, what it takes, and what to use for what there is not.

Classes are named as text and imported at use, because factories bring grpc, duckdb and pyarrow with them.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from spanmill.names import Kind
from spanmill.signal import Signal

if TYPE_CHECKING:
    from spanmill.config.base import Model

ALL: Final = frozenset(Signal)


@dataclass(frozen=True, slots=True)
class AliasName:
    """Another name of a type; `retired` is the sentence that warns, empty when the name is as good."""

    name: str
    retired: str = ""


@dataclass(frozen=True, slots=True)
class ComponentType:
    """A type of component. Called as `factory(config, settings)`."""

    kind: Kind
    name: str
    summary: str
    config: str
    """`module:Class` of its configuration model; light to import."""
    factory: str = ""
    """`module:Class` that builds it; empty when there is nothing to build."""
    signals: frozenset[Signal] = ALL
    aliases: tuple[AliasName, ...] = ()
    ignored: bool = False
    """Accepted so that files run unchanged, and without effect."""

    def load_config(self) -> "type[Model]":
        """Import the configuration model."""
        model: type[Model] = _load(self.config)
        return model

    def load_factory(self) -> Any:
        """Import what builds the component. Raises ValueError for a type that is not built."""
        if not self.factory:
            raise ValueError(f"{self.kind.singular} {self.name} is not built by a factory")
        return _load(self.factory)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _in_package(kind: Kind, name: str, prefix: str, summary: str, **more: Any) -> ComponentType:
    """By convention: `spanmill.<kind>.<name>.config:<Prefix><Kind>Config` and `...<name>.<kind>:<Prefix><Kind>`."""
    package, class_name = f"spanmill.{kind.value}.{name}", prefix + kind.singular.capitalize()
    module = "extension" if kind is Kind.EXTENSIONS else kind.singular
    return ComponentType(
        kind, name, summary, f"{package}.config:{class_name}Config", f"{package}.{module}:{class_name}", **more
    )


_IGNORED: Final = "spanmill.extensions.ignored.config:IgnoredExtensionConfig"

COMPONENTS: Final[tuple[ComponentType, ...]] = (
    _in_package(Kind.RECEIVERS, "otlp", "Otlp", "OTLP over gRPC and HTTP"),
    _in_package(Kind.PROCESSORS, "memory_limiter", "MemoryLimiter", "refuses data while memory is short"),
    _in_package(Kind.PROCESSORS, "batch", "Batch", "says how much exporters are handed at once"),
    _in_package(Kind.PROCESSORS, "pii_masking", "PiiMasking", "masks personal data and secrets"),
    _in_package(Kind.PROCESSORS, "redaction", "Redaction", "removes attributes by key, masks values by pattern"),
    _in_package(Kind.PROCESSORS, "attributes", "Attributes", "changes attributes of rows"),
    _in_package(Kind.PROCESSORS, "resource", "Resource", "changes attributes of resources"),
    _in_package(Kind.PROCESSORS, "filter", "Filter", "drops rows by SQL conditions"),
    _in_package(
        Kind.PROCESSORS,
        "probabilistic_sampler",
        "ProbabilisticSampler",
        "keeps a share of the traces or log records",
        signals=frozenset({Signal.TRACES, Signal.LOGS}),
    ),
    ComponentType(
        Kind.PROCESSORS,
        "tail_sampling",
        "keeps or drops whole traces, by policies",
        "spanmill.processors.tail_sampling.config:TailSamplingProcessorConfig",
        "spanmill.processors.tail_sampling.processor:build",
        frozenset({Signal.TRACES, Signal.LOGS}),
    ),
    _in_package(
        Kind.PROCESSORS,
        "gen_ai_normalizer",
        "GenAiNormalizer",
        "fills the columns about LLM calls",
        signals=frozenset({Signal.TRACES, Signal.LOGS}),
    ),
    _in_package(
        Kind.PROCESSORS,
        "llm_cost",
        "LlmCost",
        "prices calls of models",
        signals=frozenset({Signal.TRACES}),
    ),
    _in_package(
        Kind.PROCESSORS,
        "llm_judge",
        "LlmJudge",
        "has a model score a share of the calls",
        signals=frozenset({Signal.TRACES}),
    ),
    _in_package(
        Kind.EXPORTERS,
        "otlp_grpc",
        "OtlpGrpc",
        "forwards over OTLP/gRPC",
        aliases=(AliasName("otlp", "the exporter `otlp` is now called `otlp_grpc`"),),
    ),
    _in_package(
        Kind.EXPORTERS,
        "otlp_http",
        "OtlpHttp",
        "forwards over OTLP/HTTP",
        aliases=(AliasName("otlphttp", "the exporter `otlphttp` is now called `otlp_http`"),),
    ),
    _in_package(Kind.EXPORTERS, "parquet", "Parquet", "writes Parquet files in Hive partitions"),
    _in_package(Kind.EXPORTERS, "duckdb", "Duckdb", "keeps a DuckDB database that others can query"),
    _in_package(
        Kind.EXPORTERS,
        "prometheus",
        "Prometheus",
        "serves received metrics, and metrics of LLM calls and evaluations, for Prometheus to scrape",
    ),
    _in_package(Kind.EXPORTERS, "file", "File", "writes OTLP to files"),
    _in_package(
        Kind.EXPORTERS,
        "debug",
        "Debug",
        "shows what came through",
        aliases=(AliasName("logging", "the exporter `logging` is now called `debug`"),),
    ),
    ComponentType(
        Kind.CONNECTORS,
        "forward",
        "joins pipelines of the same signal",
        "spanmill.connectors.forward.config:ForwardConnectorConfig",
    ),
    _in_package(Kind.EXTENSIONS, "health_check", "HealthCheck", "liveness and readiness over HTTP"),
    _in_package(Kind.EXTENSIONS, "basicauth", "BasicAuth", "users and passwords, for receivers or exporters"),
    _in_package(Kind.EXTENSIONS, "bearertokenauth", "BearerTokenAuth", "tokens, for receivers and exporters"),
    ComponentType(Kind.EXTENSIONS, "pprof", "accepted and ignored", _IGNORED, ignored=True),
    ComponentType(Kind.EXTENSIONS, "zpages", "accepted and ignored", _IGNORED, ignored=True),
    ComponentType(
        Kind.EXTENSIONS,
        "file_storage",
        "accepted and ignored: what waits is on disk anyway, see `service.journal`",
        _IGNORED,
        ignored=True,
    ),
)

_BY_NAME: Final = {
    (component.kind, name): component
    for component in COMPONENTS
    for name in (component.name, *(alias.name for alias in component.aliases))
}


def component_type(kind: Kind, name: str) -> ComponentType | None:
    """The type of this kind with this name or alias."""
    return _BY_NAME.get((kind, name))


def built_type(kind: Kind, name: str) -> ComponentType:
    """The same for a name that validation has passed. Raises `KeyError`."""
    return _BY_NAME[kind, name]


def component_types(kind: Kind) -> tuple[ComponentType, ...]:
    """All types of a kind, in the table's order."""
    return tuple(component for component in COMPONENTS if component.kind is kind)


def retirement(kind: Kind, name: str) -> str:
    """The sentence that warns about a retired name; empty for names in use."""
    component = component_type(kind, name)
    aliases = component.aliases if component else ()
    return next((alias.retired for alias in aliases if alias.name == name), "")
