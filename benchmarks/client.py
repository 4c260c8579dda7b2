"""The outside client: sends a file of serialized requests so many times, so many at once, and prints the seconds taken.

    python benchmarks/client.py grpc 127.0.0.1:4317 requests.bin 400 8

What is refused for now (429, 503, RESOURCE_EXHAUSTED, UNAVAILABLE) is sent again.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from payloads import read_requests

Send = Callable[[bytes], Awaitable[bool]]
_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRYABLE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


async def main(protocol: str, target: str, path: Path, count: int, at_once: int) -> float:
    """Send `count` requests, taken round and round from the file; the seconds that took."""
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

            return await _send_all(send_grpc, requests, count, at_once)
    headers = {"Content-Type": "application/x-protobuf"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def send_http(payload: bytes) -> bool:
            async with session.post(f"http://{target}/v1/traces", data=payload, headers=headers) as answer:
                if answer.status in (429, 503):
                    return False
                answer.raise_for_status()
                await answer.read()
                return True

        return await _send_all(send_http, requests, count, at_once)


async def _send_all(send: Send, requests: list[bytes], count: int, at_once: int) -> float:
    waiting: Iterator[Any] = islice(cycle(requests), count)

    async def work() -> None:
        for payload in waiting:
            while not await send(payload):  # noqa: ASYNC110 - nothing tells us when
                await asyncio.sleep(0.05)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.perf_counter() - began


if __name__ == "__main__":
    kind, address, file, number, together = sys.argv[1:]
    print(asyncio.run(main(kind, address, Path(file), int(number), int(together))))
