"""What an OTLP server must do: the duties of the specification 1.11 (opentelemetry-proto), row by row.

Each test is one rule; its docstring names the section.
"""

import gzip
from typing import Any

import grpc
import orjson
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.component import Outcome
from spanmill.config.values import Endpoint
from spanmill.errors import Busy, Rejected
from spanmill.otlp.json import to_json
from spanmill.otlp.messages import SERVICES
from spanmill.otlp.responses import Encoding
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.signal import Signal
from tests.otlp_samples import SAMPLES, traces
from tests.receivers.otlp.receiving import JSON, PATHS, PROTOBUF, KeepingHost, Reply, Running, running

_RETRYABLE = {429, 502, 503, 504}


async def grpc_error(it: Running, payload: bytes, **options: Any) -> tuple[grpc.StatusCode, Status | None, str]:
    """The code of a failed call, its status details and their kind."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await it.export(Signal.TRACES, payload, **options)
    trailers = dict(caught.value.trailing_metadata())
    details = trailers.get("grpc-status-details-bin")
    status = Status.FromString(details) if details is not None else None
    kind = status.details[0].TypeName() if status is not None and status.details else ""
    return caught.value.code(), status, kind


def test_the_default_ports_are_4317_and_4318_of_localhost() -> None:
    """OTLP/gRPC Default Port; OTLP/HTTP Default Port."""
    protocols = OtlpReceiverConfig().protocols
    assert protocols.grpc is not None
    assert protocols.http is not None
    assert protocols.grpc.endpoint == Endpoint("localhost", 4317)
    assert protocols.http.endpoint == Endpoint("localhost", 4318)


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_grpc_serves_export_of_every_signal_with_none_and_gzip(
    signal: Signal, compression: grpc.Compression
) -> None:
    """OTLP/gRPC; Protocol Details: servers must accept `none` and `gzip`."""
    async with running(grpc={}) as it:
        assert await it.export(signal, SAMPLES[signal], compression=compression) == b""


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("packed", [False, True])
async def test_http_serves_every_signal_in_both_encodings_on_one_port(
    signal: Signal, encoding: Encoding, packed: bool
) -> None:
    """OTLP/HTTP Request: POST to /v1/<signal>; Binary and JSON Protobuf Encoding; gzip is indicated by the header."""
    body = to_json(signal, SAMPLES[signal]) if encoding is Encoding.JSON else SAMPLES[signal]
    headers = {"Content_Type": encoding.value} | ({"Content_Encoding": "gzip"} if packed else {})
    async with running(http={}) as it:
        reply = await it.post(PATHS[signal], gzip.compress(body) if packed else body, **headers)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == encoding.value
        assert it.kept(signal) == [SAMPLES[signal]]


async def test_a_response_is_packed_only_for_a_client_that_accepts_it() -> None:
    """OTLP/HTTP Response: gzip only when `Accept-Encoding` says so."""
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Outcome(0, 1, "x" * 3000)
        assert "Content-Encoding" not in (await it.post("/v1/traces", b"{}", **JSON, Accept_Encoding="br")).headers
        packed = await it.post("/v1/traces", b"{}", **JSON, Accept_Encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip"


def test_the_default_size_limit_is_64_mib() -> None:
    """Request size limits: recommended default of 64 MiB, configurable, on what comes out of decompression too."""
    protocols = OtlpReceiverConfig().protocols
    assert protocols.grpc is not None
    assert protocols.http is not None
    assert protocols.grpc.max_recv_msg_size_mib == 64
    assert protocols.http.max_request_body_size == 64 * 1024 * 1024


@pytest.mark.parametrize("packed", [False, True])
async def test_http_beyond_the_size_limit_is_413(packed: bool) -> None:
    """Request size limits: 413 Content Too Large, before and after decompression."""
    body = traces(spans=100)
    async with running(http={"max_request_body_size": len(body) - 1}) as it:
        headers = PROTOBUF | ({"Content_Encoding": "gzip"} if packed else {})
        reply = await it.post("/v1/traces", gzip.compress(body) if packed else body, **headers)
        assert reply.status == 413
        assert Status.FromString(reply.body).message
    async with running(http={"max_request_body_size": len(body)}) as it:
        assert (await it.post("/v1/traces", body, **PROTOBUF)).status == 200


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_grpc_beyond_the_size_limit_is_resource_exhausted_without_retry_info(
    compression: grpc.Compression,
) -> None:
    """Request size limits: not retryable, so no RetryInfo."""
    async with running(grpc={"max_recv_msg_size_mib": 1}) as it:
        code, _, kind = await grpc_error(it, bytes(1024 * 1024 + 1), compression=compression)
        assert (code, kind) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")


@pytest.mark.parametrize("encoding", Encoding)
async def test_responses_stay_far_below_4_mib(encoding: Encoding) -> None:
    """Response size limits: error messages are shortened first."""
    async with running(http={}) as it:
        content = {"Content_Type": encoding.value}
        body = b"{}" if encoding is Encoding.JSON else b""
        it.host.intakes[Signal.TRACES].answer = Outcome(0, 1, "x" * 8_000_000)
        assert len((await it.post("/v1/traces", body, **content)).body) < 64 * 1024
        it.host.intakes[Signal.TRACES].answer = Rejected("x" * 8_000_000)
        assert len((await it.post("/v1/traces", body, **content)).body) < 64 * 1024


@pytest.mark.parametrize("signal", Signal)
async def test_full_success_leaves_partial_success_unset(signal: Signal) -> None:
    """Full Success: the server must leave the field unset."""
    async with running() as it:
        grpc_response = SERVICES[signal].response.FromString(await it.export(signal, SAMPLES[signal]))
        assert not grpc_response.HasField("partial_success")
        assert (await it.post(PATHS[signal], SAMPLES[signal], **PROTOBUF)).body == b""
        assert (await it.post(PATHS[signal], to_json(signal, SAMPLES[signal]), **JSON)).body == b"{}"


@pytest.mark.parametrize("signal", Signal)
async def test_an_empty_request_succeeds(signal: Signal) -> None:
    """Full Success: nothing to take is not an error."""
    async with running() as it:
        assert await it.export(signal, b"") == b""
        assert (await it.post(PATHS[signal], b"", **PROTOBUF)).status == 200
        assert (await it.post(PATHS[signal], b"{}", **JSON)).status == 200


@pytest.mark.parametrize("signal", Signal)
async def test_partial_success_counts_what_was_rejected_and_says_why(signal: Signal) -> None:
    """Partial Success: `rejected_<items>` and `error_message`; the code is that of success."""
    field = SERVICES[signal].rejected
    async with running() as it:
        it.host.intakes[signal].answer = Outcome(1, 41, "ids of the wrong length")
        over_grpc = SERVICES[signal].response.FromString(await it.export(signal, SAMPLES[signal]))
        over_http = await it.post(PATHS[signal], SAMPLES[signal], **PROTOBUF)
        for response in (over_grpc, SERVICES[signal].response.FromString(over_http.body)):
            partial: Any = response.partial_success  # type: ignore[attr-defined]
            assert (getattr(partial, field), partial.error_message) == (41, "ids of the wrong length")
        first, *rest = field.split("_")
        json = orjson.loads((await it.post(PATHS[signal], b"{}", **JSON)).body)
        camel = first + "".join(word.capitalize() for word in rest)
        assert json == {"partialSuccess": {camel: "41", "errorMessage": "ids of the wrong length"}}


async def test_a_warning_is_a_partial_success_with_nothing_rejected() -> None:
    """Partial Success: a server that took everything may still have something to say."""
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = Outcome(1, 0, "ids should be random")
        response: Any = SERVICES[Signal.TRACES].response.FromString(await it.export(Signal.TRACES, traces()))
        assert response.HasField("partial_success")
        assert response.partial_success.rejected_spans == 0
        assert response.partial_success.error_message == "ids should be random"


async def test_grpc_overload_is_retryable_resource_exhausted_with_retry_info() -> None:
    """Failures; OTLP/gRPC Throttling: RESOURCE_EXHAUSTED is retryable only if RetryInfo says so."""
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = Busy("the journal is full", 2)
        code, status, kind = await grpc_error(it, traces())
        detail = RetryInfo()
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert kind == "google.rpc.RetryInfo"
        assert status is not None
        assert status.details[0].Unpack(detail)
        assert detail.retry_delay.seconds == 2


async def test_grpc_bad_data_is_invalid_argument_with_bad_request() -> None:
    """Failures: not retryable; BadRequest is the recommended detail."""
    async with running(grpc={}) as it:
        code, status, kind = await grpc_error(it, b"\xff")
        assert (code, kind) == (grpc.StatusCode.INVALID_ARGUMENT, "google.rpc.BadRequest")
        assert status is not None
        assert status.details[0].Unpack(BadRequest())


@pytest.mark.parametrize(("host", "status"), [(KeepingHost(max_bytes=1), 429), (KeepingHost(), 503)])
async def test_http_overload_is_429_or_503_with_retry_after(host: KeepingHost, status: int) -> None:
    """Retryable Response Codes; OTLP/HTTP Throttling: `Retry-After` in whole seconds."""
    async with running(host, http={}) as it:
        host.intakes[Signal.TRACES].answer = Busy("the journal is full", 2.0)
        with host.admission.hold("127.0.0.1") as held:
            held.add(1)
            reply = await it.post("/v1/traces", traces(), **PROTOBUF)
        assert reply.status == status
        assert 1 <= int(reply.headers["Retry-After"]) <= 5


_WRONG: dict[str, tuple[int, str, dict[str, Any]]] = {
    "not protobuf or JSON inside": (400, "POST", {}),
    "a broken gzip body": (400, "POST", {"Content-Encoding": "gzip"}),
    "another path": (404, "POST", {"path": "/v1/spans"}),
    "another method": (405, "PUT", {}),
    "an unknown encoding": (415, "POST", {"Content-Encoding": "br"}),
    "too large": (413, "POST", {"size": 5000}),
    "too many header bytes": (431, "POST", {"X-Pad": "y" * 3000}),
    "no pipeline": (404, "POST", {"path": "/v1/logs"}),
}


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("wrong", _WRONG)
async def test_every_error_body_is_a_status_in_the_encoding_of_the_request(encoding: Encoding, wrong: str) -> None:
    """Failures: every 4xx and 5xx carries a `google.rpc.Status`, so that clients can tell what is wrong."""
    expected, method, how = _WRONG[wrong]
    how = dict(how)
    path, size = how.pop("path", "/v1/traces"), how.pop("size", 3)
    host = KeepingHost((Signal.TRACES,))
    async with running(host, http={"max_request_body_size": 4000, "max_header_bytes": 2000}) as it:
        reply = await _request(it, method, path, b"\xff" * size, {"Content-Type": encoding.value} | how)
        # What the HTTP parser itself turns away has no encoding yet: that answer is JSON.
        answered = Encoding.JSON if reply.status == 431 else encoding
        assert (reply.status, reply.headers["Content-Type"]) == (expected, answered.value)
        assert reply.status not in _RETRYABLE
        code, message = _status(reply, answered)
        assert code
        assert message


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("answer", [Busy("full"), Rejected("bad"), ZeroDivisionError()])
async def test_errors_of_the_engine_are_a_status_in_the_encoding_of_the_request(
    encoding: Encoding, answer: Exception
) -> None:
    """Failures: the same for 5xx."""
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = answer
        body = b"{}" if encoding is Encoding.JSON else b""
        reply = await it.post("/v1/traces", body, Content_Type=encoding.value)
        assert reply.status == {Busy: 503, Rejected: 400, ZeroDivisionError: 500}[type(answer)]
        assert reply.headers["Content-Type"] == encoding.value
        assert all(_status(reply, encoding))


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "application/jsonx"])
async def test_another_content_type_is_415_that_names_those_served(content_type: str) -> None:
    """OTLP/HTTP Request: the two content types. There is no encoding of the request to answer in: it is JSON."""
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", traces(), **({"Content_Type": content_type} if content_type else {}))
        assert reply.status == 415
        assert "application/x-protobuf or application/json" in orjson.loads(reply.body)["message"]


async def test_another_method_is_405_with_allow() -> None:
    """RFC 9110, 15.5.6."""
    async with running(http={}) as it:
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            reply = await _request(it, method, "/v1/traces", b"", {})
            assert (reply.status, reply.headers["Allow"]) == (405, "POST")


async def test_another_content_encoding_is_415_with_those_accepted() -> None:
    """RFC 9110, 15.5.16."""
    async with running(http={"compression_algorithms": ["gzip", "zstd"]}) as it:
        for encoding in ("br", "deflate", "gzip, gzip"):
            reply = await it.post("/v1/traces", traces(), **PROTOBUF, Content_Encoding=encoding)
            assert (reply.status, reply.headers["Accept-Encoding"]) == (415, "gzip, zstd")


def _span(**fields: Any) -> bytes:
    span = {"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", **fields}
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


async def _taken(it: Running, body: bytes) -> Any:
    assert (await it.post("/v1/traces", body, **JSON)).status == 200
    request = ExportTraceServiceRequest.FromString(it.kept(Signal.TRACES)[-1])
    return request.resource_spans[0].scope_spans[0].spans[0]


async def test_json_ids_are_hex_in_either_case() -> None:
    """JSON Protobuf Encoding: traceId and spanId are case-insensitive hex strings."""
    async with running(http={}) as it:
        body = _span(traceId="ABCDEFabcdef00112233445566778899", links=[{"traceId": "FF" * 16, "spanId": "aA" * 8}])
        span = await _taken(it, body)
        assert span.trace_id.hex() == "abcdefabcdef00112233445566778899"
        assert span.links[0].trace_id == b"\xff" * 16
        assert (await it.post("/v1/traces", _span(traceId="not hex"), **JSON)).status == 400


async def test_json_enums_are_integers_only() -> None:
    """JSON Protobuf Encoding: enum values are integers; their names are not valid."""
    async with running(http={}) as it:
        assert (await _taken(it, _span(kind=3))).kind == 3
        reply = await it.post("/v1/traces", _span(kind="SPAN_KIND_CLIENT"), **JSON)
        assert reply.status == 400
        assert "$.resourceSpans[0].scopeSpans[0].spans[0].kind" in orjson.loads(reply.body)["message"]


async def test_json_keys_are_lower_camel_case_only() -> None:
    """JSON Protobuf Encoding: the names of the .proto files are not valid."""
    async with running(http={}) as it:
        reply = await it.post("/v1/traces", b'{"resource_spans": []}', **JSON)
        assert reply.status == 400
        assert "write `resourceSpans`" in orjson.loads(reply.body)["message"]


async def test_json_64_bit_integers_are_numbers_or_texts() -> None:
    """JSON Protobuf Encoding, by ProtoJSON: written as texts, accepted as both."""
    async with running(http={}) as it:
        for value in (1544712660000000000, "1544712660000000000"):
            span = await _taken(
                it, _span(startTimeUnixNano=value, attributes=[{"key": "n", "value": {"intValue": value}}])
            )
            assert span.start_time_unix_nano == span.attributes[0].value.int_value == 1544712660000000000


async def test_json_unknown_fields_are_ignored() -> None:
    """JSON Protobuf Encoding: what a later version sends must not fail."""
    async with running(http={}) as it:
        assert (await _taken(it, _span(name="chat", futureField={"x": [1]}, other=None))).name == "chat"


async def test_json_bytes_values_stay_base64() -> None:
    """JSON Protobuf Encoding: only ids are hex."""
    async with running(http={}) as it:
        span = await _taken(it, _span(attributes=[{"key": "b", "value": {"bytesValue": "AAEC/w=="}}]))
        assert span.attributes[0].value.bytes_value == b"\x00\x01\x02\xff"


async def _request(it: Running, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.request(method, it.url + path, data=body, headers=headers) as response,
    ):
        return Reply(response.status, await response.read(), dict(response.headers))


def _status(reply: Reply, encoding: Encoding) -> tuple[int, str]:
    if encoding is Encoding.JSON:
        parsed = orjson.loads(reply.body)
        return parsed["code"], parsed["message"]
    status = Status.FromString(reply.body)
    return status.code, status.message
