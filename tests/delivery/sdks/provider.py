"""A stand-in for OpenAI's API on a port of its own: what the SDKs' real client talks to.

It answers by what is said last in a request, from the script below, and always the same. Each SDK has a base URL of its
own (`url(sdk)`); the ids of its answers end in the SDK's name, since two reports of one id are two reports of one call.
"""

import base64
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

CHAT_MODEL: Final = "gpt-4o-mini-2024-07-18"
EMBEDDING_MODEL: Final = "text-embedding-3-small"
_CREATED: Final = 1_767_225_600
_MILLION: Final = Decimal(1_000_000)
_PRICES_USD: Final = {CHAT_MODEL: ("0.15", "0.075", "0.60"), EMBEDDING_MODEL: ("0.02", "0.02", "0")}
"""Per million tokens: of input, of cached input, of output."""


@dataclass(frozen=True)
class Usage:
    """What the provider counts and bills for a call."""

    input_tokens: int = 412
    cached_tokens: int = 128
    output_tokens: int = 87
    reasoning_tokens: int = 24

    def cost_usd(self, model: str) -> Decimal:
        """What OpenAI's price list makes of it."""
        price, cached, answer = (Decimal(text) / _MILLION for text in _PRICES_USD[model])
        fresh = self.input_tokens - self.cached_tokens
        return fresh * price + self.cached_tokens * cached + self.output_tokens * answer

    def as_json(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


@dataclass(frozen=True)
class Answer:
    """One line of the script: a text or tool calls, or, with a status other than 200, an error."""

    name: str
    text: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: Usage = field(default_factory=Usage)
    status: int = 200

    @property
    def finish_reason(self) -> str:
        return "tool_calls" if self.tool_calls else "stop"


@dataclass(frozen=True)
class Served:
    """A call that was answered: to whom, with which line of the script, under which id."""

    sdk: str
    answer: Answer
    response_id: str


def weather_call(number: int, city: str) -> dict[str, Any]:
    """A call of the tool `weather`, as the model asks for it."""
    function = {"name": "weather", "arguments": json.dumps({"city": city})}
    return {"id": f"call_{number}", "type": "function", "function": function}


SCRIPT: Final = {
    "What is the capital of France?": Answer("plain", "Paris."),
    "Count to three.": Answer("streamed", "One, two, three."),
    "Count to two.": Answer("streamed without usage", "One, two."),
    "How is the weather in Paris?": Answer("asks for a tool", tool_calls=(weather_call(1, "Paris"),)),
    "18 degrees in Paris": Answer("uses the result", "It is 18 °C in Paris.", usage=Usage(530, 384, 31, 0)),
    "Once too often.": Answer("fails", status=429),
    "Name a river.": Answer("response", "The Seine.", usage=Usage(94, 64, 12, 8)),
    "Plan a day in 서울.": Answer("agent asks", tool_calls=(weather_call(2, "서울"),), usage=Usage(698, 0, 44, 0)),
    "18 degrees in 서울": Answer("agent answers", "경복궁 in the morning.", usage=Usage(801, 640, 120, 64)),
}
"""By the text that is said last."""
EMBEDDING: Final = Answer("embedding", usage=Usage(8, 0, 0, 0))
_VECTOR: Final = (0.25, -0.5, 0.125)
RATE_LIMIT: Final = {
    "error": {
        "message": "Rate limit reached for gpt-4o-mini in organization org-test on requests per min (RPM): Limit 3,"
        " Used 3, Requested 1. Please try again in 20s.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
}


class Provider(ThreadingHTTPServer):
    """The server; used as a context manager. `served` is what it has answered, in order."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.served: list[Served] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    def url(self, sdk: str) -> str:
        """The `OPENAI_BASE_URL` of an SDK."""
        return f"http://127.0.0.1:{self.server_address[1]}/{sdk}/v1"

    def serve(self, sdk: str, answer: Answer) -> Served:
        call = Served(sdk, answer, response_id(sdk, answer))
        self.served.append(call)
        return call

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


def response_id(sdk: str, answer: Answer) -> str:
    """The id of an answer to an SDK."""
    return f"chatcmpl-{answer.name.replace(' ', '-')}-{sdk}"


class _Request(BaseHTTPRequestHandler):
    server: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, sdk, path = self.path.split("/", 2)
        if path == "v1/embeddings":
            self._json(200, _embeddings(body, self.server.serve(sdk, EMBEDDING)))
        elif path == "v1/chat/completions" and (answer := SCRIPT.get(_said_last(body))) is not None:
            self._chat(body, self.server.serve(sdk, answer))
        elif path == "v1/responses" and (answer := SCRIPT.get(body["input"])) is not None:
            self._json(200, _response(body, self.server.serve(sdk, answer)))
        else:
            message = f"the script has no answer to {self.path} {body}"
            self._json(
                404, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
            )

    def _chat(self, body: dict[str, Any], call: Served) -> None:
        if call.answer.status != 200:
            self._json(call.answer.status, RATE_LIMIT)
        elif body.get("stream"):
            self._stream(_chunks(call, with_usage=bool((body.get("stream_options") or {}).get("include_usage"))))
        else:
            self._json(200, _completion(call))

    def _json(self, status: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, chunks: Iterator[Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for chunk in chunks:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Requests are not news."""


def _said_last(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _completion(call: Served) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": call.answer.text, "refusal": None, "annotations": []}
    if call.answer.tool_calls:
        message["tool_calls"] = list(call.answer.tool_calls)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": call.answer.finish_reason}
    return _envelope(call, "chat.completion") | {"choices": [choice], "usage": call.answer.usage.as_json()}


def _chunks(call: Served, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    envelope = _envelope(call, "chat.completion.chunk") | ({"usage": None} if with_usage else {})
    words = (call.answer.text or "").split(" ")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": word if number == 0 else f" {word}"} for number, word in enumerate(words)]
    for delta in deltas:
        yield envelope | {"choices": [_choice(delta, None)]}
    yield envelope | {"choices": [_choice({}, call.answer.finish_reason)]}
    if with_usage:
        yield envelope | {"choices": [], "usage": call.answer.usage.as_json()}


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _envelope(call: Served, kind: str) -> dict[str, Any]:
    return {
        "id": call.response_id,
        "object": kind,
        "created": _CREATED,
        "model": CHAT_MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_00000000",
    }


def _response(body: dict[str, Any], call: Served) -> dict[str, Any]:
    """An answer of the newer API, whose words for the same things are others."""
    usage = call.answer.usage
    text: dict[str, Any] = {"type": "output_text", "text": call.answer.text, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": call.response_id,
        "object": "response",
        "created_at": _CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": CHAT_MODEL,
        "output": [message],
        "parallel_tool_calls": True,
        "service_tier": "default",
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }


def _embeddings(body: dict[str, Any], call: Served) -> dict[str, Any]:
    packed = base64.b64encode(struct.pack(f"<{len(_VECTOR)}f", *_VECTOR)).decode()
    vector: Any = packed if body.get("encoding_format") == "base64" else list(_VECTOR)
    tokens = call.answer.usage.input_tokens
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "model": EMBEDDING_MODEL,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
