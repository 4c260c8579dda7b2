"""The outside client: sends serialized requests from a file, round and round, so many at once.

    python benchmarks/client.py grpc 127.0.0.1:4317 requests.bin 400 8     # 400 requests, 8 at once
    python benchmarks/client.py http 127.0.0.1:4318 requests.bin 2.5s 8    # for 2.5 seconds
    python benchmarks/client.py http 127.0.0.1:4318 requests.bin 2.5s 8 200    # the same, 200 a second at most

It prints a line of JSON, see `Sent`. What is refused for now (429, 503, RESOURCE_EXHAUSTED, UNAVAILABLE) is sent again,
and its latency counts from the first attempt; at a given rate, from the moment when it was due.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import aiohttp
import grpc
import numpy as np
from payloads import read_requests

Send = Callable[[bytes], Awaitable[bool]]
_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRYABLE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
_UNKNOWN_FIELD = b"\xc1\x3e"
"""Field 1000, eight bytes: no receiver reads it, and no two requests are the same, which would count as sent twice."""


@dataclass(frozen=True)
class Sent:
    """What was acknowledged, and how long that took."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refusals: int
    """Answers "later"."""


async def main(protocol: str, target: str, path: Path, until: str, at_once: int, rate: float) -> Sent:
    """Send as many requests, or for as many seconds, as `until` says; `rate` a second, 0: as many as are taken."""
    requests = read_requests(path)
    if protocol == "grpc":
        options = [("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            call = channel.unary_unary(_METHOD)

            async def send_grpc(payload: bytes) -> bool:
                try:
                    await call(payload)
                except grpc.aio.AioRpcError as error:
                    if error.code() in _RETRYABLE:
                        return False
                    raise
                return True

            return await _send_all(send_grpc, requests, until, at_once, rate)
    headers = {"Content-Type": "application/x-protobuf"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def send_http(payload: bytes) -> bool:
            async with session.post(f"http://{target}/v1/traces", data=payload, headers=headers) as answer:
                if answer.status in (429, 503):
                    return False
                answer.raise_for_status()
                await answer.read()
                return True

        return await _send_all(send_http, requests, until, at_once, rate)


async def _send_all(send: Send, requests: list[bytes], until: str, at_once: int, rate: float) -> Sent:
    latencies: list[float] = []
    refusals = 0
    began = time.perf_counter()
    waiting = enumerate(_requests(requests, until, began))

    async def work() -> None:
        nonlocal refusals
        for number, payload in waiting:
            unique, started = payload + _UNKNOWN_FIELD + os.urandom(8), time.perf_counter()
            if rate:
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - started))
                started = due
            while not await send(unique):
                refusals += 1
                await asyncio.sleep(0.05)
            latencies.append(time.perf_counter() - started)

    await asyncio.gather(*(work() for _ in range(at_once)))
    seconds = time.perf_counter() - began
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000
    return Sent(len(latencies), seconds, float(p50), float(p99), refusals)


def _requests(requests: list[bytes], until: str, began: float) -> Iterator[bytes]:
    if not until.endswith("s"):
        yield from islice(cycle(requests), int(until))
        return
    for payload in cycle(requests):
        if time.perf_counter() - began >= float(until[:-1]):
            return
        yield payload


if __name__ == "__main__":
    kind, address, file, wanted, together, *limit = sys.argv[1:]
    sent = asyncio.run(main(kind, address, Path(file), wanted, int(together), float(limit[0]) if limit else 0.0))
    print(json.dumps(asdict(sent)))
