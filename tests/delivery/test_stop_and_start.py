"""Stopping loses nothing, whatever the exporters do; starting again goes on from there; nobody else may meanwhile."""

import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from spanmill.errors import SpanmillError
from spanmill.exit_codes import ExitCode
from spanmill.generate import Options, generate
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration
from spanmill.signal import Signal
from tests.delivery.stored import when

_TIMEOUT_SECONDS: Final = 2
_ENDING_SECONDS: Final = 2.0
"""What the end of a Python process may take beside that, on a busy machine."""
_ACCEPTED = re.compile(r'^otelcol_receiver_accepted_spans.*transport="(\w+)".* (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Running:
    """A collector and its ports."""

    collector: Collector
    ports: dict[str, int]

    def send(self, traces: int) -> None:
        """Send spans to it, and have every one of them acknowledged."""
        target = f"127.0.0.1:{self.ports['grpc']}"
        assert generate(Options(target, count=traces, rate=0, signals=frozenset({Signal.TRACES}))) == traces

    def accepted(self) -> dict[str, float]:
        """Spans accepted since it started, by transport."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5) as answer:
            return {transport: float(count) for transport, count in _ACCEPTED.findall(answer.read().decode())}

    def has_delivered_everything(self) -> bool:
        return own_page(self.ports["metrics"])["otelcol_exporter_queue_size"] == 0


def _made(directory: Path, ports: dict[str, int], journal: dict[str, Any], **exporters: Any) -> Running:
    directory.mkdir()
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True)) | ports
    configuration = storing_configuration(ports, **exporters)
    configuration["service"] |= {"shutdown_timeout": f"{_TIMEOUT_SECONDS}s", "journal": journal}
    # A receiver for each protocol: the same bytes that come by both ways at once are two requests.
    (receiver,) = configuration["receivers"].values()
    configuration["receivers"] = {
        f"otlp/{name}": {"protocols": {name: protocol}} for name, protocol in receiver["protocols"].items()
    }
    for pipeline in configuration["service"]["pipelines"].values():
        pipeline["receivers"] = list(configuration["receivers"])
    return Running(Collector(directory, configuration, ports["health"]), ports)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """Where everything is forwarded to, once over gRPC and once over HTTP. Not started."""
    ports = dict(zip(("grpc", "http"), free_ports(2), strict=True))
    # Without a window: what is sent twice is to be seen.
    made = _made(tmp_path / "gateway", ports, {"dedup_window": 0}, parquet={"directory": str(tmp_path / "parquet")})
    yield made
    made.collector.kill()


@pytest.fixture
def forwarder(tmp_path: Path, gateway: Running) -> Iterator[Running]:
    """A collector that forwards to the gateway and stores nothing itself. Not started."""
    retry = {"initial_interval": "50ms", "max_interval": "200ms"}
    made = _made(
        tmp_path / "forwarder",
        {},
        {},
        otlp_grpc={
            "endpoint": f"127.0.0.1:{gateway.ports['grpc']}",
            "tls": {"insecure": True},
            "retry_on_failure": retry,
        },
        otlp_http={"endpoint": f"http://127.0.0.1:{gateway.ports['http']}", "retry_on_failure": retry},
    )
    yield made
    made.collector.kill()


@pytest.mark.parametrize("sinks", ["refuse connections", "are silent"])
def test_sigterm_with_every_sink_down_ends_in_time_and_what_was_accepted_is_delivered_after_the_next_start(
    forwarder: Running, gateway: Running, sinks: str
) -> None:
    with ExitStack() as listening:
        if sinks == "are silent":
            for name in ("grpc", "http"):
                listening.enter_context(socket.create_server(("127.0.0.1", gateway.ports[name])))
        forwarder.collector.start()
        forwarder.send(20)
        (spans,) = forwarder.accepted().values()
        began = time.monotonic()
        assert forwarder.collector.stop() == ExitCode.OK, forwarder.collector.log()
        assert time.monotonic() - began < _TIMEOUT_SECONDS + _ENDING_SECONDS
    gateway.collector.start()
    forwarder.collector.start()
    when(forwarder.has_delivered_everything)
    assert gateway.accepted() == {"grpc": spans, "http": spans}


def test_a_restart_goes_on_where_the_last_run_stopped(forwarder: Running, gateway: Running) -> None:
    """Also for exporters that cannot say themselves what they have: after a clean stop nothing is sent twice."""
    gateway.collector.start()
    forwarder.collector.start()
    forwarder.send(5)
    (spans,) = forwarder.accepted().values()
    when(forwarder.has_delivered_everything)
    forwarder.collector.stop()
    forwarder.collector.start()
    forwarder.send(5)
    (more,) = forwarder.accepted().values()
    when(forwarder.has_delivered_everything)
    assert gateway.accepted() == {"grpc": spans + more, "http": spans + more}


def test_a_second_collector_on_the_same_journals_is_refused_and_told_whose_they_are(
    forwarder: Running, tmp_path: Path
) -> None:
    journals = tmp_path / "forwarder" / "data" / "journal"
    forwarder.collector.start()
    assert forwarder.collector.process is not None
    second = _made(tmp_path / "second", {}, {"directory": str(journals)}, debug={})
    try:
        with pytest.raises(SpanmillError) as refusal:
            second.collector.start()
    finally:
        second.collector.kill()
    assert second.collector.process is not None
    assert second.collector.process.returncode == ExitCode.START
    said = str(refusal.value)
    assert "Traceback" not in said
    assert f"service.journal: cannot start: {journals} is in use by another collector" in said
    assert f"process {forwarder.collector.process.pid}" in said
    forwarder.send(1)


def test_journals_are_for_their_owner_alone(forwarder: Running, tmp_path: Path) -> None:
    forwarder.collector.start()
    forwarder.send(1)
    journals = tmp_path / "forwarder" / "data" / "journal"
    found = [journals, *journals.rglob("*")]
    assert any(path.suffix == ".segment" for path in found)
    assert [path for path in found if path.stat().st_mode & 0o077] == []
