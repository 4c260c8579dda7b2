"""What a judge costs those who send, at shares of 1 and 5 %.

    python benchmarks/judge.py [--rounds 12] [--seconds 20] [--shares 0 0.01 0.05]

Two real collectors run beside each other. Each has two pipelines with a receiver of its own, gen_ai_normalizer and
Parquet, and one of the two has llm_judge as well. Both are sent calls of a model (1.3 KB each, 100 in a request) as
fast as they take them over gRPC, for some seconds: one to its pipeline with the judge, the other to its pipeline
without; then the other way round. So in a round whatever befalls the machine befalls both sides, and so does what is
peculiar to a process: two that are configured alike differ by 3 % for as long as they live, by the addresses that they
happen to get. The spans that they took in and the CPU that they used for one, until all were stored, are compared: the
mean of the rounds, and its standard error. Collectors with two pipelines without a judge are compared in the same way,
so that it is seen what the measurement itself is worth.

The judge asks `relevance` of a model in another process that answers in 200 ms. What its questions cost would fall on
both pipelines: here it may ask one in a minute, keeps all samples instead, and its questions are measured beside that,
by a collector whose judge may ask as it likes: how many it asks while it is busy, and what CPU one takes when nothing
is sent.

The aim is less than 2 % at either share.
"""

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import payloads
from aiohttp import web
from client import Sent
from measuring import cpu_seconds, send
from rich.console import Console
from rich.table import Table

from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration

_PLAIN, _JUDGED = "plain", "judged"
_SPANS, _DIFFERENT, _AT_ONCE, _WARM_UP = 100, 600, 8, 1_000
_ANSWER_SECONDS = 0.2
_SHARE_OF_QUESTIONS = 0.05
_SETTLED_SECONDS = 2.5
"""A judge reads what has come two seconds after it at the latest."""
_BUSY_SECONDS, _ALONE_SECONDS = 60.0, 5.0
"""While it is busy a judge asks a round of questions in a minute."""


@dataclass(frozen=True)
class Taken:
    """What a pipeline did with a load."""

    spans_per_second: float
    cpu_us: float
    """Microseconds of CPU for a span."""

    def beside(self, other: "Taken") -> "Taken":
        """The geometric mean of both."""
        return Taken(math.sqrt(self.spans_per_second * other.spans_per_second), math.sqrt(self.cpu_us * other.cpu_us))


@dataclass(frozen=True)
class Round:
    """Both collectors, each pipeline."""

    plain: Taken
    judged: Taken


@dataclass(frozen=True)
class Questions:
    """What a judge asks that may ask as it likes."""

    busy_per_second: float
    """While the collector is sent all that it takes."""
    cpu_ms: float
    """Milliseconds of CPU for one when nothing is sent."""


class Running:
    """A collector with the two pipelines."""

    def __init__(self, collector: Collector, ports: Mapping[str, int], file: Path) -> None:
        assert collector.process is not None
        self._pid, self._ports, self._file = collector.process.pid, ports, file

    def take(self, pipeline: str, until: str) -> Taken:
        """Send to one of them (`client` for how much), and wait until nothing of it is left to do."""
        cpu = self.cpu_seconds()
        sent = self.send(pipeline, until)
        time.sleep(_SETTLED_SECONDS)
        spans = sent.requests * _SPANS
        return Taken(spans / sent.seconds, (self.cpu_seconds() - cpu) * 1e6 / spans)

    def send(self, pipeline: str, until: str) -> Sent:
        return send("grpc", f"127.0.0.1:{self._ports[pipeline]}", self._file, until, _AT_ONCE)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self._pid)

    def verdicts(self) -> float:
        return own_page(self._ports["metrics"]).get("spanmill_llm_judge_lag_count", 0.0)


