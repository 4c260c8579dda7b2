"""A collector with little memory, senders in processes of their own, and everything that is known about them after."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import psutil

from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration
from spanmill.query.source import stored_files
from spanmill.schema import TABLES
from spanmill.signal import Signal
from tests.delivery.overload.sender import Account, Plan

_ROOT = Path(__file__).parents[3]
_SAMPLE_SECONDS: Final = 0.02
_END_SECONDS: Final = 60.0


class Experiment:
    """A context manager: entering starts the collector, leaving ends everything."""

    def __init__(self, directory: Path, *, limit_mib: int = 0, journal: Mapping[str, Any] | None = None) -> None:
        self.ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
        self.peak_bytes = 0
        """Most resident memory since the start."""
        self.idle_bytes = 0
        self._parquet = directory / "parquet"
        configuration = storing_configuration(self.ports, parquet={"directory": str(self._parquet), "max_age": "1s"})
        if limit_mib:
            configuration["processors"] = {"memory_limiter": {"check_interval": "1s", "limit_mib": limit_mib}}
            for pipeline in configuration["service"]["pipelines"].values():
                pipeline["processors"] = ["memory_limiter"]
        configuration["service"]["journal"] = {"directory": str(directory / "journal"), **(journal or {})}
        self.collector = Collector(directory, configuration, self.ports["health"])
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="memory sampler")
        self._stack = ExitStack()

    def sender(self, plan: Plan) -> "SenderProcess":
        """A sender that waits until it is told to begin."""
        return self._stack.enter_context(SenderProcess(plan))

    def plan(self, kind: str, number: int, protocol: str, source: str, **details: Any) -> Plan:
        return Plan(kind, number, protocol, self.ports[protocol], source, **details)

    def metrics(self) -> dict[str, float]:
        return own_page(self.ports["metrics"])

    def stored(self, accounts: Sequence[tuple[Plan, Account]]) -> "Stored":
        """Stop in peace, and compare what is stored with what was taken."""
        code = self.collector.stop()
        assert code == ExitCode.OK, self.collector.log()
        files = [str(file) for file in stored_files(self._parquet, TABLES[Signal.TRACES])]
        with duckdb.connect() as connection:
            ids = connection.execute("SELECT span_id FROM read_parquet(?)", [files]).fetchall()
        found = [int(text, 16) for (text,) in ids]
        taken = {
            first + number for plan, account in accounts for first in account.taken for number in range(plan.spans)
        }
        unheard = {
            first + number for plan, account in accounts for first in account.unheard for number in range(plan.spans)
        }
        return Stored(found, taken, unheard)

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.collector)
        except BaseException:
            self._stack.close()
            raise
        assert self.collector.process is not None
        self._process = psutil.Process(self.collector.process.pid)
        self.idle_bytes = self._process.memory_info().rss
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
        self._stack.close()

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            try:
                self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
            except psutil.NoSuchProcess:
                return


class Stored:
    """Span ids."""

    def __init__(self, found: list[int], taken: set[int], unheard: set[int]) -> None:
        distinct = set(found)
        self.found = len(distinct)
        self.twice = len(found) - len(distinct)
        self.lost = len(taken - distinct)
        self.never_taken = len(distinct - taken - unheard)


class SenderProcess:
    """A running sender. A context manager: leaving ends it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        command = [sys.executable, "-m", "tests.delivery.overload.sender", json.dumps(asdict(plan))]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def begin(self) -> None:
        """Have it send, as soon as it is ready."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Have it send nothing more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None

    def account(self) -> Account:
        """What became of its requests; waits until the last is answered."""
        if self._process.stdin is not None:
            self.end()
        out, errors = self._process.communicate(timeout=_END_SECONDS)
        assert self._process.returncode == 0, errors
        return Account(**json.loads(out))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def pause(seconds: float) -> None:
    """Let the senders send."""
    time.sleep(seconds)
