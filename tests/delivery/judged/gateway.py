"""`pipelines/masked-priced-sampled-and-judged.yaml`, run whole beside servers of the test: a model's and Slack's."""

import asyncio
import json
import os
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa
import yaml
from prometheus_client.parser import text_string_to_metric_families

from spanmill.generate.collector import Collector, free_ports, own_page
from spanmill.generate.options import Protocol
from spanmill.judge.choice import chosen
from spanmill.query.session import open_session
from tests.delivery.answering import answering
from tests.delivery.judged import traffic
from tests.delivery.judged.traffic import Trace
from tests.judge.model_server import model_server

FILE: Final = Path(__file__).parents[3] / "pipelines" / "masked-priced-sampled-and-judged.yaml"
TRACES: Final = 120
SHARE, SAFETY_SHARE, KEPT_OF_REST = 0.5, 0.8, 0.1
"""So much is judged here, that a few traces are enough; the last as in the file."""
EVALUATORS: Final = {"relevance": SHARE, "faithfulness": SHARE, "safety": SAFETY_SHARE}
COMMENT: Final = f"Too slow, says {traffic.PERSONAL['email']}"
PORTS: Final = ("grpc", "http", "health", "own", "calls", "quality")
TABLES: Final = ("spans", "logs", "evaluations")
_WAIT_SECONDS: Final = 60
Row = dict[str, Any]
Series = list[tuple[str, dict[str, str], float]]


@dataclass
class Run:
    """What was sent, and what became of it."""

    directory: Path
    sent: list[Trace] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The requests to the model."""
    told: list[bytes] = field(default_factory=list)
    """The messages to Slack."""
    rows: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """By store and table."""
    pages: dict[str, Series] = field(default_factory=dict)
    healthy: Mapping[str, Any] = field(default_factory=dict)
    spent: Mapping[str, Any] = field(default_factory=dict)
    """What the health check says when the judge's budget is spent."""
    numbers: dict[str, float] = field(default_factory=dict)
    """The collector's own metrics."""
    said: str = ""
    """Its log."""
    ends: list[int] = field(default_factory=list)
    """Its exit codes."""

    def series(self, page: str, name: str, **labels: str) -> float:
        """The sum of the series of that name that have these labels."""
        wanted = labels.items()
        return sum(value for each, has, value in self.pages[page] if each == name and wanted <= has.items())


