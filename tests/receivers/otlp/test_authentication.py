"""Whom the listeners let in: every way of presenting credentials, over every protocol, for every signal."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from spanmill.component import Sender
from spanmill.errors import Busy
from spanmill.names import ComponentId
from spanmill.otlp.json import to_json
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.extensions.credentials import authenticator, basic
from tests.otlp_samples import SAMPLES, traces
from tests.receivers.otlp.receiving import JSON, PATHS, PROTOBUF, KeepingHost, Running, running

TOKENS = {"named_tokens": {"team-a": "s3cret-a", "team-b": "s3cret-b"}}
RIGHT = {"authorization": "Bearer s3cret-a"}
CREDENTIALS: dict[str, tuple[Mapping[str, str], str]] = {
    "right": (RIGHT, ""),
    "right-in-lower-case": ({"authorization": "bearer s3cret-a"}, ""),
    "none": ({}, "no_credentials"),
    "empty": ({"authorization": ""}, "wrong_scheme"),
    "wrong": ({"authorization": "Bearer s3cret-c"}, "wrong_credentials"),
    "wrong-case": ({"authorization": "Bearer S3CRET-A"}, "wrong_credentials"),
    "without-scheme": ({"authorization": "s3cret-a"}, "wrong_scheme"),
    "wrong-scheme": ({"authorization": basic("team-a", "s3cret-a")}, "wrong_scheme"),
    "wrong-header": ({"x-authorization": "Bearer s3cret-a"}, "no_credentials"),
}
WAYS = ["grpc", "http-protobuf", "http-json"]


@asynccontextmanager
async def guarded(
    body: Mapping[str, Any] | None = None, kind: str = "bearertokenauth", **protocols: Any
) -> AsyncIterator[Running]:
    """A receiver whose every listener asks for credentials."""
    host = KeepingHost()
    async with authenticator(kind, body or TOKENS) as extension:
        host.extensions[ComponentId(kind, "x")] = extension
        auth = {"auth": {"authenticator": f"{kind}/x", "sender_attribute": "tenant"}}
        named = {name: auth | more for name, more in (protocols or {"grpc": {}, "http": {}}).items()}
        async with running(host, **named) as it:
            yield it


async def offer_grpc(it: Running, signal: Signal, fields: Mapping[str, str]) -> str:
    try:
        await it.export(signal, SAMPLES[signal], metadata=tuple(fields.items()))
    except grpc.aio.AioRpcError as error:
        refused = error
    else:
        return "taken"
    assert refused.code() == grpc.StatusCode.UNAUTHENTICATED, refused
    status = Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (16, refused.details())
    return "refused"


async def offer(it: Running, way: str, signal: Signal, fields: Mapping[str, str]) -> str:
    """Send a request; what the answer says: `taken`, or that the sender is not known."""
    if way == "grpc":
        return await offer_grpc(it, signal, fields)
    types = JSON if way == "http-json" else PROTOBUF
    body = to_json(signal, SAMPLES[signal]) if way == "http-json" else SAMPLES[signal]
    reply = await it.post(PATHS[signal], body, **types, **fields)
    if reply.status == 200:
        return "taken"
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="spanmill"'
    assert reply.headers["Content-Type"] == types["Content-Type"]
    code = json.loads(reply.body)["code"] if way == "http-json" else Status.FromString(reply.body).code
    assert code == 16
    return "refused"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CREDENTIALS)
async def test_only_the_right_credentials_are_let_in(name: str, way: str) -> None:
    fields, reason = CREDENTIALS[name]
    async with guarded() as it:
        for signal in Signal:
            assert await offer(it, way, signal, fields) == ("refused" if reason else "taken")
            assert len(it.kept(signal)) == (0 if reason else 1)
        if reason:
            assert it.bad(reason) == it.outcomes("rejected") == 3
            assert len(it.logs) == 1, "once a minute"
        assert "s3cret" not in str(it.logs).lower()


@pytest.mark.parametrize("name", ["Authorization", "AUTHORIZATION", "authorization", "aUTHORIZATION"])
async def test_the_header_may_be_written_in_any_case_over_http(name: str) -> None:
    async with guarded() as it:
        assert await offer(it, "http-protobuf", Signal.TRACES, {name: "Bearer s3cret-a"}) == "taken"


async def test_a_credential_presented_twice_is_refused() -> None:
    """A proxy in front may have looked at the other one."""
    async with guarded() as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.export(Signal.TRACES, traces(), metadata=(*RIGHT.items(), *RIGHT.items()))
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        twice = "Authorization: Bearer s3cret-a\r\n" * 2
        assert (await raw(it, f"{head}{twice}\r\n".encode())).startswith(b"HTTP/1.1 401 ")
        assert it.bad("malformed_credentials") == 2


async def raw(it: Running, request: bytes) -> bytes:
    """What is answered to bytes, until the connection is closed."""
    reader, writer = await asyncio.open_connection(*it.http_address)
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_the_sender_is_known_by_its_name_over_both_protocols() -> None:
    async with guarded() as it:
        for way in WAYS:
            await offer(it, way, Signal.LOGS, {"authorization": "Bearer s3cret-b"})
        assert it.host.intakes[Signal.LOGS].senders == [Sender("team-b", {"tenant": "team-b"})] * 3


async def test_a_sender_without_a_name_is_known_by_its_address() -> None:
    async with guarded({"token": "s3cret-a"}) as it:
        for way in WAYS:
            await offer(it, way, Signal.LOGS, RIGHT)
        assert it.host.intakes[Signal.LOGS].senders == [Sender("127.0.0.1", {"tenant": "127.0.0.1"})] * 3


async def test_users_and_passwords_work_the_same_way() -> None:
    async with guarded({"htpasswd": {"inline": "ada:s3cret"}}, "basicauth") as it:
        good, bad = {"authorization": basic("ada", "s3cret")}, {"authorization": basic("ada", "s3cres")}
        await it.export(Signal.TRACES, traces(), metadata=tuple(good.items()))
        assert (await it.post("/v1/traces", traces(), **PROTOBUF, **good)).status == 200
        reply = await it.post("/v1/traces", traces(), **PROTOBUF, **bad)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="spanmill", charset="UTF-8"')
        assert {sender.name for sender in it.host.intakes[Signal.TRACES].senders} == {"ada"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/traces"),
        ("GET", "/v1/traces"),
        ("HEAD", "/v1/traces"),
        ("PUT", "/v1/logs"),
        ("OPTIONS", "/v1/traces"),
        ("POST", "/"),
        ("POST", "/v1/traces/"),
        ("POST", "//v1/traces"),
        ("POST", "http://x/v1/traces"),
        ("POST", "/v1development/profiles"),
        ("GET", "/metrics?token=s3cret-a"),
    ],
)
async def test_every_path_and_method_asks_for_credentials_first(method: str, path: str) -> None:
    async with guarded() as it:
        request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        assert (await raw(it, request.encode())).startswith(b"HTTP/1.1 401 ")
        assert it.bad("no_credentials") == 1
        assert "s3cret" not in str(it.logs)


async def test_a_credential_put_into_the_path_is_not_logged() -> None:
    async with guarded() as it:
        assert (await it.post("/v1/nothing?token=s3cret-x", b"", **RIGHT)).status == 404
        assert "s3cret" not in str(it.logs)


async def test_every_grpc_method_asks_for_credentials_first() -> None:
    async with guarded() as it, grpc.aio.insecure_channel(it.target) as channel:
        methods = [
            "/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export",
            "/x/y",
            "/grpc.health.v1.Health/Check",
        ]
        for method in [*methods, *(service.method for service in SERVICES.values())]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(method)(b"")
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(methods[0])(b"", metadata=tuple(RIGHT.items()))
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_preflight_request_needs_no_credentials_and_lets_nothing_in() -> None:
    """Browsers send them without; the page's own request must have them (Fetch standard, "CORS protocol")."""
    cors = {"allowed_origins": ["https://app.example.com"], "allowed_headers": ["authorization"]}
    async with guarded(http={"cors": cors}) as it:
        page = "Origin: https://app.example.com\r\n"
        asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"
        head = "/v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n" + page
        assert (await raw(it, f"OPTIONS {head}{asks}\r\n".encode())).startswith(b"HTTP/1.1 204 ")
        refused = await raw(it, f"POST {head}\r\n".encode())
        assert refused.startswith(b"HTTP/1.1 401 ")
        assert b"Access-Control-Allow-Origin: https://app.example.com" in refused, "so that the page sees why"


