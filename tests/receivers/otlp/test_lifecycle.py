"""Starting, stopping, addresses, Unix sockets, and real SDK exporters as clients."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from spanmill.component import Outcome, Sender, Settings
from spanmill.errors import StartError
from spanmill.names import ComponentId, Kind
from spanmill.otlp.messages import SERVICES
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.receivers.otlp.receiver import OtlpReceiver
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.otlp_samples import traces
from tests.receivers.otlp.receiving import JSON, PROTOBUF, KeepingHost, KeepingIntake, configured, running


def built(config: OtlpReceiverConfig) -> OtlpReceiver:
    return OtlpReceiver(config, Settings(Kind.RECEIVERS, ComponentId("otlp"), component_log("test", "test"), Metrics()))


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_a_port_in_use_fails_the_start_with_component_and_address(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receiver = built(configured({"grpc": {}, "http": {}, protocol: {"endpoint": f"127.0.0.1:{port}"}}))
        with pytest.raises(StartError) as caught:
            await receiver.start(KeepingHost())
    expected = f"receivers/otlp: cannot start: {protocol}: cannot listen on 127.0.0.1:{port}: Address already in use"
    assert str(caught.value) == expected


async def test_a_failed_start_leaves_no_port_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = {"endpoint": f"127.0.0.1:{taken.getsockname()[1]}"}
        receiver = built(configured({"grpc": {}, "http": http}))
        with pytest.raises(StartError):
            await receiver.start(KeepingHost())
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", receiver.endpoints["grpc"].port)


async def test_an_address_that_is_not_ours_fails_the_start() -> None:
    receiver = built(configured({"http": {"endpoint": "192.0.2.1:4318"}}))
    with pytest.raises(StartError, match=r"cannot listen on 192.0.2.1:4318"):
        await receiver.start(KeepingHost())


async def test_a_host_that_does_not_resolve_fails_the_start() -> None:
    receiver = built(configured({"http": {"endpoint": "does-not-exist.invalid:0"}}))
    with pytest.raises(StartError, match=r"cannot listen on does-not-exist\.invalid:0"):
        await receiver.start(KeepingHost())


async def test_stop_is_safe_twice_and_without_start() -> None:
    receiver = built(configured({"grpc": {}, "http": {}}))
    await receiver.stop()
    await receiver.start(KeepingHost())
    await receiver.stop()
    await receiver.stop()


async def test_localhost_is_listened_for_on_every_address_it_has() -> None:
    async with running(http={"endpoint": "localhost:0"}, grpc={"endpoint": "localhost:0"}) as it:
        families = {info[0] for info in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
        hosts = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
        for protocol in ("http", "grpc"):
            for family in families:
                _, writer = await asyncio.open_connection(hosts[family], it.receiver.endpoints[protocol].port)
                writer.close()
                await writer.wait_closed()


class SlowIntake(KeepingIntake):
    """Holds every request until it is told to go on."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(signal)
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()

    async def submit(
        self, payload: bytes, transport: str, sender: Sender, weight: int = 0, *, sent_as: bytes = b""
    ) -> Outcome:
        self.arrived.set()
        await self.go_on.wait()
        return await super().submit(payload, transport, sender, weight, sent_as=sent_as)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_stopping_answers_what_is_under_way_and_accepts_nothing_more(protocol: str) -> None:
    host = KeepingHost()
    slow = host.intakes[Signal.TRACES] = SlowIntake(Signal.TRACES)
    async with running(host) as it:
        over_http = it.post("/v1/traces", traces(), **PROTOBUF)
        over_grpc = it.export(Signal.TRACES, traces())
        used, unused = (over_http, over_grpc) if protocol == "http" else (over_grpc, over_http)
        unused.close()
        sending: asyncio.Task[Any] = asyncio.create_task(used)
        await slow.arrived.wait()
        stopping = asyncio.create_task(it.receiver.stop())
        await asyncio.sleep(0)
        slow.go_on.set()
        answer = await sending
        assert answer == b"" if protocol == "grpc" else answer.status == 200
        await stopping
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*it.http_address)


async def test_stopping_does_not_wait_for_idle_connections() -> None:
    async with running(http={}) as it, aiohttp.ClientSession(it.url) as session:
        async with session.post("/v1/traces", data=b"{}", headers=JSON):
            pass
        async with asyncio.timeout(2):
            await it.receiver.stop()


@pytest.mark.parametrize("spelling", [{"endpoint": "unix://{path}"}, {"endpoint": "{path}", "transport": "unix"}])
async def test_unix_sockets_are_served_and_taken_away_afterwards(tmp_path: Path, spelling: dict[str, str]) -> None:
    paths = {protocol: tmp_path / f"{protocol}.sock" for protocol in ("grpc", "http")}
    bodies: dict[str, Any] = {
        protocol: spelling | {"endpoint": spelling["endpoint"].format(path=path)} for protocol, path in paths.items()
    }
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(paths["http"]))
    dead.close()
    async with running(**bodies) as it:
        connector = aiohttp.UnixConnector(str(paths["http"]))
        async with (
            aiohttp.ClientSession("http://localhost", connector=connector) as session,
            session.post("/v1/traces", data=traces(), headers=PROTOBUF) as response,
        ):
            assert response.status == 200
        async with grpc.aio.insecure_channel(f"unix:{paths['grpc']}") as channel:
            assert await channel.unary_unary(SERVICES[Signal.TRACES].method)(traces()) == b""
        assert str(it.receiver.endpoints["http"]) == f"unix://{paths['http']}"
    assert not paths["http"].exists()
    assert not paths["grpc"].exists()


def _send(exporter: SpanExporter) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("chat", attributes={"gen_ai.request.model": "gpt-4o"}):
        pass
    provider.shutdown()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_the_opentelemetry_sdk_delivers(protocol: str, packed: bool) -> None:
    async with running() as it:
        exporter: SpanExporter
        if protocol == "grpc":
            compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
            exporter = GrpcSpanExporter(f"http://{it.target}", insecure=True, compression=compression)
        else:
            exporter = HttpSpanExporter(
                f"{it.url}/v1/traces", compression=Compression.Gzip if packed else Compression.NoCompression
            )
        await asyncio.to_thread(_send, exporter)
        (payload,) = it.kept(Signal.TRACES)
        span = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans[0]
        assert span.name == "chat"
        assert span.attributes[0].value.string_value == "gpt-4o"
