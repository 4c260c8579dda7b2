"""What to generate and where to send it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from spanmill.signal import Signal


class Protocol(StrEnum):
    """OTLP's protocols, by the names of `OTEL_EXPORTER_OTLP_PROTOCOL`."""

    GRPC = "grpc"
    HTTP_PROTOBUF = "http/protobuf"
    HTTP_JSON = "http/json"


_PORTS: Final = {Protocol.GRPC: 4317, Protocol.HTTP_PROTOBUF: 4318, Protocol.HTTP_JSON: 4318}


@dataclass(frozen=True, slots=True)
class Options:
    """A run of the generator: it ends after `count` traces or `duration_seconds`, whichever comes first."""

    endpoint: str = ""
    """`http://host:port`; empty: localhost, on the protocol's own port."""
    protocol: Protocol = Protocol.GRPC
    gzip: bool = False
    rate: float = 10.0
    """Traces a second; 0: as fast as the endpoint takes them."""
    count: int = 100
    """Traces to send; 0: no bound."""
    duration_seconds: float = 0.0
    """How long to send; 0: no bound."""
    seed: int = 0
    """Ids, texts, numbers and durations follow from it; only the time of day does not."""

    signals: frozenset[Signal] = frozenset(Signal)
    """What to send of each trace: its spans, the metrics of the application, its log records."""

    @property
    def target(self) -> str:
        """The endpoint with scheme and port."""
        endpoint = self.endpoint or f"localhost:{_PORTS[self.protocol]}"
        return endpoint.rstrip("/") if "://" in endpoint else f"http://{endpoint.rstrip('/')}"
