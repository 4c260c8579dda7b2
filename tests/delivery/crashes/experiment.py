"""One sender, one set of directories, and one collector after another on them, none of which ends in peace."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from spanmill.errors import SpanmillError
from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration
from tests.delivery.crashes.oracle import End, Verdict, judge

_ROOT = Path(__file__).parents[3]
_EARLY: Final = 0.25
"""How often a run is cut short while it is still starting."""
_STARTING_SECONDS: Final = 1.2
_RUNNING_SECONDS: Final = (0.02, 1.2)
_SETTLING_SECONDS: Final = 60.0


def restless_configuration(
    ports: Mapping[str, int], data: Path, journal: Mapping[str, Any], max_age: str
) -> dict[str, Any]:
    """Everything that happens now and then in a collector's life happens several times a second in this one."""
    compaction = {"interval": "300ms", "min_files": 3, "target_size_mib": 1, "grace": "500ms"}
    configuration = storing_configuration(
        ports,
        parquet={
            "directory": str(data / "parquet"),
            "target_size_mib": 1,
            "max_age": max_age,
            "compaction": compaction,
        },
        duckdb={"path": str(data / "spanmill.duckdb"), "max_age": max_age, "compaction": compaction},
    )
    small = {"directory": str(data / "journal"), "segment_size_mib": 1, "max_size_mib": 64, "min_free_disk_mib": 16}
    configuration["service"]["journal"] = {**small, **journal}
    return configuration


def with_tail_sampling(configuration: dict[str, Any]) -> dict[str, Any]:
    """Every trace is kept, after a wait that kills fall into, with little memory and few decisions remembered."""
    cache = {"sampled_cache_size": 200, "non_sampled_cache_size": 0}
    keeps_all = {"name": "all", "type": "always_sample"}
    sampler = {"policies": [keeps_all], "decision_wait": "300ms", "memory_size_mib": 1, "decision_cache": cache}
    configuration.setdefault("processors", {})["tail_sampling"] = sampler
    for name, pipeline in configuration["service"]["pipelines"].items():
        if name.startswith("traces"):
            pipeline.setdefault("processors", []).append("tail_sampling")
    return configuration


class Experiment:
    """`data` holds what a collector writes and may be a disk that fails; `outside` everything else."""

    def __init__(
        self,
        outside: Path,
        data: Path,
        seed: int,
        *,
        journal: Mapping[str, Any] | None = None,
        max_age: str = "200ms",
        sampling: bool = False,
    ) -> None:
        self.random = Random(seed)
        self.ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
        self.ends: list[End] = []
        """Of each run that was cut short."""
        self._outside, self._data, self._seed = outside, data, seed
        self._configuration = restless_configuration(self.ports, data, journal or {}, max_age)
        if sampling:
            with_tail_sampling(self._configuration)
        self._collector: Collector | None = None
        self._sender: subprocess.Popen[bytes] | None = None

    def run(self, end: Callable[[Collector], None]) -> None:
        """One cycle: start a collector and, at a random moment of its start or of its life, end it."""
        collector = self._next()
        if self.random.random() < _EARLY:
            collector.spawn()
            time.sleep(self.random.uniform(0, _STARTING_SECONDS))
        else:
            collector.start()
            time.sleep(self.random.uniform(*_RUNNING_SECONDS))
        began = time.time()
        end(collector)
        self.ends.append(End(began, time.time()))

    def settle(self) -> Verdict:
        """Start a last time, see that it takes and delivers everything, stop in peace, and compare."""
        before = self._ledger.stat().st_size if self._ledger.exists() else 0
        collector = self._next()
        collector.start()
        self._until(lambda: b"acknowledged" in self._ledger.read_bytes()[before:], "nobody is answered any more")
        self._stop_sending()
        self._until(self._delivered, "what was accepted is not delivered")
        code = collector.stop()
        if code != ExitCode.OK:
            raise SpanmillError(f"the collector ended with {code}:\n{collector.log()}")
        return judge(self._ledger, self._data / "parquet", self._data / "spanmill.duckdb")

    def explain(self, verdict: Verdict) -> str:
        """A verdict with what is needed to look further."""
        head = f"seed {self._seed}, {len(self.ends)} runs cut short; logs and ledger in {self._outside}"
        return f"{head}\n{verdict.report(self.ends)}"

    def __enter__(self) -> Self:
        ports = [f"--{name}={self.ports[name]}" for name in ("grpc", "http")]
        command = [sys.executable, "-m", "tests.delivery.crashes.client", *ports]
        with (self._outside / "sender.log").open("wb") as log:
            self._sender = subprocess.Popen(
                [*command, f"--ledger={self._ledger}", f"--seed={self._seed}"],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stderr=log,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stop_sending()
        finally:
            if self._collector is not None:
                self._collector.kill()

    @property
    def _ledger(self) -> Path:
        return self._outside / "ledger"

    def _next(self) -> Collector:
        directory = self._outside / f"run-{len(self.ends) + 1:04d}"
        directory.mkdir()
        self._collector = Collector(directory, self._configuration, self.ports["health"])
        return self._collector

    def _stop_sending(self) -> None:
        sender = self._sender
        if sender is None:
            return
        self._sender = None
        assert sender.stdin is not None
        sender.stdin.close()
        try:
            code = sender.wait(_SETTLING_SECONDS)
        finally:
            sender.kill()
            sender.wait()
        if code != 0:
            raise SpanmillError(f"the sender failed:\n{(self._outside / 'sender.log').read_text()}")

    def _delivered(self) -> bool:
        try:
            page = own_page(self.ports["metrics"])
        except OSError:
            return False
        return page["otelcol_exporter_queue_size"] + page.get("spanmill_tail_sampling_journal_bytes", 0) == 0

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _SETTLING_SECONDS
        while not condition():
            collector = self._collector
            assert collector is not None
            if time.monotonic() > deadline or collector.process is None or collector.process.poll() is not None:
                raise SpanmillError(f"{otherwise} (seed {self._seed}):\n{collector.log()}")
            time.sleep(0.02)
