"""The otlp_http exporter against a real server that answers well, badly and not at all."""

import asyncio
import gzip
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
import zstandard
from aiohttp import web
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.component import Position
from spanmill.errors import Busy, Rejected
from spanmill.exporters.otlp_http.config import OtlpHttpExporterConfig
from spanmill.exporters.otlp_http.exporter import OtlpHttpExporter
from spanmill.names import Kind
from spanmill.net.retry_after import retry_after_seconds
from spanmill.otlp.json import from_json
from spanmill.signal import Signal
from tests.data import batch_of, key_value, spans, traces
from tests.exporters.hosts import NO_HOST
from tests.exporters.peers import HttpAnswer, Received, accept_http, http_peer
from tests.processors.building import batch_of as rows_of
from tests.processors.building import settings
from tests.strategies import REQUESTS

HERE = Position("j", 0, 0)
PROTOBUF = "application/x-protobuf"
PARTIAL = ExportTraceServiceResponse()
PARTIAL.partial_success.rejected_spans, PARTIAL.partial_success.error_message = 2, "too old"
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


@asynccontextmanager
async def exporting(endpoint: str | None, **config: Any) -> AsyncIterator[OtlpHttpExporter]:
    body = OtlpHttpExporterConfig.model_validate({"endpoint": endpoint, "compression": "none", **config})
    exporter = OtlpHttpExporter(body, settings(Kind.EXPORTERS, "otlp_http"))
    try:
        await exporter.start(NO_HOST)
        yield exporter
    finally:
        await exporter.stop()
        await exporter.stop()


def answering(status: int, body: bytes = b"", content_type: str = PROTOBUF, **headers: str) -> HttpAnswer:
    async def answer(_received: Received) -> web.StreamResponse:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, content_type=content_type, headers=fields)

    return answer


async def sent(answer: HttpAnswer = accept_http, count: int = 1, **config: Any) -> Received:
    """Export spans once and return the only request."""
    async with http_peer() as peer, exporting(peer.endpoint, **config) as exporter:
        peer.answer = answer
        await exporter.export(spans(count), HERE)
        (received,) = peer.received
        return received


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.sampled_from(Signal).flatmap(lambda signal: st.tuples(st.just(signal), REQUESTS[signal])))
def test_what_is_exported_is_what_came_in(signal_and_request: tuple[Signal, Message]) -> None:
    signal, request = signal_and_request

    async def go() -> list[Received]:
        async with http_peer() as peer, exporting(peer.endpoint) as exporter:
            await exporter.export(batch_of(request, signal), HERE)
            return peer.received

    (received,) = asyncio.run(go())
    assert (received.signal, received.message) == (signal, request)


@pytest.mark.parametrize("encoding", ["proto", "json"])
@pytest.mark.parametrize("compression", ["none", "gzip", "deflate", "zstd"])
async def test_every_encoding_and_compression_arrives_whole(encoding: str, compression: str) -> None:
    bodies: list[bytes] = []

    async def raw(request: web.BaseRequest) -> web.Response:
        bodies.append(await request.content.read())
        assert request.headers.get("Content-Encoding", "none") == compression
        assert request.content_type == {"proto": PROTOBUF, "json": "application/json"}[encoding]
        return web.Response()

    server = web.Server(raw, auto_decompress=False)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0)
    await site.start()
    try:
        async with exporting(f"http://localhost:{site.port}", encoding=encoding, compression=compression) as exporter:
            await exporter.export(batch_of(traces(50)), HERE)
    finally:
        await runner.cleanup()
    body = DECOMPRESS[compression](bodies[0])
    payload = from_json(Signal.TRACES, body) if encoding == "json" else body
    assert Received(Signal.TRACES, payload).message == traces(50)


async def test_headers_and_the_user_agent_are_sent() -> None:
    received = await sent(headers={"Authorization": "Bearer t0ken"})
    assert received.headers["Authorization"] == "Bearer t0ken"
    assert received.headers["User-Agent"].startswith("spanmill/")


async def test_each_signal_has_its_path_under_the_base_url_or_a_url_of_its_own() -> None:
    async with http_peer() as peer:
        async with exporting(f"{peer.endpoint}/otlp/", traces_endpoint=f"{peer.endpoint}/custom/traces") as exporter:
            await exporter.export(spans(), HERE)
            await exporter.export(rows_of(Signal.LOGS, [[]]), HERE)
        assert peer.paths == ["/custom/traces", "/otlp/v1/logs"]


async def test_a_signal_without_url_is_rejected_with_the_keys_to_write() -> None:
    async with http_peer() as peer, exporting(None, metrics_endpoint=f"{peer.endpoint}/v1/metrics") as exporter:
        with pytest.raises(Rejected, match="neither `traces_endpoint` nor `endpoint`"):
            await exporter.export(spans(), HERE)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PARTIAL.SerializeToString(), PROTOBUF),
        (b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}', "application/json"),
    ],
)
async def test_partial_success_is_a_rejection_of_as_many_items(body: bytes, content_type: str) -> None:
    with pytest.raises(Rejected, match="too old") as raised:
        await sent(answer=answering(200, body, content_type), count=5)
    assert raised.value.items == 2


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_the_four_retryable_statuses_are_busy_for_as_long_as_the_server_says(status: int) -> None:
    body = Status(message="slow down").SerializeToString()
    with pytest.raises(Busy, match=f"HTTP {status}: slow down") as raised:
        await sent(answer=answering(status, body, Retry_After="7"))
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 415, 500, 501, 507])
async def test_every_other_status_is_a_rejection(status: int) -> None:
    with pytest.raises(Rejected, match=f"HTTP {status}: not like this") as raised:
        await sent(answer=answering(status, b'{"code":3,"message":"not like this"}', "application/json"))
    assert raised.value.items is None


