"""The OTLP receiver: a gRPC and an HTTP listener in front of the same intake."""

from spanmill.component import Host, Settings
from spanmill.config.values import Endpoint
from spanmill.errors import StartError
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.receivers.otlp.grpc_server import GrpcServer
from spanmill.receivers.otlp.http_server import HttpServer

_GRACE_SECONDS = 10.0
"""How long requests under way may take at the end; then their senders are cut off and will send again."""


class OtlpReceiver:
    """Receives OTLP (a `component.Receiver`)."""

    def __init__(self, config: OtlpReceiverConfig, settings: Settings) -> None:
        self._name = f"{settings.kind.value}/{settings.id}"
        self._servers: dict[str, GrpcServer | HttpServer] = {}
        if config.protocols.grpc is not None:
            self._servers["grpc"] = GrpcServer(config.protocols.grpc, settings)
        if config.protocols.http is not None:
            self._servers["http"] = HttpServer(config.protocols.http, settings)

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Where each protocol (`grpc`, `http`) is listened for; with the real port once started."""
        return {protocol: server.endpoint for protocol, server in self._servers.items()}

    async def start(self, host: Host) -> None:
        """Listen. Raises `StartError`, and then listens nowhere."""
        for protocol, server in self._servers.items():
            try:
                await server.start(host)
            except OSError as error:
                await self.stop()
                raise StartError(self._name, f"{protocol}: {error.strerror or error}") from None

    async def stop(self) -> None:
        """Stop listening, answer what is under way, close every connection."""
        for server in self._servers.values():
            await server.stop(_GRACE_SECONDS)
