"""TLS and mTLS of both listeners, and certificates renewed while they run."""

import asyncio
import contextlib
import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import trustme
from cryptography import x509
from pydantic import ValidationError

from spanmill.component import Settings
from spanmill.errors import StartError
from spanmill.names import ComponentId, Kind
from spanmill.otlp.messages import SERVICES
from spanmill.receivers.otlp.receiver import OtlpReceiver
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.otlp_samples import traces
from tests.receivers.otlp.receiving import PROTOBUF, KeepingHost, Running, configured, running


class Authority:
    """A certificate authority, the server's certificate on disk, and clients' certificates."""

    def __init__(self, directory: Path) -> None:
        self.ca = trustme.CA()
        self.cert, self.key, self.ca_file = directory / "cert.pem", directory / "key.pem", directory / "ca.pem"
        self.ca.cert_pem.write_to_path(self.ca_file)
        self.renew()

    def renew(self) -> int:
        """Write a new certificate; its serial number."""
        issued = self.ca.issue_cert("localhost", "127.0.0.1")
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).serial_number

    def tls(self, **more: Any) -> dict[str, Any]:
        return {"endpoint": "localhost:0", "tls": {"cert_file": str(self.cert), "key_file": str(self.key), **more}}

    def client_context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if with_certificate:
            self.ca.issue_cert("client@example.com").configure_cert(context)
        return context

    def client_credentials(self, *, with_certificate: bool = False) -> Any:
        root = self.ca.cert_pem.bytes()
        if not with_certificate:
            return grpc.ssl_channel_credentials(root)
        issued = self.ca.issue_cert("client@example.com")
        return grpc.ssl_channel_credentials(root, issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def post(it: Running, context: ssl.SSLContext) -> int:
    async with (
        aiohttp.ClientSession(f"https://{it.receiver.endpoints['http']}") as session,
        session.post("/v1/traces", data=traces(), headers=PROTOBUF, ssl=context) as response,
    ):
        return response.status


async def export(it: Running, credentials: Any) -> bytes:
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(it.target, credentials, options) as channel:
        return bytes(await channel.unary_unary(SERVICES[Signal.TRACES].method)(traces(), timeout=10))


async def test_both_protocols_speak_tls(authority: Authority) -> None:
    async with running(http=authority.tls(), grpc=authority.tls()) as it:
        assert await post(it, authority.client_context()) == 200
        assert await export(it, authority.client_credentials()) == b""


async def test_the_certificate_may_stand_in_the_configuration(authority: Authority) -> None:
    tls = {"cert_pem": authority.cert.read_text(), "key_pem": authority.key.read_text()}
    async with running(http={"endpoint": "localhost:0", "tls": tls}) as it:
        assert await post(it, authority.client_context()) == 200


async def test_plain_text_to_a_tls_port_is_turned_away(authority: Authority) -> None:
    async with running(http=authority.tls(), grpc=authority.tls()) as it:
        with pytest.raises(aiohttp.ClientError):
            await it.post("/v1/traces", traces(), **PROTOBUF)
        with pytest.raises(grpc.aio.AioRpcError):
            await it.export(Signal.TRACES, traces(), timeout=5)
        assert it.kept(Signal.TRACES) == []


async def test_with_a_client_authority_only_clients_it_signed_get_in(authority: Authority) -> None:
    body = authority.tls(client_ca_file=str(authority.ca_file))
    async with running(http=body, grpc=body) as it:
        assert await post(it, authority.client_context(with_certificate=True)) == 200
        assert await export(it, authority.client_credentials(with_certificate=True)) == b""
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await post(it, authority.client_context())
        with pytest.raises(grpc.aio.AioRpcError):
            await export(it, authority.client_credentials())
        stranger = trustme.CA()
        context = authority.client_context()
        stranger.issue_cert("client@example.com").configure_cert(context)
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await post(it, context)
        assert len(it.kept(Signal.TRACES)) == 2


def listening(protocol: str, body: dict[str, Any]) -> AbstractAsyncContextManager[Running]:
    """A receiver of one protocol."""
    return running(http=body) if protocol == "http" else running(grpc=body)


async def _serial(it: Running, protocol: str) -> int:
    """The serial number of the certificate that is shown to a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    endpoint = it.receiver.endpoints[protocol]
    _, writer = await asyncio.open_connection("localhost", endpoint.port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(ssl.SSLError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(certificate).serial_number


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_a_renewed_certificate_is_shown_to_the_next_connection(authority: Authority, protocol: str) -> None:
    body = authority.tls(reload_interval="1ms")
    async with listening(protocol, body) as it:
        before = await _serial(it, protocol)
        renewed = authority.renew()
        assert await _serial(it, protocol) == renewed != before


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_a_broken_renewal_leaves_the_old_certificate_in_use(authority: Authority, protocol: str) -> None:
    async with listening(protocol, authority.tls(reload_interval="1ms")) as it:
        before = await _serial(it, protocol)
        authority.cert.write_text("not a certificate")
        assert await _serial(it, protocol) == before
        renewed = authority.renew()
        assert await _serial(it, protocol) == renewed


async def test_without_an_interval_files_are_read_once(authority: Authority) -> None:
    async with running(http=authority.tls(reload_interval=0)) as it:
        before = await _serial(it, "http")
        authority.renew()
        assert await _serial(it, "http") == before


async def test_a_minimum_version_is_kept(authority: Authority) -> None:
    async with running(http=authority.tls(min_version="1.3")) as it:
        context = authority.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(aiohttp.ClientError):
            await post(it, context)
        assert await post(it, authority.client_context()) == 200


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda it: it.cert.unlink(), r"cannot read .*cert\.pem: No such file or directory"),
        (lambda it: it.cert.write_text("nonsense"), r"cannot use certificate .*cert\.pem with key .*key\.pem"),
        (lambda it: it.key.write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes()), "cannot use certificate"),
    ],
)
async def test_a_certificate_that_cannot_be_used_fails_the_start(
    authority: Authority, protocol: str, spoil: Any, message: str
) -> None:
    spoil(authority)
    settings = Settings(Kind.RECEIVERS, ComponentId("otlp"), component_log("test", "test"), Metrics())
    receiver = OtlpReceiver(configured({protocol: authority.tls()}), settings)
    with pytest.raises(StartError, match=message):
        await receiver.start(KeepingHost())


@pytest.mark.parametrize("versions", [{"min_version": "1.3"}, {"max_version": "1.2"}])
def test_a_version_that_grpc_cannot_keep_to_is_an_error_of_the_configuration(
    authority: Authority, versions: dict[str, str]
) -> None:
    with pytest.raises(ValidationError, match=r"gRPC always offers TLS 1.2 and 1.3"):
        configured({"grpc": authority.tls(**versions)})
