"""What senders are told when there is too much: in time, with a delay that helps, and counted."""

import asyncio
import gzip
from random import Random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from spanmill.component import Outcome, Sender
from spanmill.errors import Busy, Rejected
from spanmill.otlp import responses
from spanmill.receivers.otlp.message_sizes import MessageSizes
from spanmill.receivers.otlp.retry_delay import RetryDelay
from spanmill.signal import Signal
from tests.otlp_samples import SAMPLES, traces
from tests.receivers.otlp.receiving import PATHS, PROTOBUF, KeepingHost, KeepingIntake, NoMemory, Running, running

MIB = 1024 * 1024


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused_items(it: Running, signal: Signal, transport: str) -> float:
    return it.metrics.value(f"otelcol_receiver_refused_{signal.item}", receiver="otlp/test", transport=transport)


async def test_while_memory_is_short_the_answer_comes_before_the_body() -> None:
    async with running(http={}) as it:
        it.host.admission.rooms = [NoMemory()]
        reader, writer = await asyncio.open_connection(*it.http_address)
        head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        writer.write(f"{head}Content-Length: 50000000\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        writer.close()
        await writer.wait_closed()
        assert it.outcomes("refused") == it.bad("memory") == 1
        assert it.host.admission.in_flight_bytes == 0


async def test_one_senders_flood_does_not_keep_another_out() -> None:
    host = KeepingHost(max_bytes=100_000)
    async with running(host, http={}) as it:
        with host.admission.hold("127.0.0.2") as first, host.admission.hold("127.0.0.2") as second:
            first.add(25_000)
            second.add(25_000)
            with pytest.raises(Busy):
                second.add(25_000)
            assert (await it.post("/v1/traces", traces(100), **PROTOBUF)).status == 200


async def test_a_request_that_explodes_when_decoded_counts_for_what_that_takes() -> None:
    payload = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[Span()] * 100_000)])]
    ).SerializeToString()
    host = KeepingHost()
    intake = Watched(host)
    host.intakes[Signal.TRACES] = intake
    async with running(host, http={}) as it:
        assert (await it.post("/v1/traces", payload, **PROTOBUF)).status == 200
        assert intake.in_flight_bytes > 10 * len(payload)
        assert it.host.admission.in_flight_bytes == 0


class Watched(KeepingIntake):
    """Notes how many bytes are in flight while it works."""

    def __init__(self, host: KeepingHost) -> None:
        super().__init__(Signal.TRACES)
        self.host, self.in_flight_bytes = host, 0

    async def submit(
        self, payload: bytes, transport: str, sender: Sender, weight: int = 0, *, sent_as: bytes = b""
    ) -> Outcome:
        self.in_flight_bytes = self.host.admission.in_flight_bytes
        return await super().submit(payload, transport, sender, weight, sent_as=sent_as)


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("answer", [Busy("the journal is full"), Rejected("never")])
async def test_items_of_requests_that_are_not_taken_are_counted(signal: Signal, answer: Exception) -> None:
    async with running() as it:
        it.host.intakes[signal].answer = answer
        await it.post(PATHS[signal], SAMPLES[signal], **PROTOBUF)
        with pytest.raises(grpc.aio.AioRpcError):
            await it.export(signal, SAMPLES[signal])
        assert refused_items(it, signal, "http") == refused_items(it, signal, "grpc") == 1


async def test_items_that_admission_refuses_are_counted_once_their_bytes_are_there() -> None:
    """What a request weighs is known when it was read; before that nobody knows what is in it."""
    payload = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[Span()] * 100_000)])]
    ).SerializeToString()
    host = KeepingHost(max_bytes=5 * len(payload))
    async with running(host) as it:
        with host.admission.hold("127.0.0.2") as other:
            other.add(1)
            with pytest.raises(grpc.aio.AioRpcError):
                await it.export(Signal.TRACES, payload)
            assert (await it.post("/v1/traces", payload, **PROTOBUF)).status == 429
        host.admission.rooms = [NoMemory()]
        with pytest.raises(grpc.aio.AioRpcError):
            await it.export(Signal.TRACES, payload)
        assert (await it.post("/v1/traces", payload, **PROTOBUF)).status == 503
        assert refused_items(it, Signal.TRACES, "grpc") == refused_items(it, Signal.TRACES, "http") == 100_000
        assert it.bad("memory") == it.bad("in_flight") == 2
        assert host.admission.in_flight_bytes == 0


async def test_grpc_messages_wait_unread_until_there_is_room_for_as_many_as_are_usual() -> None:
    host = KeepingHost(max_bytes=10 * MIB)
    payload = traces(20_000)
    async with running(host, grpc={}) as it:
        await it.export(Signal.TRACES, payload)
        with host.admission.hold("127.0.0.1") as held:
            held.add(4 * MIB)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await it.export(Signal.TRACES, payload)
            assert "of this sender are in flight" in refused.value.details()
        assert refused_items(it, Signal.TRACES, "grpc") == 0
        assert len(it.kept(Signal.TRACES)) == 1


def test_the_expected_size_follows_a_senders_messages() -> None:
    sizes = MessageSizes()
    assert sizes.expected("a") == 256 * 1024
    sizes.arrived("a", 1000)
    assert sizes.expected("a") == 1000
    sizes.arrived("a", 100)
    assert sizes.expected("a") == 900
    assert sizes.expected("b") == 256 * 1024
    for number in range(5000):
        sizes.arrived(str(number), 1)
    assert sizes.expected("a") == 256 * 1024
    assert sizes.expected("4999") == 1


async def test_a_body_that_does_not_unpack_into_what_is_left_is_told_to_come_again() -> None:
    host = KeepingHost(max_bytes=100_000)
    async with running(host, http={}) as it:
        with host.admission.hold("127.0.0.2") as other:
            other.add(40_000)
            reply = await it.post("/v1/traces", gzip.compress(traces(2000)), **PROTOBUF, Content_Encoding="gzip")
        assert reply.status == 429
        assert it.bad("in_flight") == 1


async def test_refusing_for_pressure_is_not_logged_request_by_request() -> None:
    async with running(http={}) as it:
        it.host.intakes[Signal.TRACES].answer = Busy("the journal is full")
        for _ in range(3):
            await it.post("/v1/traces", traces(), **PROTOBUF)
        assert it.logs == []


@given(
    steps=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 700)), min_size=1, max_size=50),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_delay_is_from_1_to_5_seconds_and_no_less_than_asked_for(steps: list[tuple[float, float]], seed: int) -> None:
    clock = Clock()
    delays = RetryDelay(clock, Random(seed))
    for passed, least in steps:
        clock.now += passed
        delay = delays.next(least)
        assert max(1.0, min(5.0, least)) <= delay <= 5.0
        assert 1 <= int(responses.retry_after_header(delay)) <= 5


def test_delays_grow_while_senders_are_refused_and_start_again_after_a_calm() -> None:
    clock = Clock()
    delays = RetryDelay(clock, Random(1))

    def ranges() -> tuple[float, float]:
        drawn = [delays.next(0.0) for _ in range(500)]
        return round(min(drawn), 1), round(max(drawn), 1)

    assert ranges() == (1.0, 2.0)
    for _ in range(3):
        clock.now += 5.0
        delays.next(0.0)
    assert ranges() == (2.5, 5.0)
    clock.now += 7.0
    assert ranges() == (1.0, 2.0)


def test_senders_that_are_refused_together_do_not_come_back_together() -> None:
    delays = RetryDelay(Clock(), Random(1))
    headers = [responses.retry_after_header(delays.next(1.0)) for _ in range(1000)]
    assert min(headers.count("1"), headers.count("2")) > 400