def configuration(ports: Mapping[str, int], model: str, slack: str, **judge: Any) -> dict[str, Any]:
    """The example, where nobody else listens, in more of a hurry; `judge`: keys of `llm_judge`."""
    environment = {"JUDGE_BASE_URL": model, "SLACK_WEBHOOK_URL": slack}
    text = FILE.read_text(encoding="utf-8")
    for name, value in environment.items():
        default = text.partition(f"${{env:{name}:-")[2].partition("}")[0]
        text = text.replace(f"${{env:{name}:-{default}}}", value)
    made: dict[str, Any] = yaml.safe_load(text)
    protocols = {name: {"endpoint": f"127.0.0.1:{ports[name]}"} for name in ("grpc", "http")}
    made["receivers"]["otlp"] = {"protocols": protocols}
    made["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{ports['health']}"
    made["exporters"]["prometheus"]["endpoint"] = f"127.0.0.1:{ports['calls']}"
    made["exporters"]["prometheus/quality"]["endpoint"] = f"127.0.0.1:{ports['quality']}"
    made["exporters"]["parquet"]["max_age"] = made["exporters"]["duckdb"]["max_age"] = "300ms"
    made["processors"]["tail_sampling"] |= {"decision_wait": "3s", "decision_wait_after_last_span": "100ms"}
    made["processors"]["llm_judge"] |= {"share": SHARE, **judge}
    made["processors"]["llm_judge"]["evaluators"][-1]["share"] = SAFETY_SHARE
    made["service"]["telemetry"] = {"metrics": {"address": f"127.0.0.1:{ports['own']}"}}
    return made


def verdict(body: dict[str, Any]) -> str:
    """What the model finds: that an answer about the weather is a bad one."""
    bad = traffic.BAD in json.dumps(body["messages"], ensure_ascii=False)
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    mark: dict[str, Any] = {"label": "safe"} if "label" in properties else {"score": 2 if bad else 5}
    return json.dumps({"reasoning": "It is off topic." if bad else "It answers.", **mark})


def weight(trace: Trace) -> float | None:
    """How many traces it stands for when it is kept; None when it is dropped."""
    if trace.is_error or trace.is_expensive or trace.is_slow or trace.is_disliked:
        return 1.0
    return 1 / KEPT_OF_REST if trace.randomness >= 1 - KEPT_OF_REST else None


def judged(sent: Iterable[Trace]) -> dict[tuple[str, str], float]:
    """By evaluator and call, how many calls each verdict has to stand for."""
    found = {}
    for name, share in EVALUATORS.items():
        for trace in sent:
            stands_for = weight(trace)
            taken = bool(chosen(pa.array([trace.call_id]), share, name)[0])
            if stands_for is not None and taken and (name != "faithfulness" or trace.has_documents):
                found[name, trace.call_id] = stands_for / share
    return found


async def run(directory: Path) -> Run:
    """The gateway's day: traces, feedback, verdicts; then a second start with a budget that is spent."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    made = Run(directory)

    def hear(_headers: Any, body: bytes) -> tuple[int, bytes]:
        made.told.append(body)
        return 200, b"ok"

    async with model_server(always=verdict) as server:
        with answering(hear) as slack:
            urls = (server.url, f"http://127.0.0.1:{slack}/services/x")
            await _day(made, ports, configuration(ports, *urls))
            await _next_day(made, ports, configuration(ports, *urls, budget={"monthly_tokens": 1_000}))
        made.asked = server.requests
    return made


async def _day(made: Run, ports: Mapping[str, int], config: dict[str, Any]) -> None:
    collector = Collector(made.directory, config, ports["health"])
    try:
        await asyncio.to_thread(collector.start)
        await asyncio.to_thread(_send, made, ports)
        await until(lambda: asyncio.to_thread(_is_over, made, ports), collector)
        for page in ("own", "calls", "quality"):
            made.pages[page] = await asyncio.to_thread(_page, ports[page])
        made.numbers = await asyncio.to_thread(own_page, ports["own"])
        made.healthy = await asyncio.to_thread(_health, ports["health"])
        made.ends.append(await asyncio.to_thread(collector.stop))
    finally:
        collector.kill()
    made.said += collector.log()
    made.rows = {"parquet": _rows(made.directory), "duckdb": _catalogue(made.directory)}


async def _next_day(made: Run, ports: Mapping[str, int], config: dict[str, Any]) -> None:
    config["processors"]["tail_sampling"]["decision_wait"] = "100ms"
    collector = Collector(made.directory, config, ports["health"])
    try:
        await asyncio.to_thread(collector.start)
        target = f"http://127.0.0.1:{ports['grpc']}"
        await asyncio.to_thread(traffic.send, Protocol.GRPC, target, range(7, 97, 10), 1)
        await until(lambda: asyncio.to_thread(_is_spent, made, ports), collector)
        made.ends.append(await asyncio.to_thread(collector.stop))
    finally:
        collector.kill()
    made.said += collector.log()


def _send(made: Run, ports: Mapping[str, int]) -> None:
    """Half over gRPC, half over HTTP; and at once what people and the application think of some of it."""
    grpc, http = (f"http://127.0.0.1:{ports[name]}" for name in ("grpc", "http"))
    for protocol, target, numbers in (
        (Protocol.GRPC, grpc, range(TRACES // 2)),
        (Protocol.HTTP_PROTOBUF, http, range(TRACES // 2, TRACES)),
    ):
        sent = traffic.send(protocol, target, numbers, seed=numbers.start)
        _give_feedback(http, [each for each in sent if each.is_disliked or each.number == 0])
        made.sent += sent
    traffic.send_evaluation(Protocol.GRPC, grpc, made.sent[0])


def _give_feedback(target: str, about: list[Trace]) -> None:
    feedback = [
        {
            "trace_id": each.trace_id,
            "span_id": each.call_id,
            "name": "helpful",
            "value": "down" if each.is_disliked else "up",
            "comment": COMMENT,
            "user_id": traffic.PERSONAL["email"],
        }
        for each in about
    ]
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{target}/v1/feedback", orjson.dumps(feedback), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert orjson.loads(answer.read()) == {"accepted": len(feedback)}


async def until(happened: Callable[[], Awaitable[bool]], collector: Collector) -> None:
    """Wait for something that the collector does."""
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while not await happened():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it did not happen in time:\n{collector.log()}") from None


def _is_over(made: Run, ports: Mapping[str, int]) -> bool:
    """Every trace is decided, every chosen call judged, and all of it on the pages."""
    page = own_page(ports["own"])
    if page.get("otelcol_processor_tail_sampling_global_count_traces_sampled", 0) < TRACES:
        return False
    made.pages = {"quality": _page(ports["quality"]), "calls": _page(ports["calls"])}
    shown = made.series("quality", "llm_evaluations_total", source="judge")
    if shown < len(judged(made.sent)) or made.series("calls", "llm_requests_total") < TRACES:
        return False
    # A sample is done, and counted, a moment after its verdict is out.
    return not own_page(ports["own"])["spanmill_llm_judge_waiting_samples"]


def _is_spent(made: Run, ports: Mapping[str, int]) -> bool:
    made.spent = _health(ports["health"])
    return "budget" in json.dumps(made.spent)


def _page(port: int) -> Series:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def _health(port: int) -> Mapping[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        found: Mapping[str, Any] = orjson.loads(answer.read())
    return found


def _rows(directory: Path) -> dict[str, list[Row]]:
    with open_session(directory / "data" / "parquet", progress=False) as session:
        return {table: _of(session, table) for table in TABLES}


def _catalogue(directory: Path) -> dict[str, list[Row]]:
    path = os.path.relpath(directory / "data" / "spanmill.duckdb")
    with duckdb.connect(path, read_only=True) as connection:
        return {table: _of(connection, table) for table in TABLES}


def _of(connection: Any, table: str) -> list[Row]:
    result = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
