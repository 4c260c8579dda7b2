"""A collector in a process of its own, on free ports and in a directory of its own: for demo, tests, benchmarks."""

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from spanmill.errors import SpanmillError

_POLL_SECONDS: Final = 0.01
_READY_SECONDS: Final = 30.0
_LISTENERS_PORTS: Final = range(10_000, 32_768)
"""Below those that clients are given: Linux's begin after the last (`ip_local_port_range`), other systems' later."""


def free_ports(count: int) -> list[int]:
    """Ports of localhost on which nobody listens at this moment.

    None that the system gives to clients: one of them could have it when the collector starts, or starts again; and a
    client that tries to reach a collector that is down could reach itself.
    """
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = secrets.choice(_LISTENERS_PORTS)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found


def own_page(port: int) -> dict[str, float]:
    """A collector's own metrics by name, without `_total`, each added up over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    values: dict[str, float] = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0].removesuffix("_total")
            values[name] = values.get(name, 0.0) + float(line.rpartition(" ")[2])
    return values


class Collector:
    """`spanmill run` on a configuration whose listeners are `ports`; everything it writes is under `directory`.

    Used as a context manager: entering waits until the health check says ready, leaving stops it with SIGTERM.
    """

    def __init__(
        self,
        directory: Path,
        configuration: Mapping[str, Any],
        health_port: int,
        program: Sequence[str] = ("-m", "spanmill"),
    ) -> None:
        """`program`: what Python runs, before `run --config FILE`."""
        self.directory = directory
        self.log_path = directory / "spanmill.log"
        self.start_seconds = 0.0
        """From the start of the process until it was ready."""
        self.process: subprocess.Popen[bytes] | None = None
        self._health_port = health_port
        self._program = program
        self._config_path = directory / "config.yaml"
        self._config_path.write_text(yaml.safe_dump(dict(configuration), sort_keys=False), encoding="utf-8")

    def start(self) -> None:
        """Start, and wait until it is ready. Raises `SpanmillError` with its log when it ends instead."""
        began = time.monotonic()
        process = self.spawn()
        while self._probe("/") != http.client.OK:
            if process.poll() is not None or time.monotonic() - began > _READY_SECONDS:
                self.kill()
                raise SpanmillError(f"the collector did not start:\n{self.log()}")
            time.sleep(_POLL_SECONDS)
        self.start_seconds = time.monotonic() - began

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start without waiting for anything."""
        command = [sys.executable, *self._program, "run", "--config", str(self._config_path)]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )
        return self.process

    def stop(self, number: int = signal.SIGTERM, timeout_seconds: float = 60.0) -> int:
        """Send a signal and wait until the process has ended; its exit code. Safe twice."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_seconds)

    def kill(self) -> None:
        """End it at once. Safe twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self.kill()

    def _probe(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._health_port, timeout=1.0)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


def storing_configuration(ports: Mapping[str, int], **exporters: Any) -> dict[str, Any]:
    """A configuration for `ports` `grpc`, `http`, `health` and `metrics`, with every exporter in every pipeline.

    The prometheus exporter is put into the metrics pipeline alone.
    """
    everywhere = [name for name in exporters if name != "prometheus"]
    pipelines = {
        signal_name: {
            "receivers": ["otlp"],
            "exporters": [
                *everywhere,
                *(["prometheus"] if signal_name == "metrics" and "prometheus" in exporters else []),
            ],
        }
        for signal_name in ("traces", "metrics", "logs")
    }
    return {
        "receivers": {
            "otlp": {
                "protocols": {name: {"endpoint": f"127.0.0.1:{ports[name]}"} for name in ("grpc", "http")},
            }
        },
        "exporters": exporters,
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{ports['health']}"}},
        "service": {
            "extensions": ["health_check"],
            "telemetry": {"metrics": {"address": f"127.0.0.1:{ports['metrics']}"}},
            "pipelines": pipelines,
        },
    }


def _environment() -> dict[str, str]:
    """Ours, without what would change where an SDK or a proxy sends things."""
    return {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
