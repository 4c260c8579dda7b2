"""Listening sockets: bound by us, so that a failure names the address and its reason, whoever serves them."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from spanmill.config.values import Endpoint

_BACKLOG = 1024
_ATTEMPTS = 16
"""Tries to find one port that is free on every address of a host, when the system is to choose it."""


def listen(endpoint: Endpoint, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[socket.socket]:
    """Bind and listen, on every address of the host; with port 0 on the same port of each.

    The sockets do not block. Raises `OSError` with a reason that stands by itself.
    """
    if endpoint.socket:
        return [_listen_unix(endpoint.socket)]
    for _ in range(_ATTEMPTS):
        sockets: list[socket.socket] = []
        try:
            for kind, address in _addresses(endpoint, family):
                port = endpoint.port or (sockets[0].getsockname()[1] if sockets else 0)
                sockets.append(_bind(kind, (address[0], port, *address[2:])))
        except OSError as error:
            for each in sockets:
                each.close()
            if error.errno == errno.EADDRINUSE and endpoint.port == 0:
                continue
            raise _explained(error, endpoint) from None
        return sockets
    raise OSError(f"no port is free on every address of {endpoint.host}")


def bound(sockets: list[socket.socket], endpoint: Endpoint) -> Endpoint:
    """The endpoint with the port that was really taken."""
    return endpoint if endpoint.socket else Endpoint(endpoint.host, sockets[0].getsockname()[1])


def check_free(endpoint: Endpoint) -> None:
    """Raise `OSError` when `listen` would, and clear away a dead Unix socket: for servers that bind themselves."""
    if endpoint.port or endpoint.socket:
        for each in listen(endpoint):
            each.close()
        remove_unix_socket(endpoint)


def remove_unix_socket(endpoint: Endpoint) -> None:
    """Take away what listening left in the file system."""
    if endpoint.socket:
        Path(endpoint.socket).unlink(missing_ok=True)


def _addresses(
    endpoint: Endpoint, family: socket.AddressFamily
) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    if not endpoint.host and socket.has_dualstack_ipv6() and family == socket.AF_UNSPEC:
        return [(socket.AF_INET6, ("::", endpoint.port, 0, 0))]
    found = socket.getaddrinfo(
        endpoint.host or None, endpoint.port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    unique = dict.fromkeys((kind, address) for kind, _, _, _, address in found)
    loopback = endpoint.host == "localhost"
    return [each for each in unique if not loopback or _can_bind(*each)] or list(unique)


def _can_bind(family: socket.AddressFamily, address: tuple[object, ...]) -> bool:
    """Machines without IPv6 still list `::1` as an address of localhost."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address[0], 0, *address[2:]))
        return True
    return False


def _bind(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(path)
        listener.bind(path)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _explained(error, Endpoint(socket=path)) from None
    return listener


def _remove_dead_socket(path: str) -> None:
    """A socket that nobody listens on was left by a process that was killed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            if probe.connect_ex(path) == errno.ECONNREFUSED:
                Path(path).unlink()


def _explained(error: OSError, endpoint: Endpoint) -> OSError:
    reason = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
    return OSError(error.errno, f"cannot listen on {endpoint}: {reason}")