def configuration(directory: Path, ports: Mapping[str, int], judge: Mapping[str, Any] | None) -> dict[str, Any]:
    made = storing_configuration(ports, parquet={"directory": str(directory / "parquet"), "max_age": "1s"})
    made["service"]["journal"] = {"directory": str(directory / "journal")}
    made["processors"] = {"gen_ai_normalizer": None}
    exporters = made["service"]["pipelines"].pop("traces")["exporters"]
    for name in (_PLAIN, _JUDGED):
        made["receivers"][f"otlp/{name}"] = {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{ports[name]}"}}}
        made["service"]["pipelines"][f"traces/{name}"] = {
            "receivers": [f"otlp/{name}"],
            "processors": ["gen_ai_normalizer"],
            "exporters": exporters,
        }
    if judge is not None:
        made["processors"]["llm_judge"] = dict(judge)
        made["service"]["pipelines"][f"traces/{_JUDGED}"]["processors"].append("llm_judge")
    return made


def judge_of(share: float, model: str, **more: Any) -> dict[str, Any] | None:
    """A block `llm_judge`; None at no share."""
    named = {"model": {"model": "gpt-4o-mini", "base_url": model}, "evaluators": ["relevance"], "share": share}
    return {**named, **more} if share else None


@contextmanager
def running(judge: Mapping[str, Any] | None, file: Path) -> Iterator[Running]:
    ports = dict(zip(("grpc", "http", "health", "metrics", _PLAIN, _JUDGED), free_ports(6), strict=True))
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name:
        made = configuration(Path(name), ports, judge)
        with Collector(Path(name), made, ports["health"]) as collector:
            yield Running(collector, ports, file)


def rounds(share: float, model: str, file: Path, count: int, seconds: float) -> Iterator[Round]:
    quiet = judge_of(share, model, requests_per_minute=1, max_waiting=10**7, max_age="24h")
    with running(quiet, file) as first, running(quiet, file) as second, ThreadPoolExecutor(2) as threads:

        def both(one: str, other: str, until: str) -> tuple[Taken, Taken]:
            taken = threads.map(Running.take, (first, second), (one, other), (until, until))
            return next(taken), next(taken)

        both(_PLAIN, _JUDGED, str(_WARM_UP))
        both(_JUDGED, _PLAIN, str(_WARM_UP))
        for _ in range(count):
            plain, judged = both(_PLAIN, _JUDGED, f"{seconds}s")
            then_judged, then_plain = both(_JUDGED, _PLAIN, f"{seconds}s")
            yield Round(plain.beside(then_plain), judged.beside(then_judged))


def questions(share: float, model: str, file: Path) -> Questions:
    """Of a judge that may ask as it likes, and has more to ask than it can."""
    with running(judge_of(share, model), file) as collector:
        collector.take(_JUDGED, str(_DIFFERENT))
        before, cpu = collector.verdicts(), collector.cpu_seconds()
        time.sleep(_ALONE_SECONDS)
        cpu_ms = (collector.cpu_seconds() - cpu) * 1e3 / (collector.verdicts() - before)
        with ThreadPoolExecutor(1) as thread:
            sending = thread.submit(collector.send, _JUDGED, f"{2 * _BUSY_SECONDS}s")
            time.sleep(_BUSY_SECONDS / 2)  # not busy yet
            before = collector.verdicts()
            time.sleep(_BUSY_SECONDS)
            asked = collector.verdicts() - before
            sending.result()
            return Questions(asked / _BUSY_SECONDS, cpu_ms)


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
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.01, 0.05])
    parser.add_argument("--json", action="store_true", help="print each round too")
    parser.add_argument("--model-server", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model_server:
        asyncio.run(serve())
        return
    found: dict[float, list[Round]] = {}
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name, model_server() as model:
        file, random = Path(name) / "requests.bin", Random(0)
        # Of now: the judge's own spans go into the same files.
        start = time.time_ns() - 1_000 * 10**9
        payloads.write_requests(
            file, [payloads.request(random, _SPANS, payloads.LLM, start) for _ in range(_DIFFERENT)]
        )
        for share in options.shares:
            found[share] = []
            for each in rounds(share, model, file, options.rounds, options.seconds):
                found[share].append(each)
                if options.json:
                    print(json.dumps({"share": share, **asdict(each)}), flush=True)
        asked = questions(_SHARE_OF_QUESTIONS, model, file)
    _show(found, asked)


def _show(found: Mapping[float, Sequence[Round]], asked: Questions) -> None:
    table = Table(title="A pipeline with a judge over one without")
    for heading in ("share", "spans/s (aim 0.98)", "CPU a span (aim 1.02)", "spans/s without", "us CPU without"):
        table.add_column(heading, justify="right")
    for share, each in found.items():
        table.add_row(
            f"{share:.0%}" if share else "none",
            _mean([a.judged.spans_per_second / a.plain.spans_per_second for a in each]),
            _mean([a.judged.cpu_us / a.plain.cpu_us for a in each]),
            f"{statistics.median(a.plain.spans_per_second for a in each):,.0f}",
            f"{statistics.median(a.plain.cpu_us for a in each):.1f}",
        )  # fmt: skip
    Console().print(table)
    print(
        f"And its questions: {asked.busy_per_second:.2f} a second while it is busy, {asked.cpu_ms:.1f} ms of CPU each, "
        f"{asked.busy_per_second * asked.cpu_ms / 10:.2f} % of a core."
    )


def _mean(ratios: Sequence[float]) -> str:
    """Of ratios, with its standard error."""
    logarithms = [math.log(each) for each in ratios]
    error = statistics.stdev(logarithms) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    return f"{math.exp(statistics.mean(logarithms)):.3f} +- {error:.3f}"


if __name__ == "__main__":
    main()
