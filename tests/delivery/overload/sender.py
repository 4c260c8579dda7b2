"""A sender in a process of its own: one that floods, or one that behaves.

    python -m tests.delivery.overload.sender '{"kind": "flood", "protocol": "grpc", ...}'

It begins when a line comes in, sends until its standard input is closed, and then prints what became of its requests;
see `Account`.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import aiohttp
import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.delivery.overload.requests import NumberedRequests

_RETRYABLE_STATUSES: Final = {429, 503}
_RETRYABLE_CODES: Final = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Plan:
    """What a sender does."""

    kind: str
    """`flood`: new requests as fast as it can, refused ones are dropped, delays ignored. `behave`: at its rate, and
    what is refused is sent again when the collector says so."""
    number: int
    """Its own among the senders; its span ids follow from it."""
    protocol: str
    port: int
    source: str
    """The address that it sends from."""
    spans: int
    span_bytes: int
    at_once: int = 1
    """Connections, with one request under way on each."""
    rate: float = 0.0
    """Requests a second of one that behaves."""


@dataclass
class Account:
    """What became of the requests."""

    size: int = 0
    """Bytes of each request."""
    attempts: int = 0
    taken: list[int] = field(default_factory=list)
    """The first span id of each request that was taken."""
    unheard: list[int] = field(default_factory=list)
    """The first span id of each request without an answer."""
    refusals: dict[str, int] = field(default_factory=dict)
    """How often it was told to come later, by the words."""
    faults: list[str] = field(default_factory=list)
    """Answers that were neither success nor a proper "later"."""
    delays: list[float] = field(default_factory=list)
    """Seconds that it was asked to stay away."""
    tries: list[int] = field(default_factory=list)
    """Attempts that each request of a behaving sender took."""
    seconds: list[float] = field(default_factory=list)
    """What each attempt of a behaving sender took."""
    began: list[float] = field(default_factory=list)
    """When each of them began, in seconds since 1970."""
    last_refusal: float = 0.0
    """When the last of those began that were refused."""


@dataclass(frozen=True)
class Answer:
    taken: bool
    delay: float | None = None
    """Seconds to wait; None: the answer says nothing of it."""
    words: str = ""
    retryable: bool = True


Send = Callable[[bytes], Awaitable[Answer]]


async def http_sender(plan: Plan, stack: AsyncExitStack) -> Send:
    connector = aiohttp.TCPConnector(local_addr=(plan.source, 0), limit=0)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    url, headers = f"http://127.0.0.1:{plan.port}/v1/traces", {"Content-Type": "application/x-protobuf"}

    async def send(payload: bytes) -> Answer:
        async with session.post(url, data=payload, headers=headers) as response:
            body = await response.read()
        if response.status == 200:
            return Answer(True)
        after = response.headers.get("Retry-After")
        delay = float(after) if after is not None and after.isdigit() else None
        words = Status.FromString(body).message
        return Answer(False, delay, f"{response.status} {words}", response.status in _RETRYABLE_STATUSES)

    return send


async def grpc_sender(plan: Plan, stack: AsyncExitStack) -> Send:
    """Through a relay, because grpc cannot be told which address to send from."""
    server = await asyncio.start_server(lambda *ends: relay(plan, *ends), "127.0.0.1", 0)
    await stack.enter_async_context(server)
    port = server.sockets[0].getsockname()[1]
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    calls = deque[Any]()
    for _ in range(plan.at_once):
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options))
        calls.append(channel.unary_unary(SERVICES[Signal.TRACES].method))

    async def send(payload: bytes) -> Answer:
        calls.rotate()
        try:
            await calls[0](payload)
        except grpc.aio.AioRpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            return Answer(
                False, delay_of(trailers), f"{error.code().name} {error.details()}", error.code() in _RETRYABLE_CODES
            )
        return Answer(True)

    return send


def delay_of(trailers: dict[str, Any]) -> float | None:
    """The delay, when both trailers say the same."""
    if not {"google.rpc.retryinfo-bin", "grpc-status-details-bin"} <= trailers.keys():
        return None
    told = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    detail = RetryInfo()
    status = Status.FromString(trailers["grpc-status-details-bin"])
    if not status.details or not status.details[0].Unpack(detail) or detail != told:
        return None
    return float(told.retry_delay.seconds + told.retry_delay.nanos / 1e9)


async def relay(plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    to_reader, to_writer = await asyncio.open_connection("127.0.0.1", plan.port, local_addr=(plan.source, 0))

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(1 << 18):
                target.write(chunk)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))


class Sender:
    """Sends as planned until it is told to stop."""

    def __init__(self, plan: Plan, send: Send) -> None:
        self.plan, self.send = plan, send
        self.requests = NumberedRequests(plan.number, plan.spans, plan.span_bytes)
        self.account = Account(self.requests.size)
        self.stopped = asyncio.Event()

    async def run(self) -> Account:
        if self.plan.kind == "flood":
            await asyncio.gather(*(self.flood() for _ in range(self.plan.at_once)))
        else:
            await self.behave()
        return self.account

    async def flood(self) -> None:
        while not self.stopped.is_set():
            await self.attempt(*self.requests.next())

    async def behave(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        while not await self.pause(1 / self.plan.rate):
            task = asyncio.create_task(self.insist(*self.requests.next()))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def pause(self, seconds: float) -> bool:
        """Whether it was told to stop meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                return await self.stopped.wait()
        except TimeoutError:
            return False

    async def insist(self, first: int, payload: bytes) -> None:
        tries = 1
        while True:
            began, started = time.time(), time.perf_counter()
            answer = await self.attempt(first, payload)
            self.account.began.append(began)
            self.account.seconds.append(time.perf_counter() - started)
            if answer is None or answer.taken or answer.delay is None:
                break
            self.account.last_refusal = began
            tries += 1
            await asyncio.sleep(answer.delay)
        self.account.tries.append(tries)

    async def attempt(self, first: int, payload: bytes) -> Answer | None:
        account = self.account
        account.attempts += 1
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await self.send(payload)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            account.unheard.append(first)
            account.faults.append(repr(error))
            return None
        if answer.taken:
            account.taken.append(first)
        elif not answer.retryable or answer.delay is None or not 1 <= answer.delay <= 5:
            account.faults.append(f"{answer.words} (delay {answer.delay})")
        else:
            account.delays.append(answer.delay)
            words = "".join(" " if letter.isdigit() else letter for letter in answer.words)
            account.refusals[" ".join(words.split())] = account.refusals.get(" ".join(words.split()), 0) + 1
        return answer


async def main(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        send = await (grpc_sender if plan.protocol == "grpc" else http_sender)(plan, stack)
        sender = Sender(plan, send)
        await loop.run_in_executor(None, sys.stdin.buffer.readline)
        work = asyncio.create_task(sender.run())
        await loop.run_in_executor(None, sys.stdin.buffer.read)
        sender.stopped.set()
        account = await work
    sys.stdout.write(json.dumps(asdict(account)))


if __name__ == "__main__":
    asyncio.run(main(Plan(**json.loads(sys.argv[1]))))
