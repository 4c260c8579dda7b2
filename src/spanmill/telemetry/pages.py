"""Pages of metrics, one for each address: the daemon's own and the prometheus exporters' share one when they must.

A contributor gives a function that collects its families. Collecting, writing and compressing run in a worker thread,
one page at a time; a scraper that reads slowly is cut off and holds up nobody.
"""

import asyncio
import gzip
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from spanmill.config.blocks import TlsServer
from spanmill.config.values import Endpoint
from spanmill.errors import StartError
from spanmill.telemetry.exposition import Family, Format, merge, render
from spanmill.telemetry.listener import Listener
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.negotiation import negotiate, wants_gzip

PATH: Final = "/metrics"
SCRAPE_SECONDS: Final = 30.0
"""How long a scraper may take to read the page."""

_LOG: Final = component_log("service", "pages")

Collect = Callable[[], Iterable[Family]]
"""Called in a worker thread at every scrape."""


@dataclass(slots=True)
class Contribution:
    """A contributor's place on a page."""

    page: "_Page"
    collect: Collect
    open_metrics: bool

    @property
    def port(self) -> int:
        """The port that the page is served on."""
        return self.page.listener.endpoint.port

    async def withdraw(self) -> None:
        """Leave the page; the last one closes it. Safe twice."""
        await self.page.remove(self)


class Pages:
    """Every page of the daemon, by address. Used on the event loop."""

    def __init__(self) -> None:
        self._pages: dict[Hashable, _Page] = {}
        self._opening = asyncio.Lock()

    async def serve(
        self,
        endpoint: Endpoint,
        owner: str,
        collect: Collect,
        *,
        tls: TlsServer | None = None,
        open_metrics: bool = True,
    ) -> Contribution:
        """Put what `collect` gives on the page at `endpoint`, which is opened by its first contributor.

        OpenMetrics is offered when every contributor of the page offers it. Raises `StartError` in the name of `owner`
        when the address cannot be used, or when the page is there with another `tls`.
        """
        async with self._opening:
            page = self._pages.get(_address(endpoint))
            if page is None:
                page = await self._open(endpoint, owner, tls)
            elif page.tls != tls:
                raise StartError(owner, f"the metrics page on {endpoint} is shared, and has other `tls` settings")
            return page.add(collect, open_metrics)

    async def _open(self, endpoint: Endpoint, owner: str, tls: TlsServer | None) -> "_Page":
        page = _Page(tls, self._forget)
        page.listener = Listener(owner, endpoint, page.app, tls)
        await page.listener.start()
        self._pages[_address(page.listener.endpoint)] = page
        return page

    def _forget(self, page: "_Page") -> None:
        self._pages.pop(_address(page.listener.endpoint), None)

    @property
    def addresses(self) -> list[str]:
        """Where the pages are, as `host:port`."""
        return [str(page.listener.endpoint) for page in self._pages.values()]

    async def stop(self) -> None:
        """Close every page. Safe twice."""
        for page in list(self._pages.values()):
            await page.close()


def _address(endpoint: Endpoint) -> Hashable:
    """Equal for endpoints that mean the same page. Port 0 is nobody's yet."""
    if endpoint.socket:
        return endpoint.socket
    return "localhost" if endpoint.host in ("127.0.0.1", "::1") else endpoint.host, endpoint.port


class _Page:
    """One address: its listener, its contributors."""

    listener: Listener

    def __init__(self, tls: TlsServer | None, on_close: Callable[["_Page"], None]) -> None:
        self.tls = tls
        self.app = web.Application()
        self.app.router.add_get(PATH, self._answer)
        self._on_close = on_close
        self._contributions: list[Contribution] = []
        self._rendering = asyncio.Lock()
        self._reported: set[str] = set()

    def add(self, collect: Collect, open_metrics: bool) -> Contribution:
        contribution = Contribution(self, collect, open_metrics)
        self._contributions.append(contribution)
        return contribution

    async def remove(self, contribution: Contribution) -> None:
        if any(held is contribution for held in self._contributions):
            self._contributions = [held for held in self._contributions if held is not contribution]
            if not self._contributions:
                await self.close()

    async def close(self) -> None:
        self._contributions = []
        self._on_close(self)
        await self.listener.stop()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        offered = all(held.open_metrics for held in self._contributions)
        page = negotiate(request.headers.get("Accept", ""), offered)
        compress = wants_gzip(request.headers.get("Accept-Encoding", ""))
        async with self._rendering:
            body = await asyncio.to_thread(self._render, [held.collect for held in self._contributions], page, compress)
        headers = {"Content-Type": page.content_type, "Vary": "Accept, Accept-Encoding"}
        if compress:
            headers["Content-Encoding"] = "gzip"
        response = web.Response(body=body, headers=headers)
        try:
            async with asyncio.timeout(SCRAPE_SECONDS):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        return response

    def _render(self, collects: list[Collect], page: Format, compress: bool) -> bytes:
        merged = merge((family for collect in collects for family in collect()), page.utf8)
        for name in set(merged.conflicts) - self._reported:
            self._reported.add(name)
            _LOG.warning(
                "metric left out: its page has another of its name and of another type",
                metric=name,
                endpoint=str(self.listener.endpoint),
            )
        body = render(merged.families, page).encode("utf-8", "replace")
        return gzip.compress(body, 5, mtime=0) if compress else body
