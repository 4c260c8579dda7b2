"""A TCP proxy that behaves as badly as it is told to: what stands between a delivery and a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["good", "closing", "garbage", "half", "silent"]
"""`closing`: connections are closed as soon as they are made. `garbage`: every connection is answered with bytes that
are no protocol. `half`: requests pass, and the answer is cut off in its middle. `silent`: nothing is ever answered."""
_HALF_BYTES = 20


class BadNetwork:
    """Listens on a port of its own. A change of `mode` breaks the connections that there are."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target if "//" in target else f"//{target}")
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._mode: Mode = "good"
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        for task in self._tasks:
            task.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._behave(reader, writer)
        except (asyncio.CancelledError, OSError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "closing":
            return
        if self._mode == "silent":
            while await reader.read(65536):
                pass
            return
        if self._mode == "garbage":
            await reader.read(1)
            writer.write(b"\x00\xff\x13\x37" * 64)
            await writer.drain()
            return
        await self._pass(reader, writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(*self._target)
        try:
            there = asyncio.create_task(_copy(reader, forth))
            try:
                await _copy(back, writer, _HALF_BYTES if self._mode == "half" else None)
            finally:
                there.cancel()
                await asyncio.gather(there, return_exceptions=True)
        finally:
            forth.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, most_bytes: int | None = None) -> None:
    """Until the end of the source, or so many bytes were copied."""
    left = most_bytes
    while data := await source.read(65536):
        target.write(data if left is None else data[:left])
        await target.drain()
        if left is not None and (left := left - len(data)) <= 0:
            return


@asynccontextmanager
async def bad_network(target: str) -> AsyncIterator[BadNetwork]:
    """`target`: `host:port` or a URL with both."""
    network = BadNetwork(target)
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        network.mode = "closing"
        await server.wait_closed()
        while network._tasks:
            await asyncio.sleep(0.001)
