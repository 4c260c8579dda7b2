"""Every file in `pipelines/`, and the example configuration, runs as it stands and delivers what it is sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from spanmill.config import read_configuration
from spanmill.exit_codes import ExitCode
from spanmill.generate import Options, generate
from spanmill.generate.collector import Collector, free_ports, storing_configuration
from spanmill.signal import Signal

_ROOT = Path(__file__).parents[2]
FILES = [*sorted(_ROOT.glob("pipelines/*.yaml")), _ROOT / "config.example.yaml"]


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[int]:
    """The gRPC port of a collector that those files forward to which forward."""
    directory = tmp_path / "gateway"
    directory.mkdir()
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    configuration = storing_configuration(ports, parquet={"directory": str(directory / "parquet")})
    with Collector(directory, configuration, ports["health"]):
        yield ports["grpc"]


def _on_free_ports(configuration: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    """The same configuration where nobody else listens, with its gRPC and health ports."""
    grpc, http, health, own = free_ports(4)
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}
    written = (configuration["receivers"]["otlp"] or {}).get("protocols") or {}
    for name, body in protocols.items():
        if auth := (written.get(name) or {}).get("auth"):
            body["auth"] = auth
    configuration["receivers"]["otlp"] = {"protocols": protocols}
    configuration["extensions"]["health_check"] = {"endpoint": f"127.0.0.1:{health}"}
    telemetry = configuration["service"].setdefault("telemetry", {})
    pages = [body for name, body in configuration["exporters"].items() if name.partition("/")[0] == "prometheus"]
    shared = [body for body in pages if body["endpoint"] == telemetry.get("metrics", {}).get("address")]
    for page, port in zip(pages, free_ports(len(pages)), strict=True):
        page["endpoint"] = f"127.0.0.1:{port}"
    telemetry["metrics"] = {"address": shared[0]["endpoint"] if shared else f"127.0.0.1:{own}"}
    return configuration, grpc, health


def test_the_file_is_valid_without_a_warning(path: Path) -> None:
    assert read_configuration([str(path)], (), {}).warnings == ()


def test_the_file_says_what_it_shows_how_to_run_it_and_what_to_see(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n\n", 1)[0]
    if path.parent.name == "pipelines":
        assert all(f"# {word}: " in head for word in ("Shows", "Run", "See")), head
        assert f"--config pipelines/{path.name}" in head


def test_the_file_runs_and_delivers_what_it_is_sent(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("tokens").write_text("team-a: s3cret\n")
    tmp_path.joinpath("pii.key").write_text(f"{'0123456789abcdef' * 4}\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret")
    configuration, grpc, health = _on_free_ports(yaml.safe_load(path.read_text(encoding="utf-8")))
    if "otlp_grpc" in configuration["exporters"]:
        configuration["exporters"]["otlp_grpc"]["endpoint"] = f"127.0.0.1:{request.getfixturevalue('gateway')}"
    signals = frozenset(Signal(name.partition("/")[0]) for name in configuration["service"]["pipelines"])
    collector = Collector(tmp_path, configuration, health)
    try:
        collector.start()
        generate(Options(f"127.0.0.1:{grpc}", count=100, rate=0, signals=signals))
        assert collector.stop() == ExitCode.OK
    finally:
        collector.kill()
    report = [json.loads(line[line.index("{") :]) for line in collector.log().splitlines() if '"exporter":' in line]
    assert {line["exporter"] for line in report} == set(configuration["exporters"])
    assert all(line["sent"] > 0 and line["failed"] == line["lost"] == 0 for line in report), report
