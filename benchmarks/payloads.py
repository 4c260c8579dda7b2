"""Serialized requests of a known number and size of spans, and a file of them for the client process."""

import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

LIGHT, LLM, HUGE = 350, 1_300, 100_000
"""Bytes of a span on the wire: an HTTP call, a chat with short messages, a chat with a long context."""

_START: Final = 1_767_225_600_000_000_000
_TEXT: Final = (
    "the answer follows from passages that were found in handbook about returns delivery invoices and accounts "
    "고객 문의 답변은 안내서에서 찾은 내용을 바탕으로 합니다 回答は案内書の内容に基づいています"
)
_WORDS: Final = _TEXT.split()


def request(random: Random, spans: int, span_bytes: int, start_ns: int = _START) -> bytes:
    """One `ExportTraceServiceRequest` with so many spans of about so many bytes each; ids and texts differ.

    They begin within 1,000 s from `start_ns`, nanoseconds since 1970.
    """
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.extend(_attributes({"service.name": "shop", "service.version": "2.4.1"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "bench"
    for _ in range(spans):
        _fill(scope.spans.add(), random, span_bytes, start_ns)
    return message.SerializeToString()


def _fill(span: Span, random: Random, span_bytes: int, start_ns: int) -> None:
    span.trace_id, span.span_id = random.randbytes(16), random.randbytes(8)
    span.parent_span_id = random.randbytes(8)
    span.kind = Span.SPAN_KIND_CLIENT
    span.start_time_unix_nano = start_ns + random.randrange(10**12)
    span.end_time_unix_nano = span.start_time_unix_nano + random.randrange(10**9)
    if span_bytes <= LIGHT:
        span.name = "GET /orders"
        values: dict[str, str | int | float] = {
            "http.request.method": "GET",
            "http.route": "/orders/{id}",
            "http.response.status_code": 200,
            "server.address": "orders.example",
            "url.path": f"/orders/{random.randrange(10**6)}",
            "user_agent.original": "okhttp/4.12.0",
            "network.protocol.version": "1.1",
        }
    else:
        span.name = "chat gpt-5-mini"
        values = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2026-03-01",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.usage.input_tokens": random.randrange(4000),
            "gen_ai.usage.output_tokens": random.randrange(900),
            "session.id": f"session-{random.randrange(4000)}",
        }
    span.attributes.extend(_attributes(values))
    missing = span_bytes - span.ByteSize() - 40
    if span_bytes > LIGHT and missing > 0:
        question = _text(random, missing // 2)
        span.attributes.extend(_attributes({"gen_ai.input.messages": question}))
        span.attributes.extend(_attributes({"gen_ai.output.messages": _text(random, missing - len(question.encode()))}))


def _attributes(values: dict[str, str | int | float]) -> Iterator[KeyValue]:
    for key, value in values.items():
        kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
        yield KeyValue(key=key, value=AnyValue(**{kind: value}))  # type: ignore[arg-type]


def _text(random: Random, size: int) -> str:
    words: list[str] = []
    length = 0
    while length < size:
        words.append(random.choice(_WORDS))
        length += len(words[-1].encode()) + 1
    return " ".join(words)


def write_requests(path: Path, requests: list[bytes]) -> None:
    """Requests one after another, each after its length in 4 bytes."""
    with path.open("wb") as file:
        for payload in requests:
            file.write(struct.pack(">I", len(payload)) + payload)


def read_requests(path: Path) -> list[bytes]:
    """What `write_requests` wrote."""
    data, offset, requests = path.read_bytes(), 0, []
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        requests.append(data[offset + 4 : offset + 4 + size])
        offset += 4 + size
    return requests