async def test_a_redirect_is_not_followed_and_says_where_it_points() -> None:
    with pytest.raises(Rejected, match=r"HTTP 307: the server redirects to https://elsewhere/v1/traces"):
        await sent(answer=answering(307, Location="https://elsewhere/v1/traces"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("3", 3), ("soon", 0), ("Fri, 01 Jan 2021 00:00:10 GMT", 10), ("Thu, 31 Dec 2020 00:00:00 GMT", 0)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, datetime(2021, 1, 1, tzinfo=UTC)) == seconds


async def test_413_is_answered_with_smaller_requests() -> None:
    async with http_peer() as peer, exporting(peer.endpoint) as exporter:

        async def answer(received: Received) -> web.StreamResponse:
            return web.Response(status=413 if len(received.body) > 2000 else 200)

        peer.answer = answer
        await exporter.export(spans(100), HERE)
        taken = [r for r in peer.received if len(r.body) <= 2000]
    ids = [s.span_id for r in taken for s in r.message.resource_spans[0].scope_spans[0].spans]
    assert ids == [number.to_bytes(8, "big") for number in range(1, 101)]


async def test_one_item_that_is_too_large_is_rejected_and_its_neighbours_arrive() -> None:
    request = traces(4)
    request.resource_spans[0].scope_spans[0].spans[1].attributes.append(key_value("big", os.urandom(4000).hex()))
    async with http_peer() as peer, exporting(peer.endpoint) as exporter:

        async def answer(received: Received) -> web.StreamResponse:
            return web.Response(status=413 if len(received.body) > 4000 else 200)

        peer.answer = answer
        with pytest.raises(Rejected, match="one item is larger than the peer takes") as raised:
            await exporter.export(batch_of(request), HERE)
    assert raised.value.items == 1


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json", "text/plain"])
async def test_a_success_with_an_answer_that_is_not_otlp_counts_as_delivered(content_type: str) -> None:
    await sent(answer=answering(200, b"\xff\xff<html>", content_type))


async def test_a_web_page_is_not_taken_for_success() -> None:
    with pytest.raises(Busy, match="HTTP 200 with a web page"):
        await sent(answer=answering(200, b"<!doctype html><title>Sign in</title>", "text/html"))


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    written = 0

    async def stream(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal written
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/plain"}, status=400)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
                written += 65536
        except ConnectionError:
            return response

    runner = web.ServerRunner(web.Server(stream))
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0)
    await site.start()
    try:
        async with exporting(f"http://localhost:{site.port}") as exporter:
            with pytest.raises(Rejected, match="HTTP 400"):
                await exporter.export(spans(), HERE)
    finally:
        await runner.cleanup()
    assert written < 64 * 1024 * 1024


async def test_a_peer_that_is_not_there_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with exporting(f"http://127.0.0.1:{port}") as exporter:
        with pytest.raises(Busy, match=f"127.0.0.1:{port}"):
            await exporter.export(spans(), HERE)


async def test_a_peer_that_does_not_answer_is_busy_after_the_timeout() -> None:
    released = asyncio.Event()

    async def answer(_received: Received) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    async with http_peer() as peer, exporting(peer.endpoint, timeout="200ms") as exporter:
        peer.answer = answer
        with pytest.raises(Busy, match=r"did not answer within 0\.2 s"):
            await exporter.export(spans(), HERE)
        released.set()


async def test_requests_go_through_the_proxy_that_is_named() -> None:
    async with http_peer() as proxy, exporting("http://collector.invalid:4318", proxy_url=proxy.endpoint) as exporter:
        await exporter.export(spans(), HERE)
        assert proxy.received[0].headers["Host"] == "collector.invalid:4318"


def written_certificate(path: Path, certificate: trustme.LeafCert) -> dict[str, str]:
    cert, key = path / "cert.pem", path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    return {"cert_file": str(cert), "key_file": str(key)}


async def test_both_sides_show_their_certificates_and_a_renewed_one_is_used(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("gateway.test").configure_cert(context)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = {
        **written_certificate(tmp_path, other.issue_cert("client.test")),
        "ca_file": str(tmp_path / "ca.pem"),
        "server_name_override": "gateway.test",
        "reload_interval": "1ns",
    }
    async with http_peer(context) as peer:
        async with exporting(peer.endpoint, tls=tls) as exporter:
            with pytest.raises(Busy):
                await exporter.export(spans(), HERE)
            written_certificate(tmp_path, authority.issue_cert("client.test"))
            await exporter.export(spans(), HERE)
        assert len(peer.received) == 1


async def test_a_server_that_is_not_trusted_gets_nothing_unless_verification_is_off() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with http_peer(context) as peer:
        async with exporting(peer.endpoint) as exporter:
            with pytest.raises(Busy, match=r"(?i)certificate"):
                await exporter.export(spans(), HERE)
        assert peer.received == []
        async with exporting(peer.endpoint, tls={"insecure_skip_verify": True}) as exporter:
            await exporter.export(spans(), HERE)
        assert len(peer.received) == 1
