"""OTLP over HTTP with an ordinary client: what is served, and what is answered to what is not."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
import pytest
import zstandard
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.component import Outcome
from spanmill.errors import Busy, Rejected
from spanmill.otlp.json import to_json
from spanmill.signal import Signal
from tests.otlp_samples import SAMPLES, traces
from tests.receivers.otlp.receiving import JSON, PATHS, PROTOBUF, KeepingHost, running

_CONTENT = {"Content_Type": "application/x-protobuf"}
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


@pytest.mark.parametrize("signal", Signal)
async def test_each_signal_is_taken_in_protobuf_and_in_json(signal: Signal) -> None:
    async with running(http={}) as it:
        protobuf = await it.post(PATHS[signal], SAMPLES[signal], **PROTOBUF)
        json = await it.post(PATHS[signal], to_json(signal, SAMPLES[signal]), **JSON)
        assert (protobuf.status, protobuf.body) == (200, b"")
        assert (json.status, json.body) == (200, b"{}")
        assert protobuf.headers["Content-Type"] == "application/x-protobuf"
        assert json.headers["Content-Type"] == "application/json"
        assert it.kept(signal) == [SAMPLES[signal]] * 2
        assert it.outcomes("accepted") == 2
        assert it.host.intakes[signal].transports == ["http", "http"]


@pytest.mark.parametrize("algorithm", _COMPRESS)
async def test_a_compressed_body_arrives_as_it_was(algorithm: str) -> None:
    payload = traces(spans=3000)
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", _COMPRESS[algorithm](payload), **PROTOBUF, Content_Encoding=algorithm)
        assert reply.status == 200
        assert it.kept(Signal.TRACES) == [payload]
        assert it.host.admission.in_flight_bytes == 0


async def test_a_chunked_body_without_a_length_arrives() -> None:
    payload = traces(spans=2000)

    async def chunks() -> Any:
        for start in range(0, len(payload), 10_000):
            yield payload[start : start + 10_000]

    async with running(http={}) as it:
        assert (await it.post("/v1/traces", chunks(), **PROTOBUF)).status == 200
        assert it.kept(Signal.TRACES) == [payload]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
async def test_parameters_and_case_of_the_content_type_do_not_matter(content_type: str) -> None:
    async with running(http={}) as it:
        assert (await it.post("/v1/traces", b"{}", Content_Type=content_type)).status == 200


async def test_the_configured_paths_are_served_and_the_usual_ones_then_are_not() -> None:
    async with running(http={"traces_url_path": "/api/otel/v1/traces"}) as it:
        assert (await it.post("/api/otel/v1/traces?project=1", traces(), **PROTOBUF)).status == 200
        reply = await it.post("/v1/traces", traces(), **PROTOBUF)
        assert reply.status == 404
        assert "/api/otel/v1/traces" in Status.FromString(reply.body).message


async def test_a_signal_without_a_pipeline_is_404_and_says_where_to_add_it() -> None:
    async with running(KeepingHost((Signal.TRACES,)), http={}) as it:
        reply = await it.post("/v1/logs", SAMPLES[Signal.LOGS], **PROTOBUF)
        assert reply.status == 404
        assert "service.pipelines.logs.receivers" in Status.FromString(reply.body).message


async def test_rejected_items_are_counted_in_the_answer_and_as_partial() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Outcome(1, 2, "span_id is all zero")
        reply = await it.post("/v1/traces", traces(3), **PROTOBUF)
        partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
        assert (reply.status, partial.rejected_spans, partial.error_message) == (200, 2, "span_id is all zero")
        reply = await it.post("/v1/traces", b"{}", **JSON)
        assert orjson.loads(reply.body) == {
            "partialSuccess": {"rejectedSpans": "2", "errorMessage": "span_id is all zero"}
        }
        assert it.outcomes("partial") == 2


@pytest.mark.parametrize(("asked", "header"), [(2.6, "3"), (5.0, "5"), (600.0, "5")])
async def test_a_full_journal_answers_503_with_the_delay_that_it_asks_for_up_to_5_seconds(
    asked: float, header: str
) -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Busy("the journal is full", asked)
        reply = await it.post("/v1/traces", traces(), **PROTOBUF)
        assert (reply.status, reply.headers["Retry-After"]) == (503, header)
        assert Status.FromString(reply.body).message == "the journal is full"
        assert it.outcomes("refused") == 1
        assert it.outcomes("rejected") == 0


async def test_too_many_bytes_in_flight_answer_429_before_the_body_is_read() -> None:
    async with running(KeepingHost(max_bytes=1000), http={}) as it:
        with it.host.admission.hold("127.0.0.1") as held:
            held.add(999)
            reply = await it.post("/v1/traces", traces(spans=100), **PROTOBUF)
        assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
        assert (await it.post("/v1/traces", traces(spans=100), **PROTOBUF)).status == 200
        assert it.outcomes("refused") == it.bad("in_flight") == 1


async def test_decompressed_bytes_count_as_in_flight_too() -> None:
    async with running(KeepingHost(max_bytes=50_000), http={}) as it:
        with it.host.admission.hold("127.0.0.1") as held:
            held.add(1)
            reply = await it.post("/v1/traces", gzip.compress(traces(2000)), **PROTOBUF, Content_Encoding="gzip")
        assert reply.status == 429
        assert it.host.admission.in_flight_bytes == 0


async def test_what_the_engine_rejects_is_400_and_never_retried() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Rejected("no such thing")
        reply = await it.post("/v1/traces", traces(), **PROTOBUF)
        assert (reply.status, Status.FromString(reply.body).message) == (400, "no such thing")
        assert "Retry-After" not in reply.headers


async def test_a_defect_is_500_without_its_text_and_logged_once() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = ZeroDivisionError("secret")
        for _ in range(3):
            reply = await it.post("/v1/traces", traces(), **PROTOBUF)
            assert reply.status == 500
            assert b"secret" not in reply.body
        assert it.bad("internal") == 3
        assert [entry["log_level"] for entry in it.logs] == ["error"]


async def test_a_long_reason_is_cut_and_packed_only_for_those_who_accept_it() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Outcome(1, 1, "x" * 1_000_000)
        plain = await it.post("/v1/traces", b"{}", **JSON, Accept_Encoding="gzip;q=0, identity")
        packed = await it.post("/v1/traces", b"{}", **JSON, Accept_Encoding="deflate, gzip")
        assert "Content-Encoding" not in plain.headers
        assert len(plain.body) < 5000
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body


async def test_response_headers_stand_in_every_answer() -> None:
    async with running(http={"response_headers": {"X-Served-By": "spanmill"}}) as it:
        for reply in (await it.post("/v1/traces", b"{}", **JSON), await it.post("/nowhere", b"{}", **JSON)):
            assert reply.headers["X-Served-By"] == "spanmill"


async def test_requests_of_one_connection_are_served_one_after_the_other() -> None:
    async with running(http={}) as it, aiohttp.ClientSession(it.url) as session:
        for number in range(5):
            async with session.post("/v1/traces", data=traces(number + 1), headers=PROTOBUF) as response:
                assert response.status == 200
                assert response.headers.get("Connection") != "close"
        assert it.kept(Signal.TRACES) == [traces(number + 1) for number in range(5)]


async def test_without_keep_alive_each_answer_closes() -> None:
    async with running(http={"keep_alives_enabled": False}) as it:
        assert (await it.post("/v1/traces", b"{}", **JSON)).headers["Connection"] == "close"


async def test_a_sender_that_waits_for_100_continue_is_told_to_go_on() -> None:
    payload = traces()
    async with running(http={}) as it:
        reader, writer = await asyncio.open_connection(*it.http_address)
        head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nExpect: 100-continue\r\n"
        writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(payload)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        await writer.wait_closed()
        assert it.kept(Signal.TRACES) == [payload]


async def test_a_sender_that_waits_for_100_continue_is_told_at_once_that_its_body_is_too_large() -> None:
    async with running(http={"max_request_body_size": 1000}) as it:
        reader, writer = await asyncio.open_connection(*it.http_address)
        head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        writer.write(f"{head}Content-Length: 1001\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        writer.close()
        await writer.wait_closed()


async def test_pipelined_requests_are_answered_in_order() -> None:
    one = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    two = b"GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(http={}) as it:
        reader, writer = await asyncio.open_connection(*it.http_address)
        writer.write(one + two + one)
        statuses = []
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            statuses.append(head.split(b" ")[1])
        assert statuses == [b"200", b"405", b"200"]
        writer.close()
        await writer.wait_closed()
