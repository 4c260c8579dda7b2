"""OTLP over HTTP/1.1: the listener. What is done with a request is in `http_requests`."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine
from typing import Final

from spanmill.component import Host, Settings
from spanmill.net.listening import bound, listen, remove_unix_socket
from spanmill.net.tls import ServerTls
from spanmill.receivers.otlp.authentication import SenderCheck
from spanmill.receivers.otlp.config import HttpListener
from spanmill.receivers.otlp.http_connection import ConnectionServer
from spanmill.receivers.otlp.http_requests import HttpRequests
from spanmill.receivers.otlp.reception import Reception

TRANSPORT: Final = "http"
_HANDSHAKE_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
"""Between attempts to accept, when the process has no file descriptors left."""


class HttpServer:
    """One listener. It accepts by hand, which bounds the connections and gives each the newest certificate."""

    def __init__(self, config: HttpListener, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._server: ConnectionServer | None = None
        self._tls: ServerTls | None = None
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(config.max_connections)
        self.endpoint = config.endpoint

    async def start(self, host: Host) -> None:
        """Raises `OSError` when the address cannot be had, or the certificate cannot be read."""
        self._tls = ServerTls(self._config.tls) if self._config.tls else None
        self._sockets = listen(self._config.endpoint)
        self.endpoint = bound(self._sockets, self._config.endpoint)
        reception = Reception(host, self._settings, TRANSPORT, self._config.max_decoded_items)
        requests = HttpRequests(self._config, reception, SenderCheck(self._config.auth, host))
        self._server = ConnectionServer(requests.handle, self._config, reception, self._free.release)
        for listener in self._sockets:
            self._spawn(self._accept(listener))

    async def stop(self, grace_seconds: float) -> None:
        """Stop accepting, finish what is under way, close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._sockets:
            listener.close()
        if self._sockets:
            remove_unix_socket(self._config.endpoint)
        self._sockets = []
        if self._server is not None:
            server, self._server = self._server, None
            server.pre_shutdown()
            await server.shutdown(grace_seconds)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                self._free.release()
                await asyncio.sleep(_PAUSE_SECONDS)
            except asyncio.CancelledError:
                self._free.release()
                raise
            else:
                context = self._tls.context() if self._tls else None
                self._spawn(self._serve(connection, context))

    async def _serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """Hand the connection to aiohttp's protocol, after the TLS handshake if there is one."""
        assert self._server is not None
        made = self._server()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: made, connection, ssl=context, ssl_handshake_timeout=_HANDSHAKE_SECONDS if context else None
            )
        except (OSError, asyncio.CancelledError) as error:
            with contextlib.suppress(OSError):
                connection.close()
            if made.transport is None:
                self._free.release()
            if isinstance(error, asyncio.CancelledError):
                raise
