"""Real exporters, and what a real server got from them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from spanmill.component import Exporter
from spanmill.exporters.otlp_grpc.config import OtlpGrpcExporterConfig
from spanmill.exporters.otlp_grpc.exporter import OtlpGrpcExporter
from spanmill.exporters.otlp_http.config import OtlpHttpExporterConfig
from spanmill.exporters.otlp_http.exporter import OtlpHttpExporter
from spanmill.names import Kind
from tests.exporters.hosts import NO_HOST
from tests.exporters.peers import GrpcPeer, HttpPeer, Received, grpc_peer, http_peer
from tests.processors.building import settings

Protocol = Literal["http", "grpc"]


@asynccontextmanager
async def peer_of(protocol: Protocol) -> AsyncIterator[GrpcPeer | HttpPeer]:
    """A server that accepts everything."""
    async with http_peer() if protocol == "http" else grpc_peer() as peer:
        yield peer


@asynccontextmanager
async def exporter_to(protocol: Protocol, address: str, **config: Any) -> AsyncIterator[Exporter]:
    """A started exporter. `address`: `host:port`."""
    exporter: Any
    if protocol == "http":
        body = {"endpoint": f"http://{address}", "compression": "none", **config}
        exporter = OtlpHttpExporter(OtlpHttpExporterConfig.model_validate(body), settings(Kind.EXPORTERS, "otlp_http"))
    else:
        body = {"endpoint": address, "compression": "none", "tls": {"insecure": True}, **config}
        exporter = OtlpGrpcExporter(OtlpGrpcExporterConfig.model_validate(body), settings(Kind.EXPORTERS, "otlp_grpc"))
    await exporter.start(NO_HOST)
    try:
        yield exporter
    finally:
        await exporter.stop()


def span_numbers(received: Sequence[Received]) -> list[int]:
    """The ids of the spans that arrived, as numbers, in the order of their first arrival."""
    numbers: dict[int, None] = {}
    for request in received:
        for resource in request.message.resource_spans:
            for scope in resource.scope_spans:
                numbers |= dict.fromkeys(int.from_bytes(span.span_id, "big") for span in scope.spans)
    return list(numbers)