async def test_http_refuses_before_it_reads_the_body() -> None:
    async with guarded() as it:
        head = (
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n"
        )
        for more in (b"", b"Expect: 100-continue\r\n"):
            reader, writer = await asyncio.open_connection(*it.http_address)
            writer.write(head + more + b"\r\n")
            assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 401 ")
            writer.close()
        assert it.host.admission.in_flight_bytes == 0


async def test_a_large_body_does_not_keep_the_answer_from_its_sender() -> None:
    async with guarded() as it:
        for headers in ({}, {"Content-Encoding": "gzip"}):
            reply = await it.post("/v1/traces", bytes(20_000_000), **PROTOBUF, **headers)
            assert reply.status == 401


async def test_grpc_refuses_before_it_takes_the_message() -> None:
    """A message beyond the limit, or not compressed as it says, would be refused for that if it were looked at."""
    async with guarded(grpc={"max_recv_msg_size_mib": 1}) as it:
        for compression in (None, grpc.Compression.Gzip):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.export(Signal.TRACES, bytes(8_000_000), compression=compression)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.export(Signal.TRACES, bytes(8_000_000), compression=compression, metadata=tuple(RIGHT.items()))
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_refused_bomb_is_not_decompressed() -> None:
    async with guarded() as it:
        body = gzip.compress(bytes(50_000_000), 9)
        reply = await it.post("/v1/traces", body, **PROTOBUF, Content_Encoding="gzip")
        assert reply.status == 401
        assert it.bad("too_large") == it.bad("broken_compression") == 0


class Failing:
    """An authenticator that has a fault, or no time."""

    challenge = "x"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def authenticate(self, _headers: Any) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ZeroDivisionError("s3cret"), 500, grpc.StatusCode.INTERNAL),
        (Busy("too many checks", 1.0), 503, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_an_authenticator_that_fails_lets_nobody_in(error: Exception, status: int, code: grpc.StatusCode) -> None:
    host = KeepingHost()
    host.extensions[ComponentId("x")] = Failing(error)
    auth = {"auth": {"authenticator": "x"}}
    async with running(host, grpc=auth, http=auth) as it:
        reply = await it.post("/v1/traces", traces(), **PROTOBUF, **RIGHT)
        assert reply.status == status
        assert b"s3cret" not in reply.body
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.export(Signal.TRACES, traces(), metadata=tuple(RIGHT.items()))
        assert caught.value.code() == code
        assert it.kept(Signal.TRACES) == []


async def test_without_an_authenticator_credentials_are_of_no_account() -> None:
    async with running() as it:
        for way in WAYS:
            for fields in ({}, {"authorization": "Bearer nonsense"}):
                assert await offer(it, way, Signal.TRACES, fields) == "taken"
        assert it.host.intakes[Signal.TRACES].senders == [Sender("127.0.0.1")] * 6
