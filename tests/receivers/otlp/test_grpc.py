"""OTLP over gRPC with grpc's own client."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.component import Outcome
from spanmill.errors import Busy, Rejected
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.otlp_samples import SAMPLES, traces
from tests.receivers.otlp.receiving import KeepingHost, NoMemory, Running, running


async def refused(it: Running, payload: bytes, signal: Signal = Signal.TRACES) -> tuple[Any, dict[str, bytes]]:
    """The error of a call, and its trailers."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await it.export(signal, payload)
    return caught.value, dict(caught.value.trailing_metadata())


@pytest.mark.parametrize("signal", Signal)
async def test_each_signal_is_taken(signal: Signal) -> None:
    async with running(grpc={}) as it:
        assert await it.export(signal, SAMPLES[signal]) == b""
        assert it.kept(signal) == [SAMPLES[signal]]
        assert it.outcomes("accepted") == 1
        assert it.host.intakes[signal].transports == ["grpc"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_compressed_request_arrives_as_it_was(compression: grpc.Compression) -> None:
    async with running(grpc={}) as it:
        await it.export(Signal.TRACES, traces(1000), compression=compression)
        assert it.kept(Signal.TRACES) == [traces(1000)]


async def test_rejected_items_are_counted_in_the_answer() -> None:
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = Outcome(1, 2, "span_id is all zero")
        response = ExportTraceServiceResponse.FromString(await it.export(Signal.TRACES, traces(3)))
        assert response.partial_success.rejected_spans == 2
        assert it.outcomes("partial") == 1


async def test_a_busy_engine_answers_resource_exhausted_with_the_delay_in_both_trailers() -> None:
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = Busy("the journal is full", 3.5)
        error, trailers = await refused(it, traces())
        assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "the journal is full")
        status, detail = Status.FromString(trailers["grpc-status-details-bin"]), RetryInfo()
        assert status.details[0].Unpack(detail)
        assert (detail.retry_delay.seconds, detail.retry_delay.nanos) == (3, 500_000_000)
        assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == detail
        assert it.outcomes("refused") == 1


async def test_too_many_bytes_in_flight_answer_the_same_way() -> None:
    async with running(KeepingHost(max_bytes=100), grpc={}) as it:
        with it.host.admission.hold("127.0.0.1") as held:
            held.add(99)
            error, trailers = await refused(it, traces())
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 1 <= RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.seconds <= 5
        assert await it.export(Signal.TRACES, traces()) == b""
        assert it.bad("in_flight") == 1


async def test_short_memory_answers_the_same_way() -> None:
    async with running(grpc={}) as it:
        it.host.admission.rooms = [NoMemory()]
        error, trailers = await refused(it, traces())
        assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "memory is short")
        assert "google.rpc.retryinfo-bin" in trailers
        assert it.bad("memory") == 1


async def test_bad_data_is_invalid_argument_with_what_is_wrong() -> None:
    async with running(grpc={}) as it:
        error, trailers = await refused(it, b"\x0a\xff")
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        detail = BadRequest()
        assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(detail)
        assert detail.field_violations[0].field == "resource_spans"
        assert "ExportTraceServiceRequest" in detail.field_violations[0].description
        assert it.bad("malformed") == it.outcomes("rejected") == 1


async def test_a_request_beyond_the_limit_is_resource_exhausted_for_good() -> None:
    async with running(grpc={"max_recv_msg_size_mib": 1}) as it:
        for compression in (None, grpc.Compression.Gzip):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.export(Signal.TRACES, bytes(2 * 1024 * 1024), compression=compression)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "google.rpc.retryinfo-bin" not in dict(caught.value.trailing_metadata())


async def test_a_very_long_reason_still_reaches_the_sender() -> None:
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = Rejected("안" * 100_000)
        error, _ = await refused(it, traces())
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.details().startswith("안안안")


async def test_a_defect_is_internal_and_logged_once() -> None:
    async with running(grpc={}) as it:
        it.host.intakes[Signal.TRACES].answer = ZeroDivisionError("secret")
        for _ in range(3):
            error, _ = await refused(it, traces())
            assert error.code() == grpc.StatusCode.INTERNAL
            assert "secret" not in error.details()
        assert it.bad("internal") == 3
        assert [entry["log_level"] for entry in it.logs] == ["error"]


async def test_an_unknown_method_and_a_signal_without_a_pipeline_are_unimplemented() -> None:
    async with running(KeepingHost((Signal.TRACES,)), grpc={}) as it:
        error, _ = await refused(it, b"", Signal.LOGS)
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "service.pipelines.logs" in error.details()
        async with grpc.aio.insecure_channel(it.target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export")(b"")
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_metadata_beyond_the_limit_is_refused_and_the_server_goes_on() -> None:
    async with running(grpc={"max_header_bytes": 4096}) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.export(Signal.TRACES, traces(), metadata=(("x-flood", "y" * 20_000),))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await it.export(Signal.TRACES, traces()) == b""


async def test_a_connection_of_the_configured_age_is_let_go() -> None:
    aging = {"keepalive": {"server_parameters": {"max_connection_age": "100ms", "max_connection_age_grace": "1s"}}}
    async with running(grpc=aging) as it, grpc.aio.insecure_channel(it.target) as channel:
        await channel.unary_unary(SERVICES[Signal.TRACES].method)(traces())
        state = channel.get_state()
        while state == grpc.ChannelConnectivity.READY:
            await asyncio.wait_for(channel.wait_for_state_change(state), 10)
            state = channel.get_state()
        assert state == grpc.ChannelConnectivity.IDLE


async def test_a_call_that_is_over_before_it_is_looked_at_is_nobodys_and_is_not_taken() -> None:
    """Its sender is not known any more: if it were taken, its bytes would be stored again when they are sent again."""

    def hurry(target: str) -> None:
        with grpc.insecure_channel(target) as channel:
            export = channel.unary_unary(SERVICES[Signal.TRACES].method)
            export(traces())
            for microseconds in range(500, 3500, 20):
                with suppress(grpc.RpcError):
                    export(traces(), timeout=microseconds / 1e6)

    async with running(grpc={}) as it:
        await asyncio.gather(*(asyncio.to_thread(hurry, it.target) for _ in range(4)))
        assert {sender.name for sender in it.host.intakes[Signal.TRACES].senders} == {"127.0.0.1"}
