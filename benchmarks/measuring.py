"""What the operating system says about the collector's process while the client process sends."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import payloads
from client import Sent

from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration

_TICKS = os.sysconf("SC_CLK_TCK")
_AT_ONCE, _BYTES_AT_ONCE = 16, 32 * 1024 * 1024
_FILE_BYTES = 64 * 1024 * 1024
"""Most bytes of different requests; the client sends them round and round."""


@dataclass(frozen=True)
class Case:
    """A load: the protocol, spans in a request, bytes of a span, and how many requests."""

    protocol: str
    spans: int
    span_bytes: int
    requests: int

    @property
    def total_spans(self) -> int:
        return self.spans * self.requests


@dataclass(frozen=True)
class Measured:
    """The server's CPU from the first request until every span is written, and the peak of its resident memory."""

    cpu_seconds: float
    peak_mib: float
    seconds: float

    def microseconds_per_span(self, case: Case) -> float:
        return self.cpu_seconds * 1e6 / case.total_spans


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads (/proc/<pid>/stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, key: str) -> float:
    """`VmRSS` or `VmHWM` (its peak) of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


@contextmanager
def collector(
    directory: Path,
    journal: Mapping[str, Any] | None = None,
    program: Sequence[str] = ("-m", "spanmill"),
    **exporters: Any,
) -> Iterator[tuple[Collector, dict[str, int]]]:
    """A running collector and its ports; without exporters, one that writes Parquet under `directory`/parquet.

    `journal`: the block `service.journal`. `program`: see `Collector`.
    """
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    exporters = exporters or {"parquet": {"directory": str(directory / "parquet"), "max_age": "2s"}}
    configuration = storing_configuration(ports, **exporters)
    configuration["service"]["journal"] = dict(journal or {})
    with Collector(directory, configuration, ports["health"], program) as running:
        yield running, ports


def case_requests(case: Case, seed: int = 0) -> list[bytes]:
    """Different requests for a case, as many as fit in memory nicely."""
    different = max(1, min(case.requests, _FILE_BYTES // (case.spans * case.span_bytes), 200))
    random = Random(seed)
    return [payloads.request(random, case.spans, case.span_bytes) for _ in range(different)]


def measure(case: Case, directory: Path) -> Measured:
    """Start a collector, warm it up, send the case, wait until everything is delivered."""
    file = directory / "requests.bin"
    payloads.write_requests(file, case_requests(case))
    at_once = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // (case.spans * case.span_bytes)))
    with collector(directory) as (running, ports):
        assert running.process is not None
        pid, target = running.process.pid, f"127.0.0.1:{ports[case.protocol]}"
        warm_up = min(20, case.requests)
        send(case.protocol, target, file, str(warm_up), at_once)
        wait_until_sent(ports["metrics"], warm_up * case.spans)
        before = cpu_seconds(pid)
        sent = send(case.protocol, target, file, str(case.requests), at_once)
        wait_until_sent(ports["metrics"], (warm_up + case.requests) * case.spans)
        return Measured(cpu_seconds(pid) - before, memory_mib(pid, "VmHWM"), sent.seconds)


def send(protocol: str, target: str, file: Path, until: str, at_once: int, rate: float = 0.0) -> Sent:
    """Send from a process of its own; see `client`."""
    client = Path(__file__).with_name("client.py")
    command = [sys.executable, str(client), protocol, target, str(file), until, str(at_once), str(rate)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Sent(**json.loads(done.stdout))


def wait_until_sent(port: int, spans: float, timeout_seconds: float = 120.0) -> None:
    """Wait until the exporter has delivered so many spans, by the collector's own page."""
    deadline = time.monotonic() + timeout_seconds
    while (sent := sent_spans(port)) < spans:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sent:.0f} of {spans:.0f} spans were delivered")
        time.sleep(0.05)


def sent_spans(port: int) -> float:
    """Spans that the exporters have delivered."""
    return own_page(port).get("otelcol_exporter_sent_spans", 0.0)


@contextmanager
def working_directory() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name:
        yield Path(name)
