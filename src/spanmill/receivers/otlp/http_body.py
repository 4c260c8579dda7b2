"""Reading and decompressing a request's body within its limits: size, time, pace, and bytes in flight."""

import asyncio
from dataclasses import dataclass

from aiohttp import ClientError, web
from google.rpc import code_pb2 as code

from spanmill.admission import Held
from spanmill.errors import Busy, Rejected
from spanmill.receivers.otlp import answers, compression
from spanmill.receivers.otlp.answers import Refusal

_INLINE_BYTES = 64 * 1024
"""Decompressing so much takes less than a millisecond; what is more goes to a thread."""
_PIECE_BYTES = 4 * 1024 * 1024
_PACE_SECONDS = 5.0
"""The span over which the minimum rate is measured."""


class Disconnected(Exception):  # noqa: N818 - the sender's doing
    """The sender went away in the middle of its body: nobody is there to be answered."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    max_bytes: int
    """Before and after decompression."""
    timeout_seconds: float
    """For the whole body; 0: none."""
    min_rate: int
    """Bytes per second; 0: none."""


async def read_body(request: web.BaseRequest, limits: BodyLimits, held: Held) -> bytes:
    """The body as it was sent. `held` grows before the bytes are read. Raises `Refusal` or `Disconnected`."""
    length = request.content_length
    if length is not None:
        if length > limits.max_bytes:
            raise _too_large(limits)
        _hold(held, length, close=True)
    try:
        if request.content.is_eof():
            body = request.content.read_nowait(-1)
            if length is None:
                _hold(held, len(body))
        else:
            body = await _receive(request, limits, held)
    except web.RequestPayloadError as error:
        message = f"the body is not as its header says: {error.__cause__ or error}"
        raise Refusal(400, code.INVALID_ARGUMENT, "malformed_http", message, close=True) from None
    except (ConnectionError, ClientError):
        raise Disconnected from None
    if len(body) > limits.max_bytes:
        raise _too_large(limits)
    return body


async def decompress(algorithm: str, body: bytes, limits: BodyLimits, held: Held) -> bytes:
    """The decompressed body. Raises `Refusal`."""
    try:
        stream = compression.decompress(algorithm, body)
        pieces: list[bytes] = []
        room = limits.max_bytes + 1
        while not stream.finished and room > 0:
            if not pieces and len(body) <= _INLINE_BYTES:
                piece = stream.read(min(room, _INLINE_BYTES))
            else:
                piece = await asyncio.to_thread(stream.read, min(room, _PIECE_BYTES))
            _hold(held, len(piece))
            pieces.append(piece)
            room -= len(piece)
    except Rejected as error:
        raise answers.invalid(error, "broken_compression") from None
    if room <= 0:
        raise answers.too_large(f"the decompressed body is larger than {limits.max_bytes} bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _receive(request: web.BaseRequest, limits: BodyLimits, held: Held) -> bytes:
    loop = asyncio.get_running_loop()
    latest = loop.time() + limits.timeout_seconds if limits.timeout_seconds else None
    pace_bytes = round(limits.min_rate * _PACE_SECONDS)
    body, since = bytearray(), 0
    try:
        async with asyncio.timeout_at(_earlier(latest, loop.time(), pace_bytes)) as deadline:
            while chunk := await request.content.readany():
                if request.content_length is None:
                    _hold(held, len(chunk), close=True)
                body += chunk
                if len(body) > limits.max_bytes:
                    raise _too_large(limits)
                since += len(chunk)
                if since >= pace_bytes:
                    since = 0
                    deadline.reschedule(_earlier(latest, loop.time(), pace_bytes))
    except TimeoutError:
        message = (
            f"the body arrived too slowly: {len(body)} bytes; at least {limits.min_rate} bytes/s are expected"
            f" and all of it within {limits.timeout_seconds:g} s"
        )
        raise Refusal(408, code.DEADLINE_EXCEEDED, "too_slow", message, close=True) from None
    return bytes(body)


def _earlier(latest: float | None, now: float, pace_bytes: int) -> float | None:
    if not pace_bytes:
        return latest
    return now + _PACE_SECONDS if latest is None else min(latest, now + _PACE_SECONDS)


def cover(held: Held, size: int) -> None:
    """Have `held` cover `size` bytes in all. Raises `Refusal`."""
    try:
        held.cover(size)
    except Busy as error:
        raise answers.busy(error) from None


def _hold(held: Held, size: int, *, close: bool = False) -> None:
    try:
        held.add(size)
    except Busy as error:
        raise answers.busy(error, close=close) from None


def _too_large(limits: BodyLimits) -> Refusal:
    return answers.too_large(f"the body is larger than {limits.max_bytes} bytes", close=True)
