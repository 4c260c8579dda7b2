"""A small HTTP server for pages: sockets, a bound on connections, and a stop that leaves nothing behind.

OTLP has its own server with its own rules; this one is for health checks and scrapes, which have no bodies.
"""

import asyncio
import errno
import os
import socket
import ssl
from pathlib import Path

from aiohttp import web

from spanmill.config.values import Endpoint
from spanmill.errors import StartError

MAX_CONNECTIONS = 64
"""When one more comes the oldest is cut, so that clients that never finish a request cannot keep the others out."""
_STOP_SECONDS = 1.0
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class Listener:
    """Serves `app` on an endpoint. `owner` is who is named when the address cannot be used."""

    def __init__(self, owner: str, endpoint: Endpoint, app: web.Application, tls: ssl.SSLContext | None = None) -> None:
        self._owner = owner
        self._endpoint = endpoint
        self._tls = tls
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_STOP_SECONDS)
        self._servers: list[asyncio.Server] = []
        self.port = 0
        """The port in use; 0 for a Unix socket."""

    async def start(self) -> None:
        """Listen. Raises `StartError`; nothing is left open then."""
        try:
            sockets = bind(self._endpoint)
        except OSError as error:
            raise StartError(self._owner, f"cannot listen on {self._endpoint}: {error.strerror or error}") from None
        self.port = 0 if self._endpoint.socket else sockets[0].getsockname()[1]
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        for sock in sockets:
            create = loop.create_unix_server if self._endpoint.socket else loop.create_server
            self._servers.append(await create(self._connection, sock=sock, ssl=self._tls))

    async def stop(self) -> None:
        """Stop listening and close every connection. Safe twice."""
        for server in self._servers:
            server.close()
        if self._servers and self._endpoint.socket:
            Path(self._endpoint.socket).unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        self._servers.clear()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        connections = server.connections
        if len(connections) >= MAX_CONNECTIONS:
            connections[0].force_close()
        return server()


def bind(endpoint: Endpoint) -> list[socket.socket]:
    """Bound sockets, one for each address of the host: `localhost` has two, and one of them may not exist here.

    Raises `OSError` when none can be had, or when one that exists is in use.
    """
    if endpoint.socket:
        return [_bind_unix(endpoint.socket)]
    host = endpoint.host or None
    found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    port, absent = endpoint.port, OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            sockets.append(_bind_tcp(family, kind, protocol, (address[0], port, *address[2:])))
        except OSError as error:
            if error.errno in _ABSENT:
                absent = error
                continue
            for held in sockets:
                held.close()
            raise
        port = sockets[0].getsockname()[1]
    if not sockets:
        raise absent
    return sockets


def _bind_tcp(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(128)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    if Path(path).is_socket() and not _answers(path):
        Path(path).unlink()  # left by a process that was killed
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0
