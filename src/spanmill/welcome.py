"""What the daemon prints when it is ready: where to send data and how to look at it, in one screen."""

from collections.abc import Iterator, Sequence

from spanmill import __version__
from spanmill.config.models import Configuration
from spanmill.config.values import without_user_info
from spanmill.graph import Graph
from spanmill.names import Kind

_WIDTH = 18
_QUESTION = '"select * from spans limit 10"'


def welcome(configuration: Configuration, graph: Graph, pages: Sequence[str]) -> Iterator[str]:
    """Lines for a person. `pages` are the addresses of the metrics pages."""
    yield f"Spanmill {__version__} is ready."
    yield ""
    for receiver in graph.receivers.values():
        for protocol, endpoint in receiver.endpoints.items():
            scheme = "http://" if protocol == "http" and not endpoint.socket else ""
            yield _line(f"Send OTLP/{'gRPC' if protocol == 'grpc' else 'HTTP'}", f"{scheme}{endpoint}")
    for identity, config in configuration.used(Kind.EXPORTERS).items():
        target = next((str(v) for name in ("directory", "path", "endpoint") if (v := getattr(config, name, None))), "")
        if target:
            yield _line(str(identity), without_user_info(target))
        if identity.type == "parquet":
            yield _line("  ask it", f"spanmill query --directory {target} {_QUESTION}")
        if identity.type == "duckdb":
            yield _line("  ask it", f"duckdb -readonly {target} {_QUESTION}")
    for identity, config in configuration.used(Kind.EXTENSIONS).items():
        if identity.type == "health_check":
            yield _line("Is it ready?", f"http://{getattr(config, 'endpoint', '')}")
    for address in pages:
        yield _line("Metrics", f"http://{address}/metrics")
    yield _line("Stop", "Ctrl+C or SIGTERM; what was accepted is delivered first")


def _line(what: str, where: str) -> str:
    return f"  {what:<{_WIDTH - 1}} {where}"
