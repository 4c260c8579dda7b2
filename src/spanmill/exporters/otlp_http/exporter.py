"""The otlp_http exporter: OTLP/HTTP to one server (OTLP specification, "OTLP/HTTP")."""

import asyncio
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from spanmill import __version__
from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.config.values import without_user_info
from spanmill.errors import Busy, Rejected, StartError
from spanmill.exporters.forwarding import Refused, forward, preference
from spanmill.exporters.otlp_http.answers import Answer, read_answer, refused_by
from spanmill.exporters.otlp_http.bodies import encode_body
from spanmill.exporters.otlp_http.config import OtlpHttpExporterConfig
from spanmill.exporters.request_headers import RequestHeaders
from spanmill.net.tls import ClientTls
from spanmill.signal import Signal

_CONTENT_TYPES = {"proto": "application/x-protobuf", "json": "application/json"}
_FOR_EVER = 365 * 24 * 3600.0


class OtlpHttpExporter:
    """Posts every batch to the signal's URL."""

    def __init__(self, config: OtlpHttpExporterConfig, settings: Settings) -> None:
        self._config = config
        self._name = f"{settings.kind.singular} {settings.id}"
        self._log = settings.log
        self._headers = {
            "Content-Type": _CONTENT_TYPES[config.encoding],
            "User-Agent": f"spanmill/{__version__}",
            **({} if config.compression == "none" else {"Content-Encoding": config.compression}),
        }
        self._request_headers: RequestHeaders | None = None
        self._tls: ClientTls | None = None
        self._session: aiohttp.ClientSession | None = None

    def preference(self, signal: Signal) -> BatchPreference:
        return preference(self._config)

    async def start(self, host: Host) -> None:
        urls = tuple(url for signal in Signal if (url := self._config.url(signal)) is not None)
        self._request_headers = RequestHeaders(self._config, host, (*urls, self._config.proxy_url or ""))
        try:
            self._tls = await asyncio.to_thread(ClientTls, self._config.tls)
        except OSError as error:
            raise StartError(self._name, str(error)) from None
        config = self._config
        keep: dict[str, Any] = {"keepalive_timeout": config.idle_conn_timeout or _FOR_EVER}
        if config.disable_keep_alives:
            keep = {"force_close": True}
        connector = aiohttp.TCPConnector(limit=config.max_idle_conns, **keep)
        timeout = aiohttp.ClientTimeout(total=config.timeout or None)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), headers=self._headers
        )

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        signal, url = batch.signal, self._config.url(batch.signal)
        if url is None:
            raise Rejected(f"there is neither `{signal.value}_endpoint` nor `endpoint`")
        await forward(batch, lambda payload: self._send(signal, url, payload))

    async def stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, signal: Signal, url: str, payload: bytes) -> Refused:
        assert self._request_headers is not None, "not started"
        config, shown = self._config, without_user_info(url)
        body = await asyncio.to_thread(encode_body, signal, payload, config.encoding, config.compression)
        try:
            answer = await self._post(url, body)
        except TimeoutError:
            raise Busy(f"{shown} did not answer within {config.timeout:g} s", 0.0) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = self._request_headers.conceal(str(error)) or type(error).__name__
            raise Busy(f"{shown}: {reason}", 0.0) from None
        refused = refused_by(signal, answer, self._request_headers.conceal)
        if refused is None:
            self._log.warning("the peer accepted a request with an answer that is not OTLP", url=shown)
            return Refused()
        if refused.reason and not refused.items:
            self._log.warning("the peer accepted a request and warns", url=shown, reason=refused.reason)
        return refused

    async def _post(self, url: str, body: bytes) -> Answer:
        assert self._session is not None
        assert self._tls is not None
        assert self._request_headers is not None
        request = self._session.post(
            url,
            data=body,
            headers=self._request_headers.fields(),
            allow_redirects=False,
            proxy=self._config.proxy_url or _proxy_of_environment(url),
            server_hostname=self._config.tls.server_name_override,
            **self._tls_of(url),
        )
        async with request as response:
            return await read_answer(response)

    def _tls_of(self, url: str) -> dict[str, Any]:
        # A context per request: aiohttp makes a new connection when it is another object, that is after a renewal.
        return {"ssl": self._tls.context()} if self._tls is not None and url.startswith("https:") else {}


def _proxy_of_environment(url: str) -> str | None:
    """`HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, which operators set for every program."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)
