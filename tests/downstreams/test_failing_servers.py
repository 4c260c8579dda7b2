"""Servers that fail in every way there is: nothing is lost, and order and counts are right."""

import asyncio
import time
from itertools import pairwise

import grpc
import pytest
from aiohttp import web
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from spanmill.errors import Busy
from tests.deliveries import TRACES, Engine, until
from tests.downstreams.bad_network import BadNetwork, Mode, bad_network
from tests.downstreams.exporting import Protocol, exporter_to, peer_of, span_numbers
from tests.exporters.peers import GrpcPeer, HttpPeer, Received, accept, accept_http

PROTOCOLS = pytest.mark.parametrize("protocol", ["http", "grpc"])
RECORDS = 30


async def through(network: BadNetwork, engine: Engine, modes: list[Mode]) -> None:
    """Send a record in each mode, and the rest when all is well."""
    for number in range(1, RECORDS + 1):
        network.mode = modes[number % len(modes)] if number < RECORDS else "good"
        await engine.send(2, first=2 * number)
        await asyncio.sleep(0.002)


@PROTOCOLS
@pytest.mark.parametrize("mode", ["closing", "garbage", "half", "silent"])
async def test_a_network_that_fails_for_a_while_loses_nothing_and_keeps_the_order(
    engine: Engine, protocol: Protocol, mode: Mode
) -> None:
    async with (
        peer_of(protocol) as peer,
        bad_network(peer.endpoint) as network,
        exporter_to(protocol, f"127.0.0.1:{network.port}", timeout="100ms") as exporter,
    ):
        delivery = engine.deliver(engine.node(exporter))
        await engine.start()
        network.mode = mode
        for number in range(1, RECORDS + 1):
            await engine.send(1, first=number)
        await until(lambda: delivery.node.breaker.is_open)
        assert delivery.counted.sent == 0
        network.mode = "good"
        await until(lambda: delivery.counted.sent == RECORDS)
        assert span_numbers(peer.received) == list(range(1, RECORDS + 1))
        assert delivery.counted.failed == 0
        assert list(engine.letters()) == []
        await engine.stop()


async def test_a_network_that_flaps_loses_nothing_and_keeps_the_order(engine: Engine) -> None:
    async with (
        peer_of("http") as peer,
        bad_network(peer.endpoint) as network,
        exporter_to("http", f"127.0.0.1:{network.port}", timeout="50ms") as exporter,
    ):
        delivery = engine.deliver(engine.node(exporter))
        await engine.start()
        await through(network, engine, ["good", "closing", "good", "half", "garbage", "good", "silent"])
        await until(lambda: delivery.counted.sent == 2 * RECORDS)
        assert span_numbers(peer.received) == list(range(2, 2 * RECORDS + 2))
        assert delivery.counted.failed == 0
        await engine.stop()


@PROTOCOLS
async def test_a_server_that_asks_for_a_pause_is_left_alone_for_as_long(engine: Engine, protocol: Protocol) -> None:
    asked = 1.0 if protocol == "http" else 0.4
    times: list[float] = []

    async def slow_down(_: Received) -> web.StreamResponse:
        times.append(time.monotonic())
        return web.Response(status=429 if len(times) < 3 else 200, headers={"Retry-After": "1"})

    async def exhausted(_: Received, context: grpc.aio.ServicerContext) -> bytes:
        times.append(time.monotonic())
        if len(times) < 3:
            detail = AnyMessage()
            detail.Pack(RetryInfo(retry_delay=Duration(nanos=int(asked * 1e9))))
            status = Status(code=8, message="slow down", details=[detail]).SerializeToString()
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")
        return b""

    async with peer_of(protocol) as peer:
        if isinstance(peer, HttpPeer):
            peer.answer = slow_down
        else:
            peer.answer = exhausted
        async with exporter_to(protocol, peer.endpoint.removeprefix("http://")) as exporter:
            delivery = engine.deliver(engine.node(exporter))
            await engine.start()
            await engine.send(5)
            await until(lambda: delivery.counted.sent == 5)
            pauses = [later - earlier for earlier, later in pairwise(times)]
            assert len(pauses) == 2
            assert min(pauses) >= asked
            assert list(engine.letters()) == []
            await engine.stop()


