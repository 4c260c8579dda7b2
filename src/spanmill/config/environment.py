"""Whether this machine gives what a configuration asks for: ports, directories, servers. Leaves nothing behind."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from spanmill.config.models import Configuration
from spanmill.config.problems import Problem, dotted
from spanmill.config.resources import Claim, destinations, listeners, outputs
from spanmill.config.values import Endpoint
from spanmill.names import Kind

_DIAL_SECONDS: Final = 3.0
_HTTP_PORTS: Final = {"http": 80, "https": 443}

Progress = Callable[[str], None]


def check_environment(configuration: Configuration, progress: Progress = lambda _: None) -> list[Problem]:
    """Try every port, directory, file of certificates or credentials, and server that the service uses.

    `progress` is told what is tried. Servers are dialled at the same time, each for at most three seconds.
    """
    problems: list[Problem | None] = []
    for claim, endpoint in listeners(configuration):
        progress(f"port of {claim.owner}")
        problems.append(_bind(claim, endpoint))
    for claim, output in outputs(configuration):
        progress(f"output of {claim.owner}")
        problems.append(_write(claim, output))
    problems += _unreadable_files(configuration)
    targets = list(destinations(configuration))
    progress(f"{len(targets)} servers")
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        problems += pool.map(lambda target: _dial(*target), targets)
    return [problem for problem in problems if problem is not None]


def _problem(claim: Claim, message: str, error: Exception) -> Problem:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return Problem(f"{claim.owner}: {message}: {reason}", dotted(claim.path))


def _bind(claim: Claim, endpoint: Endpoint) -> Problem | None:
    if endpoint.socket:
        directory = Path(endpoint.socket).parent
        if os.access(directory, os.W_OK):
            return None
        return Problem(f"{claim.owner}: no socket can be made in {directory}", dotted(claim.path))
    try:
        for family, _, _, _, address in socket.getaddrinfo(
            endpoint.host or None, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, socket.SOCK_STREAM) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind(address)
                listener.listen(1)
    except OSError as error:
        return _problem(claim, f"cannot listen on {endpoint}", error)
    return None


def _write(claim: Claim, output: str) -> Problem | None:
    """Whether the output's directory, or the first one above it that is there, can be written."""
    path = Path(output)
    if claim.path[-1] == "directory" and path.exists() and not path.is_dir():
        return Problem(f"{claim.owner}: {output} is not a directory", dotted(claim.path))
    directory = path if claim.path[-1] == "directory" else path.parent
    while not directory.exists():
        directory = directory.parent
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        return _problem(claim, f"cannot write in {directory}", error)
    return None


def _unreadable_files(configuration: Configuration) -> Iterator[Problem]:
    """Files of certificates, tokens, passwords and keys. What is in them is looked at when the daemon starts."""
    for kind in Kind:
        for component, config in configuration.used(kind).items():
            for path, file in config.files():
                try:
                    Path(file).read_bytes()
                except OSError as error:
                    where = dotted((kind.value, str(component), *path))
                    yield Problem(f"{file} cannot be read: {error.strerror}", where)


def _dial(claim: Claim, target: str) -> Problem | None:
    if target.startswith("unix:"):
        family, address = socket.AF_UNIX, target.removeprefix("unix:").removeprefix("//")
        try:
            with socket.socket(family, socket.SOCK_STREAM) as connection:
                connection.settimeout(_DIAL_SECONDS)
                connection.connect(address)
        except OSError as error:
            return _problem(claim, f"cannot connect to {target}", error)
        return None
    parts = urlsplit(target if "://" in target else f"//{target}")
    try:
        port = parts.port or _HTTP_PORTS.get(parts.scheme, 4317)
        with socket.create_connection((parts.hostname or "", port), timeout=_DIAL_SECONDS):
            pass
    except (OSError, ValueError) as error:
        return _problem(claim, f"cannot connect to {parts.hostname or target}", error)
    return None
