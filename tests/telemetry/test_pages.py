"""Pages over real sockets."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import trustme

from spanmill.config.blocks import TlsServer
from spanmill.config.values import Endpoint
from spanmill.errors import StartError
from spanmill.telemetry.exposition import Family, LabelSet, Sample
from spanmill.telemetry.listener import MAX_CONNECTIONS
from spanmill.telemetry.pages import Pages

ANY_PORT = Endpoint("127.0.0.1", 0)


@pytest_asyncio.fixture
async def pages() -> AsyncIterator[Pages]:
    pages = Pages()
    yield pages
    await pages.stop()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


def gauge(name: str, value: float = 1) -> list[Family]:
    return [Family(name, "gauge", "Help.", [Sample("", LabelSet(), value)])]


async def test_contributors_of_one_address_share_its_page(pages: Pages, client: aiohttp.ClientSession) -> None:
    first = await pages.serve(ANY_PORT, "first", lambda: gauge("a"))
    await pages.serve(Endpoint("localhost", first.port), "second", lambda: [*gauge("b"), *gauge("a", 2)])
    async with client.get(f"http://127.0.0.1:{first.port}/metrics") as response:
        text = gzip.decompress(await response.read()).decode()
    assert text.count("# TYPE") == 2
    assert "\na 1\n" in text
    assert "\nb 1\n" in text


async def test_the_page_closes_with_its_last_contributor(pages: Pages, client: aiohttp.ClientSession) -> None:
    first = await pages.serve(ANY_PORT, "first", lambda: gauge("a"))
    port = first.port
    second = await pages.serve(Endpoint("127.0.0.1", port), "second", lambda: gauge("b"))
    await first.withdraw()
    async with client.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "identity"}) as response:
        assert await response.text() == "# HELP b Help.\n# TYPE b gauge\nb 1\n"
    await second.withdraw()
    await second.withdraw()
    assert pages.addresses == []
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(f"http://127.0.0.1:{port}/metrics")


async def test_a_used_address_is_a_start_error_that_names_the_owner(pages: Pages) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"exporters.prometheus: cannot start: cannot listen on 127.0.0.1:{port}"):
            await pages.serve(Endpoint("127.0.0.1", port), "exporters.prometheus", lambda: gauge("a"))
    assert pages.addresses == []


async def test_compression_only_when_asked_for(pages: Pages, client: aiohttp.ClientSession) -> None:
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"))
    url = f"http://127.0.0.1:{page.port}/metrics"
    async with client.get(url, headers={"Accept-Encoding": "identity"}) as response:
        plain = await response.read()
        assert "Content-Encoding" not in response.headers
    async with client.get(url, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await response.read()) == plain


async def test_open_metrics_is_served_when_every_contributor_offers_it(
    pages: Pages, client: aiohttp.ClientSession
) -> None:
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"))
    url = f"http://127.0.0.1:{page.port}/metrics"
    wish = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "identity"}
    async with client.get(url, headers=wish) as response:
        assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert (await response.text()).endswith("# EOF\n")
    await pages.serve(Endpoint("127.0.0.1", page.port), "exporter", lambda: gauge("b"), open_metrics=False)
    async with client.get(url, headers=wish) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_only_get_and_head_of_metrics_are_answered(pages: Pages, client: aiohttp.ClientSession) -> None:
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"))
    url = f"http://127.0.0.1:{page.port}"
    for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)):
        async with client.request(method, url + path) as response:
            assert response.status == status
    async with client.head(f"{url}/metrics") as response:
        assert await response.read() == b""


async def test_clients_that_never_finish_a_request_do_not_keep_scrapers_out(
    pages: Pages, client: aiohttp.ClientSession
) -> None:
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"))
    idle = [await asyncio.open_connection("127.0.0.1", page.port) for _ in range(MAX_CONNECTIONS + 5)]
    for _, writer in idle:
        writer.write(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    async with client.get(f"http://127.0.0.1:{page.port}/metrics") as response:
        assert response.status == 200
    assert await idle[0][0].read() == b""
    for _, writer in idle:
        writer.close()


async def test_a_scraper_that_does_not_read_holds_up_nobody(pages: Pages, client: aiohttp.ClientSession) -> None:
    big = [Family("a", "gauge", "", [Sample("", LabelSet((("i", str(i) * 100),)), i) for i in range(20_000)])]
    page = await pages.serve(ANY_PORT, "own", lambda: big)
    _, stuck = await asyncio.open_connection("127.0.0.1", page.port)
    stuck.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    async with client.get(f"http://127.0.0.1:{page.port}/metrics") as response:
        assert len(await response.read()) > 10_000
    stuck.transport.abort()


async def test_the_page_speaks_tls_and_shares_only_with_the_same_settings(pages: Pages, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = TlsServer.model_validate({"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")})
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"), tls=tls)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    connector = aiohttp.TCPConnector(ssl=trust)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://127.0.0.1:{page.port}/metrics") as response,
    ):
        assert "\na 1\n" in await response.text()
    with pytest.raises(StartError, match="is shared, and has other `tls` settings"):
        await pages.serve(Endpoint("127.0.0.1", page.port), "exporter", lambda: gauge("b"))


async def test_a_renewed_certificate_is_used_without_a_restart(pages: Pages, tmp_path: Path) -> None:
    authorities = trustme.CA(), trustme.CA()
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem"), "reload_interval": "1ns"}

    def write(authority: trustme.CA) -> None:
        certificate = authority.issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")

    async def scrape(authority: trustme.CA) -> int:
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
            session.get(f"https://127.0.0.1:{page.port}/metrics") as response,
        ):
            return response.status

    write(authorities[0])
    page = await pages.serve(ANY_PORT, "own", lambda: gauge("a"), tls=TlsServer.model_validate(files))
    assert await scrape(authorities[0]) == 200
    write(authorities[1])
    assert await scrape(authorities[1]) == 200


async def test_a_certificate_that_cannot_be_read_is_a_start_error(pages: Pages) -> None:
    tls = TlsServer.model_validate({"cert_file": "/nowhere/cert.pem", "key_file": "/nowhere/key.pem"})
    with pytest.raises(StartError, match=r"cannot read /nowhere/cert\.pem"):
        await pages.serve(ANY_PORT, "own", lambda: gauge("a"), tls=tls)


async def test_a_unix_socket_serves_the_page_and_is_removed(pages: Pages, tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    page = await pages.serve(Endpoint(socket=str(path)), "own", lambda: gauge("a"))
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://spanmill/metrics") as response,
    ):
        assert "\na 1\n" in await response.text()
    await page.withdraw()
    assert not path.exists()
