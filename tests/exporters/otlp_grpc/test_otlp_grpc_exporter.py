"""The otlp_grpc exporter against a real server that answers well, badly and not at all."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.component import BatchPreference, Position
from spanmill.errors import Busy, Rejected, StartError
from spanmill.exporters.otlp_grpc.config import OtlpGrpcExporterConfig
from spanmill.exporters.otlp_grpc.exporter import OtlpGrpcExporter
from spanmill.names import Kind
from spanmill.signal import Signal
from tests.data import batch_of, key_value, spans, traces
from tests.exporters.hosts import NO_HOST
from tests.exporters.peers import GrpcPeer, Received, grpc_peer
from tests.processors.building import settings
from tests.strategies import REQUESTS

HERE = Position("j", 0, 0)
RETRYABLE = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]
FINAL = ["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL", "UNKNOWN"]
MIB = 1024 * 1024


@asynccontextmanager
async def exporting(endpoint: str, **config: Any) -> AsyncIterator[OtlpGrpcExporter]:
    body = {"endpoint": endpoint, "tls": {"insecure": True}, **config}
    exporter = OtlpGrpcExporter(OtlpGrpcExporterConfig.model_validate(body), settings(Kind.EXPORTERS, "otlp_grpc"))
    try:
        await exporter.start(NO_HOST)
        yield exporter
    finally:
        await exporter.stop()
        await exporter.stop()


def failing(code: grpc.StatusCode, details: str = "", status: Status | None = None) -> Callable[..., Awaitable[bytes]]:
    async def answer(_received: Received, context: Any) -> bytes:
        if status is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(code, details)
        raise AssertionError

    return answer


def throttled(seconds: float) -> Status:
    status = Status(code=8)
    info = RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))
    status.details.add().Pack(info)
    return status


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.sampled_from(Signal).flatmap(lambda signal: st.tuples(st.just(signal), REQUESTS[signal])))
def test_what_is_exported_is_what_came_in(signal_and_request: tuple[Signal, Message]) -> None:
    signal, request = signal_and_request

    async def go() -> list[Received]:
        async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
            await exporter.export(batch_of(request, signal), HERE)
            return peer.received

    (received,) = asyncio.run(go())
    assert (received.signal, received.message) == (signal, request)


async def test_headers_and_the_user_agent_are_sent_and_gzip_is_used_by_default() -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint, headers={"X-Api-Key": "s3cret"}) as exporter:
        await exporter.export(spans(500), HERE)
        headers = peer.received[0].headers
    assert headers["x-api-key"] == "s3cret"
    assert headers["user-agent"].startswith("spanmill/")


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
async def test_every_compression_arrives_whole(compression: str) -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint, compression=compression) as exporter:
        await exporter.export(batch_of(traces(100)), HERE)
        assert peer.received[0].message == traces(100)


@pytest.mark.parametrize("endpoint", ["http://{}", "dns:///{}"])
async def test_an_endpoint_may_have_a_scheme(endpoint: str) -> None:
    async with grpc_peer() as peer, exporting(endpoint.format(peer.endpoint)) as exporter:
        await exporter.export(spans(), HERE)
        assert len(peer.received) == 1


async def test_partial_success_is_a_rejection_of_as_many_items_and_is_not_repeated() -> None:
    async def answer(_received: Received, _context: Any) -> bytes:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = 2
        response.partial_success.error_message = "two are too old"
        return bytes(response.SerializeToString())

    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = answer
        with pytest.raises(Rejected, match="two are too old") as raised:
            await exporter.export(spans(5), HERE)
        assert (raised.value.items, len(peer.received)) == (2, 1)


@pytest.mark.parametrize(
    "code", ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]
)
async def test_codes_that_the_specification_calls_retryable_are_busy(code: str) -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = failing(grpc.StatusCode[code], "try later")
        with pytest.raises(Busy, match=f"{code}: try later"):
            await exporter.export(spans(), HERE)


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL", "UNKNOWN"]
)
async def test_all_other_codes_are_rejections_of_the_whole(code: str) -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = failing(grpc.StatusCode[code], "no")
        with pytest.raises(Rejected, match=f"{code}: no") as raised:
            await exporter.export(spans(3), HERE)
        assert raised.value.items is None


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
async def test_retry_info_makes_it_busy_for_as_long_as_it_says(code: str) -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = failing(grpc.StatusCode[code], "slow down", throttled(7.5))
        with pytest.raises(Busy) as raised:
            await exporter.export(spans(), HERE)
    assert raised.value.retry_after == 7.5


async def test_resource_exhausted_without_retry_info_is_a_rejection() -> None:
    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota exceeded")
        with pytest.raises(Rejected):
            await exporter.export(spans(8), HERE)
        assert len(peer.received) == 1


async def test_a_request_larger_than_the_peer_takes_is_sent_in_parts_in_order() -> None:
    async with grpc_peer(max_message_bytes=4000) as peer, exporting(peer.endpoint) as exporter:
        await exporter.export(spans(100), HERE)
        ids = [s.span_id for r in peer.received for s in r.message.resource_spans[0].scope_spans[0].spans]
    assert ids == [number.to_bytes(8, "big") for number in range(1, 101)]
    assert len(peer.received) > 1


async def test_one_item_that_is_too_large_is_rejected_and_its_neighbours_arrive() -> None:
    request = traces(4)
    request.resource_spans[0].scope_spans[0].spans[2].attributes.append(key_value("big", os.urandom(4000).hex()))
    async with grpc_peer(max_message_bytes=4000) as peer, exporting(peer.endpoint) as exporter:
        with pytest.raises(Rejected, match="one item is larger than the peer takes") as raised:
            await exporter.export(batch_of(request), HERE)
        ids = [s.span_id[-1] for r in peer.received for s in r.message.resource_spans[0].scope_spans[0].spans]
    assert (raised.value.items, ids) == (1, [1, 2, 4])


async def test_a_batch_of_many_megabytes_goes_out_in_requests_that_every_server_takes() -> None:
    text = os.urandom(50_000).hex()
    request = traces(100)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.attributes.append(key_value("text", text))
    async with (
        grpc_peer(max_message_bytes=4 * MIB) as peer,
        exporting(peer.endpoint, timeout="30s") as exporter,
    ):
        await exporter.export(batch_of(request), HERE)
    assert max(len(r.body) for r in peer.received) <= 4 * MIB
    assert sum(len(r.message.resource_spans[0].scope_spans[0].spans) for r in peer.received) == 100


async def test_a_peer_that_is_not_there_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with exporting(f"127.0.0.1:{port}") as exporter:
        with pytest.raises(Busy, match="UNAVAILABLE"):
            await exporter.export(spans(), HERE)


async def test_a_peer_that_does_not_answer_is_busy_after_the_timeout() -> None:
    released = asyncio.Event()

    async def answer(_received: Received, _context: Any) -> bytes:
        await released.wait()
        return b""

    async with grpc_peer() as peer, exporting(peer.endpoint, timeout="200ms") as exporter:
        peer.answer = answer
        with pytest.raises(Busy, match="DEADLINE_EXCEEDED"):
            await exporter.export(spans(), HERE)
        released.set()


async def test_a_cancelled_export_cancels_the_call() -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def answer(_received: Received, _context: Any) -> bytes:
        arrived.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = answer
        export = asyncio.create_task(exporter.export(spans(), HERE))
        await arrived.wait()
        export.cancel()
        with pytest.raises(asyncio.CancelledError):
            await export
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_an_answer_that_is_not_otlp_counts_as_delivered() -> None:
    async def answer(_received: Received, _context: Any) -> bytes:
        return b"\xff\xff garbage"

    async with grpc_peer() as peer, exporting(peer.endpoint) as exporter:
        peer.answer = answer
        await exporter.export(spans(), HERE)
        assert len(peer.received) == 1


def written(path: Path, certificate: trustme.LeafCert, authority: trustme.CA) -> dict[str, str]:
    """The files of a certificate and of the authority to trust."""
    files = {"cert_file": path / "cert.pem", "key_file": path / "key.pem", "ca_file": path / "ca.pem"}
    files["cert_file"].write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    files["key_file"].write_bytes(certificate.private_key_pem.bytes())
    files["ca_file"].write_bytes(authority.cert_pem.bytes())
    return {key: str(file) for key, file in files.items()}


def server_credentials(server: trustme.LeafCert, client_authority: trustme.CA) -> Any:
    pair = (server.private_key_pem.bytes(), b"".join(blob.bytes() for blob in server.cert_chain_pems))
    return grpc.ssl_server_credentials([pair], client_authority.cert_pem.bytes(), require_client_auth=True)


async def export_once(peer: GrpcPeer, tls: dict[str, Any]) -> None:
    async with exporting(peer.endpoint, tls=tls) as exporter:
        await exporter.export(spans(), HERE)


async def test_both_sides_show_their_certificates(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = written(tmp_path, authority.issue_cert("client.test"), authority)
    async with grpc_peer(server_credentials(authority.issue_cert("localhost"), authority)) as peer:
        await export_once(peer, tls)
        assert len(peer.received) == 1
        with pytest.raises(Busy):
            await export_once(peer, {"ca_file": tls["ca_file"]})


async def test_a_server_under_another_name_is_trusted_only_with_the_override(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = written(tmp_path, authority.issue_cert("client.test"), authority)
    async with grpc_peer(server_credentials(authority.issue_cert("gateway.test"), authority)) as peer:
        with pytest.raises(Busy):
            await export_once(peer, tls)
        await export_once(peer, {**tls, "server_name_override": "gateway.test"})


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    tls = written(tmp_path, other.issue_cert("client.test"), authority)
    async with grpc_peer(server_credentials(authority.issue_cert("localhost"), authority)) as peer:
        async with exporting(peer.endpoint, tls={**tls, "reload_interval": "1ns"}) as exporter:
            with pytest.raises(Busy):
                await exporter.export(spans(), HERE)
            written(tmp_path, authority.issue_cert("client.test"), authority)
            await exporter.export(spans(), HERE)
        assert len(peer.received) == 1


async def test_a_missing_certificate_file_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"exporter otlp_grpc: cannot start: cannot read .*nowhere\.pem"):
        async with exporting("localhost:4317", tls={"ca_file": str(tmp_path / "nowhere.pem")}):
            pass


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"compression": "zstd"}, "no zstd"),
        ({"tls": {"insecure_skip_verify": True}}, "always checks the server"),
        ({"tls": {"min_version": "1.3"}}, "chooses the TLS version"),
    ],
)
def test_what_the_library_cannot_do_is_an_error_of_the_configuration(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OtlpGrpcExporterConfig.model_validate({"endpoint": "localhost:4317", **config})


def test_it_takes_what_is_there_unless_told_to_gather() -> None:
    def preferred(**config: Any) -> BatchPreference:
        body = OtlpGrpcExporterConfig.model_validate({"endpoint": "localhost:4317", **config})
        return OtlpGrpcExporter(body, settings(Kind.EXPORTERS, "otlp_grpc")).preference(Signal.TRACES)

    assert preferred() == BatchPreference(max_bytes=4_000_000)
    gathering = preferred(sending_queue={"batch": None})
    assert (gathering.min_items, gathering.max_age_seconds) == (8192, 0.2)
    by_bytes = preferred(sending_queue={"batch": {"sizer": "bytes", "min_size": 1000, "max_size": 5000}})
    assert (by_bytes.min_bytes, by_bytes.max_bytes, by_bytes.min_items) == (1000, 5000, 0)
