"""What an OTLP/HTTP server's answer means (OTLP specification, "OTLP/HTTP Response")."""

from dataclasses import dataclass

import aiohttp
import orjson
from google.protobuf.message import DecodeError

from spanmill.errors import Busy, Rejected
from spanmill.exporters.forwarding import (
    MAX_RESPONSE_BYTES,
    Conceal,
    Refused,
    TooLarge,
    partial_success,
    shortened,
    status_of,
)
from spanmill.net.retry_after import retry_after_seconds
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_RETRYABLE = frozenset({429, 502, 503, 504})
_TOO_LARGE = 413


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end or to the limit."""

    status: int
    content_type: str
    body: bytes
    """At most `MAX_RESPONSE_BYTES`; empty when it was longer."""
    retry_after: str = ""
    location: str = ""


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """Read a response. A body beyond the limit is not read on, and its connection not used again."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            body.clear()
            response.close()
            break
    headers = response.headers
    return Answer(
        response.status,
        response.content_type,
        bytes(body),
        headers.get("Retry-After", ""),
        headers.get("Location", ""),
    )


def refused_by(signal: Signal, answer: Answer, conceal: Conceal = str) -> Refused | None:
    """What was refused of a request that was accepted; None when the answer to it cannot be read.

    Raises `TooLarge`, `Busy` with the delay that the server asks for, or `Rejected`. The server's words go through
    `conceal`.
    """
    if 200 <= answer.status < 300:
        return _of_success(signal, answer, conceal)
    reason = f"HTTP {answer.status}"
    if words := _words(answer, conceal):
        reason = f"{reason}: {words}"
    if answer.status in _RETRYABLE:
        raise Busy(reason, retry_after_seconds(answer.retry_after))
    if answer.status == _TOO_LARGE:
        raise TooLarge(reason)
    if 300 <= answer.status < 400 and answer.location:
        location = shortened(conceal(answer.location))
        reason = f"{reason}: the server redirects to {location}; write that address as the endpoint"
    raise Rejected(reason)


def _of_success(signal: Signal, answer: Answer, conceal: Conceal) -> Refused | None:
    if answer.content_type == "text/html":  # a portal, or a user interface that answers every path with its first page
        raise Busy(
            f"HTTP {answer.status} with a web page: this is not an OTLP endpoint, or something is in between", 0.0
        )
    if not answer.body:
        return Refused()
    if answer.content_type == "application/json":
        return _of_json(signal, answer.body, conceal)
    try:
        return partial_success(signal, SERVICES[signal].response.FromString(answer.body), conceal)
    except DecodeError:
        return None


def _of_json(signal: Signal, body: bytes, conceal: Conceal) -> Refused | None:
    first, *rest = SERVICES[signal].rejected.split("_")
    try:
        partial = orjson.loads(body).get("partialSuccess") or {}
        count = int(partial.get(first + "".join(part.capitalize() for part in rest), 0))
        return Refused(max(0, count), shortened(conceal(str(partial.get("errorMessage", "")))))
    except (AttributeError, TypeError, ValueError, OverflowError):  # orjson's error is a ValueError
        return None


def _words(answer: Answer, conceal: Conceal) -> str:
    """The message of a `google.rpc.Status` in either encoding, or a plain text; nothing from anything else."""
    if answer.content_type in ("application/x-protobuf", "application/protobuf"):
        status = status_of(answer.body)
        return shortened(conceal(status.message)) if status is not None else ""
    if answer.content_type == "application/json":
        try:
            return shortened(conceal(str(orjson.loads(answer.body).get("message", ""))))
        except (AttributeError, ValueError):
            return ""
    if answer.content_type == "text/plain":
        return shortened(conceal(answer.body[:4096].decode("utf-8", "replace")))
    return ""
