"""Credentials that exporters send with every request, and keep out of what they say."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from aiohttp import web
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.component import Position
from spanmill.errors import Busy, Rejected
from spanmill.names import Kind
from spanmill.registry import built_type
from tests.data import spans
from tests.exporters.hosts import ExtensionsHost
from tests.exporters.peers import GrpcPeer, Received, grpc_peer, http_peer
from tests.extensions.credentials import authenticator, basic
from tests.processors.building import settings

HERE = Position("j", 0, 0)
TOKEN = {"token": "s3cret-token"}
USER = {"client_auth": {"username": "ada", "password": "s3cret word"}}


@asynccontextmanager
async def exporting(kind: str, authenticating: Any, **config: Any) -> AsyncIterator[Any]:
    known = built_type(Kind.EXPORTERS, kind)
    body = known.load_config().model_validate({"auth": {"authenticator": "it"}, "compression": "none", **config})
    exporter = known.load_factory()(body, settings(Kind.EXPORTERS, kind))
    try:
        await exporter.start(ExtensionsHost(it=authenticating))
        yield exporter
    finally:
        await exporter.stop()


@asynccontextmanager
async def grpc_exporting(tmp_path: Path, authenticating: Any, **config: Any) -> AsyncIterator[tuple[GrpcPeer, Any]]:
    """An otlp_grpc exporter, and the peer that it speaks TLS with."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    credentials = grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())])
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    async with (
        grpc_peer(credentials) as peer,
        exporting("otlp_grpc", authenticating, endpoint=peer.endpoint, tls=tls, **config) as exporter,
    ):
        yield peer, exporter


@pytest.mark.parametrize(
    ("kind", "body", "header", "value"),
    [
        ("bearertokenauth", TOKEN, "authorization", "Bearer s3cret-token"),
        ("bearertokenauth", {**TOKEN, "header": "X-Api-Key", "scheme": ""}, "x-api-key", "s3cret-token"),
        ("basicauth", USER, "authorization", basic("ada", "s3cret word")),
    ],
)
async def test_every_request_has_the_credentials(
    tmp_path: Path, kind: str, body: dict[str, Any], header: str, value: str
) -> None:
    async with authenticator(kind, body) as it:
        async with grpc_exporting(tmp_path, it, headers={"X-Tenant": "seven"}) as (peer, exporter):
            for _ in range(2):
                await exporter.export(spans(), HERE)
            assert [each.headers[header] for each in peer.received] == [value] * 2
            assert peer.received[0].headers["x-tenant"] == "seven"
        async with http_peer() as http, exporting("otlp_http", it, endpoint=http.endpoint, headers={"a": "b"}) as out:
            for _ in range(2):
                await out.export(spans(), HERE)
            sent = [{name.lower(): text for name, text in each.headers.items()} for each in http.received]
            assert [(each[header], each["a"]) for each in sent] == [(value, "b")] * 2


