"""Requests made to take as much memory as they can when they are decoded, 64 at once."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import aiohttp
import pytest

from spanmill.otlp.wire import varint
from spanmill.signal import Signal
from tests.delivery.overload.experiment import Experiment

MIB: Final = 1024 * 1024
AT_ONCE: Final = 64
ITEMS: Final = 200_000
"""As many as a receiver lets into one request."""
BOUND_MIB: Final = 1500
"""What the daemon may take beyond what it takes idle, without any limit on memory. One of them takes up to 120 MiB."""
PATHS: Final = {Signal.TRACES: "/v1/traces", Signal.METRICS: "/v1/metrics", Signal.LOGS: "/v1/logs"}


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def in_scope(content: bytes) -> bytes:
    return field(1, field(2, content))


def span(content: bytes = b"", seed: int = 1) -> bytes:
    random = Random(seed)
    return field(2, field(1, random.randbytes(16)) + field(2, random.randbytes(8)) + content)


def nested(levels: int) -> bytes:
    value = b""
    for _ in range(levels):
        value = field(5, field(1, value))
    return value


BOMBS: dict[str, tuple[Signal, Callable[[], bytes]]] = {
    "empty spans": (Signal.TRACES, lambda: in_scope(b"\x12\x00" * ITEMS)),
    "small spans with ids": (Signal.TRACES, lambda: in_scope(b"".join(span(seed=n) for n in range(ITEMS // 2)))),
    "a resource for each span": (Signal.TRACES, lambda: in_scope(span()) * (ITEMS // 10)),
    "attributes of one span": (Signal.TRACES, lambda: in_scope(span(b"\x4a\x00" * (5 * ITEMS)))),
    "events of one span": (Signal.TRACES, lambda: in_scope(span(b"\x5a\x00" * (4 * ITEMS)))),
    "deep values": (Signal.TRACES, lambda: in_scope(span(field(9, field(2, nested(40)))) * (ITEMS // 20))),
    "empty log records": (Signal.LOGS, lambda: in_scope(b"\x12\x00" * ITEMS)),
    "a list in a body": (Signal.LOGS, lambda: in_scope(field(2, field(5, field(5, b"\x0a\x00" * (4 * ITEMS)))))),
    "points in many metrics": (Signal.METRICS, lambda: in_scope(field(2, field(5, b"\x0a\x00")) * (ITEMS // 10))),
    "empty histograms": (Signal.METRICS, lambda: in_scope(field(2, field(9, b"\x0a\x00" * ITEMS)))),
    "a million buckets": (
        Signal.METRICS,
        lambda: in_scope(field(2, field(10, field(1, field(8, field(2, bytes(5 * ITEMS))))))),
    ),
}


async def send_at_once(port: int, path: str, payload: bytes) -> list[int]:
    """The statuses of 64 equal requests over as many connections; those that are to come later come until they are
    taken."""
    url, headers = f"http://127.0.0.1:{port}{path}", {"Content-Type": "application/x-protobuf"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def insist(number: int) -> int:
            unique = payload + varint(1000 << 3 | 2) + b"\x08" + number.to_bytes(8)  # a field that nobody knows
            while True:
                try:
                    async with session.post(url, data=io.BytesIO(unique), headers=headers) as response:
                        if response.status not in (429, 503):
                            return response.status
                        delay = int(response.headers["Retry-After"])
                except aiohttp.ClientError:  # refused and closed before all of the body was sent
                    delay = 1
                await asyncio.sleep(delay)

        return await asyncio.gather(*(insist(number) for number in range(AT_ONCE)))


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.torture
async def test_64_at_once_take_little_more_memory_than_a_few(name: str, tmp_path: Path) -> None:
    signal, make = BOMBS[name]
    payload = make()
    with Experiment(tmp_path) as experiment:
        statuses = await send_at_once(experiment.ports["http"], PATHS[signal], payload)
        grown = (experiment.peak_bytes - experiment.idle_bytes) / MIB
    assert set(statuses) <= {200, 400}
    assert grown <= BOUND_MIB, grown
