"""Real OTLP servers on loopback that answer as a test tells them to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web

from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

METHODS = {service.method: signal for signal, service in SERVICES.items()}


@dataclass
class Received:
    """A request as it arrived."""

    signal: Signal
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def message(self) -> Any:
        return SERVICES[self.signal].request.FromString(self.body)


GrpcAnswer = Callable[[Received, Any], Awaitable[bytes]]


async def accept(_received: Received, _context: Any) -> bytes:
    return b""


class GrpcPeer:
    """An OTLP/gRPC server; `answer` decides what it says."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: GrpcAnswer = accept
        self.endpoint = ""

    def service(self, details: Any) -> Any:
        signal = METHODS.get(details.method)
        if signal is None:
            return None

        async def handle(body: bytes, context: Any) -> bytes:
            metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
            received = Received(signal, body, metadata)
            self.received.append(received)
            return await self.answer(received, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def grpc_peer(
    credentials: Any = None, port: int = 0, max_message_bytes: int = 64 * 1024 * 1024
) -> AsyncIterator[GrpcPeer]:
    peer = GrpcPeer()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", max_message_bytes)])
    server.add_generic_rpc_handlers((peer,))
    address = f"localhost:{port}"
    bound = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    peer.endpoint = f"localhost:{bound}"
    await server.start()
    try:
        yield peer
    finally:
        await server.stop(0)


HttpAnswer = Callable[[Received], Awaitable[web.StreamResponse]]


async def accept_http(_received: Received) -> web.StreamResponse:
    return web.Response(content_type="application/x-protobuf")


class HttpPeer:
    """An OTLP/HTTP server; `answer` decides what it says."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: HttpAnswer = accept_http
        self.endpoint = ""
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        signal = Signal(request.path.rsplit("/", 1)[1])
        received = Received(signal, await request.read(), dict(request.headers))
        self.received.append(received)
        self.paths.append(request.path)
        return await self.answer(received)


@asynccontextmanager
async def http_peer(
    context: ssl.SSLContext | None = None, max_body_bytes: int = 64 * 1024 * 1024
) -> AsyncIterator[HttpPeer]:
    peer = HttpPeer()
    application = web.Application(client_max_size=max_body_bytes)
    application.router.add_post("/{tail:.*}", peer.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    peer.endpoint = f"{'http' if context is None else 'https'}://localhost:{port}"
    try:
        yield peer
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