@pytest.mark.parametrize(
    ("status", "content_type", "kept"),
    [(500, "text/html", False), (400, "application/json", False), (404, "text/html", False), (200, "text/html", True)],
)
async def test_nonsense_from_a_server_ends_in_a_dead_letter_or_another_attempt_and_never_in_nothing(
    engine: Engine, status: int, content_type: str, kept: bool
) -> None:
    async def nonsense(_: Received) -> web.StreamResponse:
        return web.Response(status=status, body=b"<html>\xff it works!", content_type=content_type)

    async with peer_of("http") as peer, exporter_to("http", peer.endpoint.removeprefix("http://")) as exporter:
        assert isinstance(peer, HttpPeer)
        peer.answer = nonsense
        delivery = engine.deliver(engine.node(exporter))
        await engine.start()
        await engine.send(3)
        await until(lambda: delivery.node.breaker.is_open if kept else delivery.counted.failed == 3)
        peer.answer = accept_http
        await engine.send(2, first=4)
        await until(lambda: delivery.counted.sent == (5 if kept else 2))
        letters = [number for _, numbers in engine.letters() for number in numbers]
        assert letters == ([] if kept else [1, 2, 3])
        await engine.stop()


async def test_a_journal_that_is_full_turns_senders_away_and_what_it_took_arrives(engine: Engine) -> None:
    engine.max_bytes = 200_000
    async with (
        peer_of("http") as peer,
        bad_network(peer.endpoint) as network,
        exporter_to("http", f"127.0.0.1:{network.port}", timeout="50ms") as exporter,
    ):
        network.mode = "closing"
        delivery = engine.deliver(engine.node(exporter))
        await engine.start()
        taken: list[int] = []

        async def send_until_refused() -> None:
            while True:
                await engine.send(1, first=len(taken) + 1)
                taken.append(len(taken) + 1)

        with pytest.raises(Busy, match="the journal holds"):
            await send_until_refused()
        assert len(taken) > 1
        network.mode = "good"
        await until(lambda: delivery.counted.sent == len(taken))
        assert span_numbers(peer.received) == taken
        await engine.send(1, first=len(taken) + 1)
        await until(lambda: delivery.counted.sent == len(taken) + 1)
        await engine.stop()


async def test_a_slow_server_gets_everything_once_and_in_order(engine: Engine) -> None:
    async def slow(_: Received, __: object) -> bytes:
        await asyncio.sleep(0.02)
        return b""

    async with peer_of("grpc") as peer, exporter_to("grpc", peer.endpoint) as exporter:
        assert isinstance(peer, GrpcPeer)
        peer.answer = slow
        delivery = engine.deliver(engine.node(exporter))
        await engine.start()
        for number in range(1, 101):
            await engine.send(1, first=number)
        await until(lambda: delivery.counted.sent == 100)
        assert span_numbers(peer.received) == list(range(1, 101))
        assert len(peer.received) < 100  # what waited went together
        assert engine.journals[TRACES].held_bytes == 0
        peer.answer = accept
        await engine.stop()


async def test_one_dead_server_of_three_does_not_slow_the_others_down(engine: Engine) -> None:
    async with (
        peer_of("http") as one,
        peer_of("http") as two,
        peer_of("http") as three,
        bad_network(three.endpoint) as network,
        exporter_to("http", one.endpoint.removeprefix("http://")) as first,
        exporter_to("http", two.endpoint.removeprefix("http://")) as second,
        exporter_to("http", f"127.0.0.1:{network.port}", timeout="5s") as third,
    ):
        names = ("one", "two", "three")
        nodes = [engine.node(exporter, name=name) for name, exporter in zip(names, (first, second, third), strict=True)]
        healthy = [engine.deliver(node) for node in nodes[:2]]
        dead = engine.deliver(nodes[2])
        await engine.start()

        async def pass_through() -> float:
            """Seconds until both healthy servers have 40 records more."""
            began, sent = time.perf_counter(), healthy[0].counted.sent
            for number in range(40):
                await engine.send(1, first=sent + number + 1)
            await until(lambda: all(delivery.counted.sent == sent + 40 for delivery in healthy))
            return time.perf_counter() - began

        with_all, with_one_dead = list[float](), list[float]()
        for _ in range(3):  # in turns, so that whatever else the machine does touches both
            with_all.append(await pass_through())
            await until(lambda: dead.counted.sent == healthy[0].counted.sent)
            network.mode = "silent"
            with_one_dead.append(await pass_through())
            network.mode = "good"
            await until(lambda: dead.counted.sent == healthy[0].counted.sent)
        # Measured: 0.5 to 1.2 times as long. Whoever waited for the dead server would wait 5 s.
        assert min(with_one_dead) < 2 * min(with_all) + 0.5
        assert span_numbers(three.received) == span_numbers(one.received) == span_numbers(two.received)
        await engine.stop()
