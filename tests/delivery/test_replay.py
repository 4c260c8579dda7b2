"""`spanmill replay` as a process, out of a collector that runs and into another."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spanmill.exit_codes import ExitCode
from spanmill.generate import Options, generate
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration
from tests.delivery.stored import differences, from_parquet, when

TRACES = 20
SERVICES = ("shop-assistant", "concierge")


@dataclass(frozen=True)
class Site:
    """A running collector that stores Parquet, and keeps everything in its journal for a peer that is down."""

    directory: Path
    ports: dict[str, int]

    @property
    def parquet(self) -> Path:
        return self.directory / "parquet"

    def rows(self, table: str) -> list[dict[str, object]]:
        read = from_parquet(self.parquet)
        return [row for service in SERVICES for row in read(table, service)]

    def value(self, name: str) -> float:
        """A number of its own page."""
        return own_page(self.ports["metrics"]).get(name, 0.0)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    made = [_site(tmp_path / name) for name in ("first", "second")]
    with made[0][1], made[1][1]:
        yield made[0][0], made[1][0]


def _site(directory: Path) -> tuple[Site, Collector]:
    directory.mkdir()
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    exporters = {
        "parquet": {"directory": str(directory / "parquet"), "max_age": "300ms"},
        "otlp_http": {"endpoint": f"http://127.0.0.1:{free_ports(1)[0]}"},
    }
    return Site(directory, ports), Collector(directory, storing_configuration(ports, **exporters), ports["health"])


def spanmill_replay(*arguments: object) -> str:
    command = [sys.executable, "-m", "spanmill", "replay", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    return done.stdout


def test_a_journal_and_its_parquet_files_bring_the_same_rows_to_another_collector(sites: tuple[Site, Site]) -> None:
    """And requests that come again are stored once."""
    first, second = sites
    generate(Options(f"127.0.0.1:{first.ports['grpc']}", count=TRACES, rate=0))
    when(lambda: len({row["trace_id"] for row in first.rows("spans")}) == TRACES)
    when(
        lambda: (
            first.value("otelcol_exporter_sent_log_records") > 0 < first.value("otelcol_exporter_sent_metric_points")
        )
    )
    target = f"http://127.0.0.1:{second.ports['http']}"
    said = [spanmill_replay(first.directory / "data" / "journal", "--to", target) for _ in range(2)]
    assert said[0] == said[1]
    expected = {table: first.rows(table) for table in ("spans", "logs", "metrics")}
    for table, rows in expected.items():
        when(lambda table=table, rows=rows: len(second.rows(table)) >= len(rows))  # type: ignore[misc]
        assert differences(second.rows(table), rows) == []
    assert second.value("spanmill_intake_duplicate_requests") > 0

    spanmill_replay(first.parquet, "--to", f"127.0.0.1:{second.ports['grpc']}", "--insecure")
    for table, rows in expected.items():
        when(lambda table=table, rows=rows: len(second.rows(table)) >= 2 * len(rows))  # type: ignore[misc]
        assert differences(second.rows(table), rows * 2) == []
