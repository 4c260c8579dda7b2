"""A real Prometheus with the rules that are shipped, which watches a collector of its own once a second."""

import json
import math
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.deploy.shipped import PROMETHEUS, RULE_FILES

_POLL_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 30


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


def wait_until(condition: Any, seconds: float) -> bool:
    """Ask until the answer is true; false when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def configure(directory: Path, targets: dict[str, int]) -> Path:
    """The shipped configuration, with `targets` (ports by job) in place of its own, everything once a second."""
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert [job["job_name"] for job in shipped["scrape_configs"]] == list(targets)
    for job in shipped["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    shipped["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (directory / "rules").mkdir()
    for path in RULE_FILES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
        (directory / "rules" / path.name).write_text(yaml.safe_dump(rules))
    configuration = directory / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(shipped))
    return configuration


@contextmanager
def running(program: str, configuration: Path, port: int) -> Iterator[Server]:
    """Prometheus on a port, with its data beside its configuration."""
    log = configuration.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={configuration.parent / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=output,
        )
        try:
            server = Server(port)
            assert wait_until(lambda: process.poll() is not None or _is_ready(server), 30), log.read_text()
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _is_ready(server: Server) -> bool:
    with suppress(OSError, AssertionError):
        return bool(server.query("vector(1)"))
    return False
