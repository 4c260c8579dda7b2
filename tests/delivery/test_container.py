"""The container file, as far as that goes without an engine: its parts are run one by one."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from spanmill.config import read_configuration
from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import Collector, free_ports, storing_configuration
from tests.delivery.stored import when

_ROOT = Path(__file__).parents[2]
_IMAGE_PYTHON = "/opt/spanmill/bin/python"
_CAN_UNSHARE = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, capture_output=True).returncode == 0
)


def _instructions() -> list[tuple[str, str]]:
    """Pairs of an instruction and its argument, continued lines joined."""
    lines = (_ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in lines if line and not line.startswith("#")]


def _last(instruction: str) -> str:
    return [argument for name, argument in _instructions() if name == instruction][-1]


def _health_command() -> list[str]:
    command: list[str] = json.loads(_last("HEALTHCHECK").partition("CMD")[2])
    return command


def test_the_image_is_slim_and_runs_as_nobody_in_particular() -> None:
    assert all(argument.startswith("python:3.12-slim") for name, argument in _instructions() if name == "FROM")
    assert int(_last("USER")) > 1000


def test_data_is_on_a_volume_that_the_user_owns() -> None:
    home = re.search(r"--uid (\d+) .*--home-dir (\S+)", next(a for n, a in _instructions() if "useradd" in a))
    assert home is not None
    assert (home[1], home[2]) == (_last("USER"), _last("VOLUME"))
    assert f"SPANMILL_DATA={_last('VOLUME')}" in _last("ENV")


def test_no_shell_stands_between_the_engine_and_spanmill() -> None:
    assert json.loads(_last("ENTRYPOINT")) == ["/opt/spanmill/bin/spanmill"]
    assert json.loads(_last("CMD"))[:2] == ["run", "--config"]
    assert _last("STOPSIGNAL") == "SIGTERM"


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    allowed = {
        line[1:] for line in (_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    sources = [
        source
        for name, argument in _instructions()
        if name == "COPY" and "--from" not in argument
        for source in shlex.split(argument)[:-1]
    ]
    assert sources
    assert all((_ROOT / source).exists() and source in allowed for source in sources), sources


def test_the_ports_of_the_image_are_those_of_its_configuration() -> None:
    source = next(argument.split()[0] for name, argument in _instructions() if argument.endswith("config.yaml"))
    text, host = (_ROOT / source).read_text(encoding="utf-8"), re.escape("${env:SPANMILL_HOST:-localhost}")
    assert "SPANMILL_HOST=0.0.0.0" in _last("ENV")
    assert set(_last("EXPOSE").split()) == set(re.findall(rf"(?:0\.0\.0\.0|{host}):(\d+)", text))


def test_the_health_command_tells_a_ready_collector_from_none(tmp_path: Path) -> None:
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    assert _health_command()[0] == _IMAGE_PYTHON
    assert "127.0.0.1:13133/readyz" in _health_command()[2]
    command = [sys.executable, *(part.replace("13133", str(ports["health"])) for part in _health_command()[1:])]
    parquet = {"directory": str(tmp_path / "parquet")}
    with Collector(tmp_path, storing_configuration(ports, parquet=parquet), ports["health"]):
        assert subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0
    assert subprocess.run(command, check=False, capture_output=True, timeout=30).returncode != 0


@pytest.mark.skipif(not _CAN_UNSHARE, reason="the kernel does not let us make a PID namespace")
def test_as_process_1_spanmill_takes_sigterm_and_drains(tmp_path: Path) -> None:
    """Process 1 of a PID namespace gets no signal that it has no handler for, as in a container."""
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    parquet = {"directory": str(tmp_path / "parquet")}
    collector = Collector(tmp_path, storing_configuration(ports, parquet=parquet), ports["health"])
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "spanmill", "run", "--config"]
    with collector.log_path.open("wb") as log:
        outer = subprocess.Popen([*command, str(tmp_path / "config.yaml")], stdout=log, stderr=log, env=os.environ)
    try:
        when(lambda: "is ready" in collector.log())
        (inner,) = psutil.Process(outer.pid).children()
        assert _process_number_inside(inner.pid) == 1
        inner.send_signal(signal.SIGTERM)
        assert outer.wait(30) == ExitCode.OK
        assert "stopped" in collector.log()
    finally:
        outer.kill()
        outer.wait()


def _process_number_inside(pid: int) -> int:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("NSpid"))
    return int(line.split()[-1])


@pytest.mark.parametrize("name", ["gateway.yaml", "sidecar.yaml"])
def test_the_configuration_in_a_kubernetes_manifest_is_valid(name: str) -> None:
    documents: list[dict[str, Any]] = list(
        yaml.safe_load_all((_ROOT / "deploy" / "kubernetes" / name).read_text(encoding="utf-8"))
    )
    (configuration,) = (document["data"]["config.yaml"] for document in documents if document["kind"] == "ConfigMap")
    environment = {"POD_NAME": "app-1", "POD_NAMESPACE": "default"}
    warnings = read_configuration([f"yaml:{configuration}"], (), environment).warnings
    open_to_the_cluster = [f"receivers.otlp.protocols.{protocol}.endpoint" for protocol in ("grpc", "http")]
    assert [warning.path for warning in warnings] == (open_to_the_cluster if name == "gateway.yaml" else [])
