"""The daemon as a process: how it starts, stops, and fails to start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spanmill.errors import SpanmillError
from spanmill.exit_codes import ExitCode
from spanmill.generate import Options, Protocol, generate
from spanmill.generate.collector import Collector, free_ports, storing_configuration
from tests.delivery.stored import from_parquet

_TRACES = 50


@pytest.fixture
def ports() -> dict[str, int]:
    return dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))


@pytest.fixture
def collector(tmp_path: Path, ports: dict[str, int]) -> Iterator[Collector]:
    """A collector that keeps rows for an hour before it writes a file, unless it is told to stop."""
    exporters = {"parquet": {"directory": str(tmp_path / "parquet"), "max_age": "1h"}}
    made = Collector(tmp_path, storing_configuration(ports, **exporters), ports["health"])
    yield made
    made.kill()


def test_the_daemon_is_ready_soon(collector: Collector) -> None:
    """The aim is one second on a quiet machine; a busy one gets more, and not so much that a wait could hide."""
    collector.start()
    assert collector.start_seconds < 5.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_delivers_what_was_accepted_and_exits_with_0(
    collector: Collector, ports: dict[str, int], tmp_path: Path, number: signal.Signals
) -> None:
    collector.start()
    generate(Options(f"127.0.0.1:{ports['grpc']}", count=_TRACES, rate=0))
    assert collector.stop(number) == ExitCode.OK
    stored = from_parquet(tmp_path / "parquet")
    traces = {row["trace_id"] for name in ("shop-assistant", "concierge") for row in stored("spans", name)}
    assert len(traces) == _TRACES


def test_the_daemon_reports_at_the_end_what_it_delivered(collector: Collector, ports: dict[str, int]) -> None:
    collector.start()
    generate(Options(f"127.0.0.1:{ports['http']}", Protocol.HTTP_PROTOBUF, count=5, rate=0))
    collector.stop()
    (line,) = [line for line in collector.log().splitlines() if '"exporter": "parquet"' in line]
    fields = json.loads(line[line.index("{") :])
    assert fields["sent"] > 0
    assert (fields["failed"], fields["lost"]) == (0, 0)


def test_the_last_word_is_that_it_has_stopped(tmp_path: Path, ports: dict[str, int]) -> None:
    """Libraries must not complain while the interpreter takes them down; DuckDB's bindings would, of leaks."""
    exporters = {"parquet": {"directory": str(tmp_path / "parquet")}, "duckdb": {"path": str(tmp_path / "x.duckdb")}}
    collector = Collector(tmp_path, storing_configuration(ports, **exporters), ports["health"])
    try:
        collector.start()
        assert collector.stop() == ExitCode.OK
        assert "stopped" in collector.log().splitlines()[-1]
    finally:
        collector.kill()


def test_a_port_in_use_names_the_component_exits_with_3_and_leaves_nothing_running(
    collector: Collector, ports: dict[str, int]
) -> None:
    with (
        socket.create_server(("127.0.0.1", ports["http"])),
        pytest.raises(SpanmillError, match=r"otlp.*cannot start.*" + str(ports["http"])),
    ):
        collector.start()
    assert collector.process is not None
    assert collector.process.returncode == ExitCode.START
    assert "Traceback" not in collector.log()
    for name in ("grpc", "health", "metrics"):
        socket.create_server(("127.0.0.1", ports[name])).close()


def test_an_invalid_configuration_exits_with_1_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("receivers: {otlp: {protocoles: {}}}\n")
    command = [sys.executable, "-m", "spanmill", "run", "--config", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == ExitCode.CONFIG
    assert f"{path}:1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_daemon_starts_no_other_process_and_its_health_check_says_ready(
    collector: Collector, ports: dict[str, int]
) -> None:
    collector.start()
    assert collector.process is not None
    assert psutil.Process(collector.process.pid).children(recursive=True) == []
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['health']}/", timeout=5) as answer:
        assert answer.status == 200


def test_two_stop_signals_end_the_daemon_even_if_it_is_still_draining(collector: Collector) -> None:
    collector.start()
    assert collector.process is not None
    collector.process.send_signal(signal.SIGTERM)
    collector.process.send_signal(signal.SIGTERM)
    assert collector.process.wait(10) in (ExitCode.OK, ExitCode.UNDELIVERED)


def test_an_export_that_hangs_does_not_keep_the_daemon_from_ending(tmp_path: Path, ports: dict[str, int]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # somebody who never reads: the pipe takes 64 KiB
    configuration = storing_configuration(ports, file={"path": str(pipe), "flush_interval": "10ms"})
    configuration["service"]["shutdown_timeout"] = "1s"
    collector = Collector(tmp_path, configuration, ports["health"])
    try:
        collector.start()
        generate(Options(f"127.0.0.1:{ports['grpc']}", count=200, rate=0))
        began = time.monotonic()
        assert collector.stop() == ExitCode.OK
        assert time.monotonic() - began < 15.0
    finally:
        collector.kill()
        os.close(reader)
    assert "ending without threads that hang" in collector.log()
