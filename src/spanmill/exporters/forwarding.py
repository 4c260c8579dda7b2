"""What the two OTLP exporters share: sizes, parts, and what a peer's answer means. How bytes travel is theirs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from spanmill.batch import Batch
from spanmill.component import BatchPreference
from spanmill.config.forwarding import ForwardingConfig
from spanmill.errors import Rejected
from spanmill.otlp.codec import encode
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

MAX_REQUEST_BYTES: Final = 4_000_000
"""Requests are made no larger, if they hold more than one item: most gRPC servers take 4 MiB and not a byte more."""
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
"""What the OTLP specification recommends that clients read of an answer."""
MAX_REASON_CHARACTERS: Final = 500
"""What is kept of a peer's own words."""


class TooLarge(Exception):  # noqa: N818 - an event, like Busy and Rejected; it does not leave this package
    """The peer takes no request of this size; smaller ones may pass."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Items that the peer did not take and never will, and why in its own words."""

    items: int = 0
    reason: str = ""


Conceal = Callable[[str], str]
"""Takes our credentials out of a peer's words."""
Send = Callable[[bytes], Awaitable[Refused]]
"""Sends one serialized request. Raises `TooLarge`, `Busy` or `Rejected`."""


def preference(config: ForwardingConfig) -> BatchPreference:
    """At once and up to a request's size, or what `sending_queue.batch` says."""
    gather = config.sending_queue.batch
    if gather is None:
        return BatchPreference(max_bytes=MAX_REQUEST_BYTES)
    if gather.sizer == "bytes":
        limit = gather.max_size or BatchPreference().max_bytes
        return BatchPreference(min_bytes=gather.min_size, max_bytes=limit, max_age_seconds=gather.flush_timeout)
    return BatchPreference(min_items=gather.min_size, max_items=gather.max_size, max_age_seconds=gather.flush_timeout)


async def forward(batch: Batch, send: Send) -> None:
    """Send a batch, in as many requests as its size and the peer ask for.

    Raises `Busy` when one of them was: those before it are sent again next time. Raises `Rejected` when items were
    refused; its `items` tells how many, the others were delivered.
    """
    refused = await _forward(batch, send)
    if refused.items:
        raise Rejected(refused.reason, refused.items)


async def _forward(batch: Batch, send: Send) -> Refused:
    payload = await asyncio.to_thread(encode, batch.signal, batch.records)
    pieces = min(-(-len(payload) // MAX_REQUEST_BYTES), len(batch))
    if pieces > 1:
        return await _forward_pieces(batch, pieces, send)
    try:
        refused = await send(payload)
    except TooLarge as error:
        if len(batch) > 1:
            return await _forward_pieces(batch, 2, send)
        raise Rejected(f"one item is larger than the peer takes ({len(payload)} bytes): {error}") from None
    return Refused(min(refused.items, len(batch)), refused.reason)


async def _forward_pieces(batch: Batch, pieces: int, send: Send) -> Refused:
    """Each piece by itself: one that is rejected does not take the others with it."""
    items, reason = 0, ""
    bounds = [len(batch) * index // pieces for index in range(pieces + 1)]
    for start, end in pairwise(bounds):
        piece = batch.slice(start, end - start)
        try:
            refused = await _forward(piece, send)
        except Rejected as error:
            refused = Refused(len(piece) if error.items is None else error.items, error.reason)
        items, reason = items + refused.items, refused.reason or reason
    return Refused(items, reason)


def partial_success(signal: Signal, response: Any, conceal: Conceal) -> Refused:
    """What an `Export<Signal>ServiceResponse` says was refused. A reason without items is a warning."""
    partial = response.partial_success
    return Refused(max(0, getattr(partial, SERVICES[signal].rejected)), shortened(conceal(partial.error_message)))


def status_of(serialized: bytes) -> Status | None:
    """A `google.rpc.Status`, or None where the bytes are something else."""
    try:
        return Status.FromString(serialized)
    except DecodeError:
        return None


def retry_delay(status: Status) -> float | None:
    """Seconds from the status's `RetryInfo`; None when it has none."""
    info = RetryInfo()
    for detail in status.details:
        if detail.Is(RetryInfo.DESCRIPTOR):
            try:
                detail.Unpack(info)
            except DecodeError:
                return None
            seconds: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
            return max(0.0, seconds)
    return None


def shortened(text: str) -> str:
    """A peer's words in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON_CHARACTERS else line[: MAX_REASON_CHARACTERS - 1] + "…"
