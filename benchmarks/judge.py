"""What a judge costs those who send: a real collector without llm_judge, and with it at shares of 1 and 5 %.

    python benchmarks/judge.py [--rounds 5] [--requests 1000]

Every run is a collector of its own with gen_ai_normalizer and Parquet, which is sent the same 100,000 calls of a model
(1.3 KB each, 100 in a request) as fast as it takes them over gRPC. The judge asks `relevance` of a model in another
process that answers in 200 ms, four at a time. Runs alternate, and a judge is compared with the run without one beside
it: the median of the ratios, and their spread.

CPU is that of the collector from the first request until every span is written and was looked at by the judge. How
many verdicts fall into that time is said, and what one more costs: it is measured behind it, while nothing is sent.
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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import payloads
from aiohttp import web
from measuring import cpu_seconds, send
from rich.console import Console
from rich.table import Table

from spanmill.generate.collector import Collector, free_ports, own_page, storing_configuration

SHARES = (0.0, 0.01, 0.05)
_SPANS, _AT_ONCE, _WARM_UP = 100, 8, 20
_ANSWER_SECONDS = 0.2
_ALONE_SECONDS = 5.0


@dataclass(frozen=True)
class Measured:
    """One run."""

    cpu_us: float
    """Microseconds a span."""
    spans_per_second: float
    verdicts: float
    """In the time that is measured."""
    verdict_ms: float
    """Milliseconds of CPU for one more."""


def configuration(directory: Path, ports: Mapping[str, int], share: float, model: str) -> dict[str, Any]:
    made = storing_configuration(ports, parquet={"directory": str(directory / "parquet"), "max_age": "10s"})
    made["processors"] = {"gen_ai_normalizer": None}
    if share:
        made["processors"]["llm_judge"] = {
            "model": {"model": "gpt-4o-mini", "base_url": model},
            "evaluators": ["relevance"],
            "share": share,
        }
    made["service"]["pipelines"]["traces"]["processors"] = list(made["processors"])
    return made


def measure(file: Path, requests: int, share: float, model: str) -> Measured:
    ports = dict(zip(("grpc", "http", "health", "metrics"), free_ports(4), strict=True))
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name:
        made = configuration(Path(name), ports, share, model)
        with Collector(Path(name), made, ports["health"]) as running:
            assert running.process is not None
            pid, target, page = running.process.pid, f"127.0.0.1:{ports['grpc']}", ports["metrics"]
            send("grpc", target, file, str(_WARM_UP), _AT_ONCE)
            _wait_for(page, _WARM_UP * _SPANS)
            cpu, judged = cpu_seconds(pid), _verdicts(page)
            sent = send("grpc", target, file, str(requests), _AT_ONCE)
            _wait_for(page, (_WARM_UP + requests) * _SPANS)
            spans = requests * _SPANS
            cpu_us, judged = (cpu_seconds(pid) - cpu) * 1e6 / spans, _verdicts(page) - judged
            return Measured(cpu_us, spans / sent.seconds, judged, _verdict_ms(pid, page) if share else 0.0)


def _verdict_ms(pid: int, page: int) -> float:
    """While nothing is sent, and the judge works off its queue."""
    cpu, judged = cpu_seconds(pid), _verdicts(page)
    time.sleep(_ALONE_SECONDS)
    return (cpu_seconds(pid) - cpu) * 1e3 / max(1.0, _verdicts(page) - judged)


def _verdicts(page: int) -> float:
    return own_page(page).get("spanmill_llm_judge_lag_count", 0.0)


def _wait_for(page: int, spans: int) -> None:
    """Until every span is written, and the judge has looked at it. Its own spans are written too: too few to matter."""
    deadline = time.monotonic() + 120
    while True:
        found = own_page(page)
        done = found.get("otelcol_exporter_sent_spans", 0) >= spans
        if done and not found.get("spanmill_processor_waiting_bytes", 0):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{spans} spans were not delivered in time")
        time.sleep(0.02)


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="print each run too")
    parser.add_argument("--model-server", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model_server:
        asyncio.run(serve())
        return
    runs: dict[float, list[Measured]] = {share: [] for share in SHARES}
    with tempfile.TemporaryDirectory(prefix="spanmill-bench-") as name, model_server() as model:
        file, random = Path(name) / "requests.bin", Random(0)
        payloads.write_requests(file, [payloads.request(random, _SPANS, payloads.LLM) for _ in range(options.requests)])
        for number in range(options.rounds):
            for share in SHARES if number % 2 == 0 else SHARES[::-1]:
                runs[share].append(measure(file, options.requests, share, model))
                if options.json:
                    print(json.dumps({"share": share, **vars(runs[share][-1])}), flush=True)
    _show(runs)


def _show(runs: Mapping[float, list[Measured]]) -> None:
    table = Table(title="A judge beside ingestion")
    for heading in (
        "share", "CPU us/span", "ratio (aim 1.02)", "spread", "spans/s", "ratio", "verdicts meanwhile", "ms CPU each",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for share, found in runs.items():
        cpu = [one.cpu_us / off.cpu_us for one, off in zip(found, runs[0.0], strict=True)]
        pace = [one.spans_per_second / off.spans_per_second for one, off in zip(found, runs[0.0], strict=True)]
        table.add_row(
            f"{share:.0%}" if share else "none", f"{statistics.median(each.cpu_us for each in found):.2f}",
            f"{statistics.median(cpu):.3f}", f"{min(cpu):.3f} to {max(cpu):.3f}",
            f"{statistics.median(each.spans_per_second for each in found):,.0f}", f"{statistics.median(pace):.3f}",
            f"{statistics.median(each.verdicts for each in found):.0f}",
            f"{statistics.median(each.verdict_ms for each in found):.1f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
