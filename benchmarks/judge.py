"""What a judge costs those who send: a real collector with llm_judge beside one without, at shares of 1 and 5 %.

    python benchmarks/judge.py [--rounds 4] [--requests 4000]

Both run at the same time, with gen_ai_normalizer and Parquet, and both are sent the same 400,000 calls of a model
(1.3 KB each, 100 in a request) as fast as they take them over gRPC: whatever else the machine does befalls both. The
judge asks `relevance` of a model in another process that answers in 200 ms, four at a time. Before that come 100,000
other calls: a daemon that has just begun is not busy yet, and at 5 % the judge's queue is full then.

When the first of the two has everything, what both took in until then and the CPU that they used for it are compared:
the median of the rounds, and its standard error. Two collectors without a judge are compared in the same way, so that
it is seen what the measurement itself is worth; all have the same addresses, or that would be 3 % in a round. What a
verdict takes is measured behind it, while nothing is sent.

The aim is less than 2 % at either share.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import payloads
from aiohttp import web
from measuring import cpu_seconds, lay_out_alike, send
from rich.console import Console
from rich.table import Table

from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration

SHARES = (0.0, 0.01, 0.05)
_SPANS, _AT_ONCE, _WARM_UP = 100, 8, 1_000
_ANSWER_SECONDS = 0.2
_ALONE_SECONDS = 5.0


@dataclass(frozen=True)
class Measured:
    """One round: a collector with a judge over one without."""

    cpu: float
    """Of a span, as a ratio."""
    spans: float
    """Taken in, as a ratio."""
    spans_per_second: float
    """Of the one without."""
    cpu_us: float
    """Its microseconds of CPU for a span."""
    verdicts_per_second: float
    verdict_ms: float
    """Milliseconds of CPU for one when nothing is sent."""


@dataclass(frozen=True)
class Load:
    """What is sent, and what before that."""

    file: Path
    requests: int
    before: Path


class Side:
    """One of the two."""

    def __init__(self, collector: Collector, ports: Mapping[str, int]) -> None:
        assert collector.process is not None
        self.pid, self.page, self._target = collector.process.pid, ports["metrics"], f"127.0.0.1:{ports['grpc']}"
        self._cpu = self._spans = self._verdicts = 0.0

    def send(self, file: Path, requests: int) -> None:
        send("grpc", self._target, file, str(requests), _AT_ONCE)

    def begin(self) -> None:
        self._cpu, self._spans, self._verdicts = cpu_seconds(self.pid), self._taken_in(), verdicts(self.page)

    def so_far(self) -> tuple[float, float, float]:
        """Seconds of CPU, spans and verdicts since then."""
        now = cpu_seconds(self.pid), self._taken_in(), verdicts(self.page)
        return now[0] - self._cpu, now[1] - self._spans, now[2] - self._verdicts

    def _taken_in(self) -> float:
        return own_page(self.page).get("otelcol_receiver_accepted_spans", 0.0)


def configuration(directory: Path, ports: Mapping[str, int], share: float, model: str) -> dict[str, Any]:
    made = storing_configuration(ports, parquet={"directory": str(directory / "parquet"), "max_age": "60s"})
    made["service"]["journal"] = {"directory": str(directory / "journal")}
    made["processors"] = {"gen_ai_normalizer": None}
    if share:
        made["processors"]["llm_judge"] = {
            "model": {"model": "gpt-4o-mini", "base_url": model},
            "evaluators": ["relevance"],
            "share": share,
        }
    made["service"]["pipelines"]["traces"]["processors"] = list(made["processors"])
    return made


@contextmanager
def running(share: float, model: str) -> Iterator[Side]:
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name:
        made = configuration(Path(name), ports, share, model)
        with Collector(Path(name), made, ports["health"]) as collector:
            yield Side(collector, ports)


def measure(load: Load, share: float, model: str, *, judged_first: bool) -> Measured:
    with ExitStack() as stack:
        shares = (share, 0.0) if judged_first else (0.0, share)
        sides = [stack.enter_context(running(each, model)) for each in shares]
        judged, plain = sides if judged_first else sides[::-1]
        threads = stack.enter_context(ThreadPoolExecutor(2))
        list(threads.map(lambda side: side.send(load.before, _WARM_UP), sides))
        for side in sides:
            side.begin()
        began = time.monotonic()
        wait([threads.submit(side.send, load.file, load.requests) for side in sides], return_when=FIRST_COMPLETED)
        seconds = time.monotonic() - began
        (cpu, spans, found), (plain_cpu, plain_spans, _) = judged.so_far(), plain.so_far()
        threads.shutdown()
        alone = verdict_ms(judged) if share else 0.0
    return Measured(
        cpu / spans / (plain_cpu / plain_spans), spans / plain_spans, plain_spans / seconds,
        plain_cpu * 1e6 / plain_spans, found / seconds, alone,
    )  # fmt: skip


def verdict_ms(side: Side) -> float:
    """While nothing is sent, and the judge works off its queue; without what a daemon that does nothing takes."""
    time.sleep(_ALONE_SECONDS)  # what was sent is stored
    side.begin()
    time.sleep(_ALONE_SECONDS)
    cpu, _, found = side.so_far()
    return cpu * 1e3 / max(1.0, found)


def verdicts(page: int) -> float:
    return own_page(page).get("spanmill_llm_judge_lag_count", 0.0)


@contextmanager
def model_server() -> Iterator[str]:
    """A model in a process of its own; its base URL."""
    command = [sys.executable, __file__, "--model-server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.terminate()


async def serve() -> None:
    """Answers every question after a while; prints its port."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(_ANSWER_SECONDS)
        message = {"role": "assistant", "content": '{"reasoning": "It answers the question.", "score": 4}'}
        usage = {"prompt_tokens": 900, "completion_tokens": 30}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return web.json_response({"id": "1", "model": "gpt-4o-mini", "choices": choices, "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--json", action="store_true", help="print each run too")
    parser.add_argument("--model-server", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model_server:
        asyncio.run(serve())
        return
    lay_out_alike()
    runs: dict[float, list[Measured]] = {share: [] for share in SHARES}
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name, model_server() as model:
        load, random = Load(Path(name) / "requests.bin", options.requests, Path(name) / "before.bin"), Random(0)
        # Of now: the judge's own spans go into the same files.
        start = time.time_ns() - 1_000 * 10**9
        for file, count in ((load.before, _WARM_UP), (load.file, load.requests)):
            made = (payloads.request(random, _SPANS, payloads.LLM, start) for _ in range(count))
            payloads.write_requests(file, list(made))
        for number in range(options.rounds):
            for share in SHARES:
                runs[share].append(measure(load, share, model, judged_first=number % 2 == 1))
                if options.json:
                    print(json.dumps({"share": share, **vars(runs[share][-1])}), flush=True)
    _show(runs)


def _show(runs: Mapping[float, list[Measured]]) -> None:
    table = Table(title="A collector with a judge over one without, at the same time")
    for heading in (
        "share", "spans (aim 0.98)", "CPU a span (aim 1.02)", "spans/s without", "us CPU without", "verdicts/s",
        "ms CPU each when idle",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for share, found in runs.items():
        table.add_row(
            f"{share:.0%}" if share else "none", _ratio([each.spans for each in found]),
            _ratio([each.cpu for each in found]), f"{_median(found, 'spans_per_second'):,.0f}",
            f"{_median(found, 'cpu_us'):.1f}", f"{_median(found, 'verdicts_per_second'):.1f}",
            f"{_median(found, 'verdict_ms'):.1f}",
        )  # fmt: skip
    Console().print(table)


def _ratio(found: list[float]) -> str:
    """The median, and the standard error of a median of normal values."""
    error = 1.253 * statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else float("nan")
    return f"{statistics.median(found):.3f} +- {error:.3f}"


def _median(found: list[Measured], name: str) -> float:
    return float(statistics.median(getattr(each, name) for each in found))


if __name__ == "__main__":
    main()
