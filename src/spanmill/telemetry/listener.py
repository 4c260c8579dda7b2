"""A small HTTP server for pages: a bound on connections, and a stop that leaves nothing behind.

OTLP has its own server with its own rules; this one is for health checks and scrapes, which have no bodies.
"""

import asyncio
import ssl
from typing import Final

from aiohttp import web

from spanmill.config.blocks import TlsServer
from spanmill.config.values import Endpoint
from spanmill.errors import StartError
from spanmill.net.listening import bound, listen, remove_unix_socket
from spanmill.net.tls import ServerTls

MAX_CONNECTIONS: Final = 64
"""When one more comes the oldest is cut, so that clients that never finish a request cannot keep the others out."""
_STOP_SECONDS: Final = 1.0


class Listener:
    """Serves `app` on an endpoint. `owner` is who is named when the address or the certificate cannot be used."""

    def __init__(self, owner: str, endpoint: Endpoint, app: web.Application, tls: TlsServer | None = None) -> None:
        self._owner = owner
        self._tls = tls
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_STOP_SECONDS)
        self._servers: list[asyncio.Server] = []
        self.endpoint = endpoint
        """With the port that is really used, once started."""

    async def start(self) -> None:
        """Listen. Raises `StartError`; nothing is left open then."""
        try:
            tls = _context(self._tls)
            sockets = listen(self.endpoint)
        except OSError as error:
            raise StartError(self._owner, error.strerror or str(error)) from None
        self.endpoint = bound(sockets, self.endpoint)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if self.endpoint.socket else loop.create_server
        for sock in sockets:
            self._servers.append(await create(self._connection, sock=sock, ssl=tls))

    async def stop(self) -> None:
        """Stop listening and close every connection. Safe twice."""
        for server in self._servers:
            server.close()
        if self._servers:
            remove_unix_socket(self.endpoint)
        self._servers.clear()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        connections = server.connections
        if len(connections) >= MAX_CONNECTIONS:
            connections[0].force_close()
        return server()


def _context(config: TlsServer | None) -> ssl.SSLContext | None:
    """Gives every handshake the newest certificate. Raises `OSError` when there is none to begin with."""
    if config is None:
        return None
    tls = ServerTls(config)

    def renew(handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = tls.context()

    context = tls.context()
    context.sni_callback = renew
    return context