async def test_a_token_that_was_replaced_is_sent_with_the_next_request(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    async with authenticator("bearertokenauth", {"filename": str(path)}) as it:
        async with grpc_exporting(tmp_path, it) as (peer, exporter):
            await exporter.export(spans(), HERE)
            path.write_text("new\n")
            await exporter.export(spans(), HERE)
            assert [each.headers["authorization"] for each in peer.received] == ["Bearer old", "Bearer new"]
        async with http_peer() as http, exporting("otlp_http", it, endpoint=http.endpoint) as out:
            await out.export(spans(), HERE)
            path.unlink()
            await out.export(spans(), HERE)
            assert [each.headers["Authorization"] for each in http.received] == ["Bearer new"] * 2


def echo(received: Received) -> str:
    """What a careless server answers: the credentials, whole and in parts, in the middle of its words."""
    credentials = {name.lower(): value for name, value in received.headers.items()}["authorization"]
    scheme, rest = credentials.split()
    word = base64.b64decode(rest).decode().partition(":")[2] if scheme == "Basic" else rest
    return f"unknown credentials: {credentials}, that is {rest} with {word}" + "!" * 990


def http_answers() -> dict[str, Any]:
    def made(received: Received, status: int, how: str) -> web.Response:
        words = echo(received)
        if how == "protobuf":
            return web.Response(
                status=status, body=Status(message=words).SerializeToString(), content_type="application/x-protobuf"
            )
        if how == "json":
            return web.json_response({"message": words}, status=status)
        return web.Response(status=status, text=words)

    cases = [(401, "protobuf"), (401, "json"), (401, "text"), (503, "text"), (413, "json")]
    return {f"{status}-{how}": lambda received, s=status, h=how: made(received, s, h) for status, how in cases}


@pytest.mark.parametrize("name", http_answers())
async def test_a_server_that_repeats_our_credentials_does_not_get_them_into_our_log(name: str) -> None:
    async def answer(received: Received) -> web.StreamResponse:
        response: web.StreamResponse = http_answers()[name](received)
        return response

    for kind, body in (("bearertokenauth", TOKEN), ("basicauth", USER)):
        async with (
            authenticator(kind, body) as it,
            http_peer() as peer,
            exporting("otlp_http", it, endpoint=peer.endpoint, headers={"x-key": "s3cret-key"}) as exporter,
        ):
            peer.answer = answer
            with pytest.raises((Busy, Rejected)) as caught:
                await exporter.export(spans(), HERE)
            said = str(caught.value)
            assert "unknown credentials: [REDACTED], that is [REDACTED] with [REDACTED]!" in said
            assert "s3cret" not in said
            assert it.credentials().value.split()[-1] not in said


async def test_a_redirect_and_a_partial_success_do_not_show_them_either() -> None:
    async def redirect(received: Received) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"http://x/?{received.headers['Authorization']}"})

    async def partial(received: Received) -> web.StreamResponse:
        message = ExportTraceServiceResponse()
        message.partial_success.rejected_spans = 1
        message.partial_success.error_message = echo(received)
        return web.Response(body=message.SerializeToString(), content_type="application/x-protobuf")

    async with (
        authenticator("bearertokenauth", TOKEN) as it,
        http_peer() as peer,
        exporting("otlp_http", it, endpoint=peer.endpoint) as exporter,
    ):
        for answer in (redirect, partial):
            peer.answer = answer
            with pytest.raises(Rejected) as caught:
                await exporter.export(spans(), HERE)
            assert "[REDACTED]" in str(caught.value)
            assert "s3cret-token" not in str(caught.value)


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "UNAVAILABLE", "RESOURCE_EXHAUSTED"])
async def test_a_grpc_server_that_repeats_them_does_not_get_them_into_our_log(tmp_path: Path, code: str) -> None:
    async def answer(received: Received, context: Any) -> bytes:
        await context.abort(grpc.StatusCode[code], echo(received))
        raise AssertionError

    async with (
        authenticator("basicauth", USER) as it,
        grpc_exporting(tmp_path, it, headers={"x-key": "s3cret-key"}) as (peer, exporter),
    ):
        peer.answer = answer
        with pytest.raises((Busy, Rejected)) as caught:
            await exporter.export(spans(), HERE)
        assert "unknown credentials: [REDACTED], that is [REDACTED] with [REDACTED]!" in str(caught.value)
        assert "s3cret" not in str(caught.value)


async def test_a_password_within_a_url_shows_nowhere() -> None:
    async def answer(received: Received) -> web.StreamResponse:
        return web.Response(status=400, text=f"no: {received.headers['Authorization']} s3cret")

    async with authenticator("bearertokenauth", {"token": "t", "header": "X-Key"}) as it, http_peer() as peer:
        peer.answer = answer
        url = peer.endpoint.replace("://", "://ada:s3cret@")
        async with exporting("otlp_http", it, endpoint=url) as exporter:
            with pytest.raises(Rejected) as refused:
                await exporter.export(spans(), HERE)
            assert peer.received[0].headers["Authorization"] == basic("ada", "s3cret")
            assert str(refused.value) == "HTTP 400: no: Basic [REDACTED] [REDACTED]"
    async with (
        authenticator("bearertokenauth", {**TOKEN, "header": "X-Key"}) as it,
        exporting("otlp_http", it, endpoint="http://ada:s3cret@127.0.0.1:9") as nobody,
    ):
        with pytest.raises(Busy) as away:
            await nobody.export(spans(), HERE)
        assert str(away.value).startswith("http://[REDACTED]@127.0.0.1:9/v1/traces: Cannot connect")
        assert "s3cret" not in str(away.value)


async def test_credentials_do_not_show_in_what_an_exporter_is_made_of() -> None:
    async with (
        authenticator("bearertokenauth", TOKEN) as it,
        http_peer() as peer,
        exporting("otlp_http", it, endpoint=peer.endpoint, headers={"x-key": "s3cret-key"}) as exporter,
    ):
        assert "s3cret" not in repr(exporter)
        assert "s3cret" not in repr(exporter._config)
        assert "s3cret" not in str(exporter._config.model_dump())
