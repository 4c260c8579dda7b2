"""Calls of models as an application reports them, and what a judge says of them, over OTLP/HTTP, again and again."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanmill.llm.evaluations import Evaluation, request_bytes
from tests.data import key_value

_EVERY_SECONDS: Final = 0.25
_BILLION: Final = 1_000_000_000

CALLS: Final[tuple[dict[str, Any], ...]] = (
    # Priced: 600 * 2.50 + 400 * 1.25 + 100 * 10 USD per million tokens = 0.003 USD. 1.5 s, the first token after 0.4 s.
    {
        "seconds": 1.5,
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.response.time_to_first_chunk": 0.4,
        "gen_ai.request.stream": True,
        "gen_ai.prompt.name": "greeting",
        "gen_ai.prompt.version": "1",
        "feature": "support",
    },
    # A new version of the same prompt, three times as large.
    {
        "seconds": 1.5,
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 3000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.response.time_to_first_chunk": 0.4,
        "gen_ai.request.stream": True,
        "gen_ai.prompt.name": "greeting",
        "gen_ai.prompt.version": "2",
        "feature": "support",
    },
    # A model of one's own that nobody has a price for.
    {
        "seconds": 3.0,
        "gen_ai.request.model": "house-model",
        "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 30,
        "feature": "search",
    },
    # Turned away by the provider, for the second time.
    {"seconds": 0.1, "gen_ai.request.model": "gpt-4o-mini", "error.type": "429", "http.request.resend_count": 1},
)


def request(number: int) -> bytes:
    """One trace with each of the calls, which end now. `number` makes its ids."""
    message, now = ExportTraceServiceRequest(), time.time_ns()
    resource = message.resource_spans.add()
    resource.resource.attributes.append(key_value("service.name", "shop"))
    scope = resource.scope_spans.add()
    for index, call in enumerate(CALLS, 1):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"), span_id=(number * len(CALLS) + index).to_bytes(8, "big"), name="chat"
        )
        span.kind, span.end_time_unix_nano = span.SPAN_KIND_CLIENT, now
        span.start_time_unix_nano = now - round(call["seconds"] * _BILLION)
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", **call}
        del attributes["seconds"]
        span.attributes.extend(key_value(key, value) for key, value in attributes.items())
        if "error.type" in call:
            span.status.code = Status.STATUS_CODE_ERROR
    return message.SerializeToString()


def verdicts(number: int) -> bytes:
    """What a judge says of that trace: 0.75 on average of good calls."""
    verdict = Evaluation(
        name="relevance",
        trace_id=f"{number:032x}",
        time_unix_nano=time.time_ns(),
        source="judge",
        score=1.0,
        outcome="scored",
        judge_model="gpt-4o-mini",
        cost_nano_usd=1_000_000,
        lag_seconds=3.0,
        model="gpt-4o",
        feature="support",
        prompt="greeting",
    )
    poor = replace(verdict, score=0.5)
    failed = replace(verdict, score=None, outcome="failed", error_type="unparsable", model="house-model")
    return request_bytes([verdict, poor, failed], resource_attributes={"service.name": "shop"})


@contextmanager
def flowing(port: int) -> Iterator[None]:
    """Send requests to a collector until the end."""
    stopped = threading.Event()
    thread = threading.Thread(target=_send, args=(port, stopped), name="traffic")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _send(port: int, stopped: threading.Event) -> None:
    number = 0
    while not stopped.wait(_EVERY_SECONDS):
        number += 1
        for path, payload in (("traces", request(number)), ("logs", verdicts(number))):
            body = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/{path}", payload, {"Content-Type": "application/x-protobuf"}
            )
            with urllib.request.urlopen(body, timeout=10):
                pass
