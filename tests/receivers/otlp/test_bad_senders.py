"""Senders that are broken, slow or hostile: a clear answer, a counter, and the next request is served."""

import asyncio
import gzip
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import orjson
import pytest
import zstandard
from google.rpc.status_pb2 import Status

from spanmill.signal import Signal
from tests.garbage import frames_left
from tests.otlp_samples import traces
from tests.receivers.otlp.receiving import JSON, PROTOBUF, Running, running

_POST = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def connection(it: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*it.http_address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """The status and the JSON body of one answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), orjson.loads(await reader.readexactly(length))


async def still_serves(it: Running) -> bool:
    return (await it.post("/v1/traces", traces(), **PROTOBUF)).status == 200


_ZLIB, _GZIP, _ZSTD = zlib.compress(traces()), gzip.compress(traces()), zstandard.ZstdCompressor().compress(traces())


@pytest.mark.parametrize(
    ("algorithm", "body"),
    [
        ("gzip", b"not gzip"),
        ("gzip", _GZIP[:-9]),
        ("gzip", _GZIP[:20] + b"\xff\xff\xff" + _GZIP[23:]),
        ("gzip", _GZIP + b"behind"),
        ("gzip", b""),
        ("gzip", gzip.compress(b"") * 1000),
        ("deflate", _ZLIB[:-5]),
        ("deflate", b"\xff" * 30),
        ("deflate", _ZLIB + b"behind"),
        ("zstd", b"not zstd at all"),
        ("zstd", _ZSTD[: len(_ZSTD) // 2]),
        ("zstd", _ZSTD + b"behind"),
        ("zstd", zstandard.ZstdCompressor().compress(os.urandom(3000))[:-1]),
    ],
)
async def test_a_broken_compressed_body_is_answered_400_and_counted(algorithm: str, body: bytes) -> None:
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", body, **PROTOBUF, Content_Encoding=algorithm)
        assert reply.status == 400
        assert "compressed body" in Status.FromString(reply.body).message
        assert it.bad("broken_compression") == 1
        assert await still_serves(it)


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/traces", b"not a request", PROTOBUF),
        ("/v1/traces", b'{"resourceSpans": 3}', JSON),
        ("/v1/traces", b"not JSON" * 100_000, JSON),
        ("/v1/traces", b"not gzip", {**PROTOBUF, "Content-Encoding": "gzip"}),
        ("/v1/traces", b"", {"Content-Type": "text/plain"}),
        ("/v1/feedback", b"{}", JSON),
        ("/nowhere", b"", JSON),
    ],
)
async def test_a_refused_request_leaves_no_garbage(path: str, body: bytes, headers: dict[str, str]) -> None:
    async with running(http={}) as it:
        with frames_left() as left:
            assert (await it.post(path, body, **headers)).status in {400, 404, 415}
        assert left == []


async def test_a_refused_grpc_request_leaves_no_garbage() -> None:
    async with running(grpc={}) as it:
        with frames_left() as left, pytest.raises(grpc.aio.AioRpcError, match="not a valid"):
            await it.export(Signal.TRACES, b"not a request")
        assert left == []


@pytest.mark.parametrize("algorithm", ["gzip", "deflate", "zstd"])
async def test_a_decompression_bomb_is_413_and_is_not_unpacked(algorithm: str) -> None:
    zeros = bytes(256 * 1024 * 1024)
    bombs = {"gzip": lambda: gzip.compress(zeros, 1), "deflate": lambda: zlib.compress(zeros, 1)}
    body = bombs[algorithm]() if algorithm in bombs else zstandard.ZstdCompressor().compress(zeros)
    async with running(http={"max_request_body_size": 4 * 1024 * 1024}) as it:
        held: list[int] = []
        add = type(it.host.admission.hold("127.0.0.1")).add

        class Watching(type(it.host.admission.hold("127.0.0.1"))):  # type: ignore[misc]
            def add(self, size: int) -> None:
                held.append(size)
                add(self, size)

        it.host.admission.hold = lambda sender: Watching(it.host.admission, sender)  # type: ignore[method-assign]
        reply = await it.post("/v1/traces", body, **PROTOBUF, Content_Encoding=algorithm)
        assert reply.status == 413
        assert "larger than 4194304 bytes" in Status.FromString(reply.body).message
        assert sum(held) <= len(body) + 4 * 1024 * 1024 + 1
        assert await still_serves(it)


async def test_a_window_that_needs_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(traces()) + stream.flush()
    async with running(http={}) as it:
        assert (await it.post("/v1/traces", body, **PROTOBUF, Content_Encoding="zstd")).status == 400


async def test_a_body_that_says_it_is_too_large_is_413_before_it_is_read() -> None:
    async with running(http={"max_request_body_size": 1000}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Content-Length: 99999999999\r\n\r\n")
        status, body = await answer(reader)
        assert (status, body["code"]) == (413, 8)
        assert await still_serves(it)


async def test_a_chunked_body_that_grows_too_large_is_413() -> None:
    async with running(http={"max_request_body_size": 1000}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            writer.write(b"200\r\n" + b" " * 512 + b"\r\n")
            await writer.drain()
        status, _ = await answer(reader)
        assert status == 413
        assert it.bad("too_large") == 1


async def test_a_header_that_dribbles_in_is_answered_408_and_closed() -> None:
    async with running(http={"read_header_timeout": "100ms"}) as it, connection(it) as (reader, writer):
        writer.write(b"POST /v1/traces HTTP/1.1\r\nHo")
        status, body = await answer(reader)
        assert status == 408
        assert "header did not arrive within 0.1 s" in body["message"]
        assert await reader.read() == b""
        assert it.bad("too_slow") == 1


async def test_a_second_header_on_a_connection_has_the_same_deadline() -> None:
    async with running(http={"read_header_timeout": "100ms"}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Content-Length: 2\r\n\r\n{}")
        assert (await answer(reader))[0] == 200
        writer.write(b"POST /v1/tr")
        assert (await answer(reader))[0] == 408


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with running(http={"read_header_timeout": "50ms"}) as it, connection(it) as (reader, _):
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_an_idle_connection_is_closed() -> None:
    async with running(http={"idle_timeout": "50ms"}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Content-Length: 2\r\n\r\n{}")
        assert (await answer(reader))[0] == 200
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_body_that_stalls_is_answered_408_and_its_bytes_are_given_back() -> None:
    async with running(http={"read_timeout": "100ms"}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Content-Length: 1000\r\n\r\n{")
        status, body = await answer(reader)
        assert (status, body["code"]) == (408, 4)
        assert "too slowly" in body["message"]
        assert it.bad("too_slow") == 1
        assert it.host.admission.in_flight_bytes == 0
        assert await still_serves(it)


async def test_a_body_slower_than_the_minimum_rate_is_answered_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spanmill.receivers.otlp.http_body._PACE_SECONDS", 0.2)
    async with running(http={"read_timeout": 0, "min_rate": 100_000}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Content-Length: 1000000\r\n\r\n")

        async def dribble() -> None:
            while True:
                writer.write(b" " * 100)
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        status, _ = await answer(reader)
        dribbling.cancel()
        assert status == 408
        assert it.bad("too_slow") == 1


async def test_a_sender_that_does_not_read_its_answers_is_cut_off() -> None:
    async with running(http={"write_timeout": "100ms", "response_headers": {"X-Pad": "x" * 8000}}) as it:
        async with connection(it) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            request = _POST + b"Content-Length: 2\r\n\r\n{}"
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(_send_for_ever(writer, request * 100), 30)
        assert await still_serves(it)


async def _send_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()


async def test_a_sender_that_leaves_in_the_middle_of_its_body_costs_nothing() -> None:
    async with running(http={}) as it:
        async with connection(it) as (_, writer):
            writer.write(_POST + b"Content-Length: 1000\r\n\r\n{")
            await writer.drain()
            while not it.host.admission.in_flight_bytes:
                await asyncio.sleep(0)
        while not it.bad("disconnected"):
            await asyncio.sleep(0)
        assert it.host.admission.in_flight_bytes == 0
        assert it.logs == []
        assert await still_serves(it)


@pytest.mark.parametrize(
    "header",
    [
        b"X-Flood: " + b"y" * 20_000 + b"\r\n",
        b"".join(b"X-%d: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" % number for number in range(124)),
        b"".join(b"X-%d: %s\r\n" % (number, b"y" * 8000) for number in range(50)),
    ],
)
async def test_a_header_flood_is_431(header: bytes) -> None:
    async with running(http={"max_header_bytes": 4096}) as it, connection(it) as (reader, writer):
        writer.write(_POST + header + b"Content-Length: 2\r\n\r\n{}")
        status, body = await answer(reader)
        assert (status, body["message"]) == (431, "the header is larger than 4096 bytes")
        assert it.bad("header_too_large") == 1


async def test_too_many_header_fields_are_refused() -> None:
    fields = b"".join(b"a%d:b\r\n" % number for number in range(1000))
    async with running(http={}) as it, connection(it) as (reader, writer):
        writer.write(_POST + fields + b"Content-Length: 2\r\n\r\n{}")
        assert (await answer(reader))[0] in (400, 431)
        assert await still_serves(it)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_without_a_traceback(sent: bytes) -> None:
    async with running(http={}) as it, connection(it) as (reader, writer):
        writer.write(sent)
        status, body = await answer(reader)
        assert (status, body["code"]) == (400, 3)
        assert body["message"].startswith("not valid HTTP")
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert it.bad("malformed_http") == 1
        assert all(entry["log_level"] == "warning" and "exc_info" not in entry for entry in it.logs)


async def test_a_broken_chunk_is_400() -> None:
    async with running(http={}) as it, connection(it) as (reader, writer):
        writer.write(_POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        writer.write(b"not a size\r\n")
        status, _ = await answer(reader)
        assert status == 400
        assert it.bad("malformed_http") == 1


async def test_connections_beyond_the_limit_wait_until_one_is_free() -> None:
    request = _POST + b"Content-Length: 2\r\n\r\n{}"
    async with (
        running(http={"max_connections": 1}) as it,
        connection(it) as (first_reader, first),
        connection(it) as (second_reader, second),
    ):
        first.write(request)
        assert (await answer(first_reader))[0] == 200
        second.write(request)
        waiting = asyncio.create_task(answer(second_reader))
        first.write(request)
        assert (await answer(first_reader))[0] == 200
        assert not waiting.done()
        first.close()
        assert (await waiting)[0] == 200


async def test_a_thousand_bad_requests_are_one_line_of_log() -> None:
    async with running(http={}) as it:
        for _ in range(50):
            assert (await it.post("/v1/traces", b"\xff", **PROTOBUF)).status == 400
        assert it.bad("malformed") == it.outcomes("rejected") == 50
        assert len(it.logs) == 1
        assert it.logs[0]["reason"] == "malformed"


async def test_two_million_empty_spans_are_400_before_they_are_decoded() -> None:
    spans = b"\x12\x00" * 2_000_000
    scope = b"\x12" + _varint(len(spans)) + spans
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", b"\x0a" + _varint(len(scope)) + scope, **PROTOBUF)
        assert reply.status == 400
        assert "more than 200000 spans" in Status.FromString(reply.body).message
        assert it.bad("too_costly") == 1
        assert it.kept(Signal.TRACES) == []


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 500, b'{"resourceSpans":' + b"[{}," * 1_200_000, b"\xef\xbb\xbf{}", b"nul", b""]
)
async def test_hostile_json_is_400(body: bytes) -> None:
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", body, **JSON)
        assert reply.status == 400
        assert orjson.loads(reply.body)["code"] == 3
        assert await still_serves(it)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])
