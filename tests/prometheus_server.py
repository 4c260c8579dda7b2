"""A real Prometheus server, on a port of its own."""

import asyncio
import json
import math
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

INSTALL: Final = "needs Prometheus and promtool: apt-get install prometheus"
PROGRAM: Final = shutil.which("prometheus")
_POLL_SECONDS: Final = 0.1
_WAIT_SECONDS: Final = 30


class Sample(NamedTuple):
    """One series of an answer. NaN where there is no number."""

    labels: dict[str, str]
    value: float


class Server:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API. Raises `AssertionError` with what it says against the query."""
        try:
            with urllib.request.urlopen(
                f"{self._url}{path}?{urllib.parse.urlencode(parameters)}", timeout=10
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression: str) -> list[Sample]:
        """The answer of an instant query."""
        found = self.ask("/api/v1/query", query=expression)["result"]
        return [Sample(one["metric"], float(one["value"][1])) for one in found]

    def has_data(self, expression: str) -> bool:
        """Whether the answer has a number in it."""
        return any(not math.isnan(sample.value) for sample in self.query(expression))

    async def answer(self, expression: str) -> list[Sample]:
        """That of an instant query, asked until it is not empty, while the caller's event loop goes on."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while not (found := await asyncio.to_thread(self.query, expression)):
                await asyncio.sleep(_POLL_SECONDS / 2)
        return found


def wait_until(condition: Any, seconds: float) -> bool:
    """Ask until the answer is true; false when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def free_port() -> int:
    """Debian's Prometheus cannot tell which port it took, so it is given one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(configuration: Path, port: int | None = None) -> Iterator[Server]:
    """Prometheus on a port, with its data beside its configuration. Skips the test where it is not installed."""
    if PROGRAM is None:
        pytest.skip(INSTALL)
    port = port or free_port()
    log = configuration.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={configuration.parent / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=output,
        )
        try:
            server = Server(port)
            assert wait_until(lambda: process.poll() is not None or _is_ready(server), _WAIT_SECONDS), log.read_text()
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            process.kill()
            process.wait()


def _is_ready(server: Server) -> bool:
    with suppress(OSError, AssertionError):
        return bool(server.query("vector(1)"))
    return False
