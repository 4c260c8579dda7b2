"""Processors that follow their pipelines' journals: in the real graph, with the budgets of llm_cost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.config import read_configuration
from spanmill.graph import Graph
from spanmill.journal.cursors import CursorFile
from spanmill.names import ComponentId
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from tests.data import key_value, traces

USD_PER_CALL = 0.25


def calls(count: int, first: int = 1) -> ExportTraceServiceRequest:
    """Calls of a model, each of which costs `USD_PER_CALL`, made now."""
    request = traces(count, first=first)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + 10**9
        del span.attributes[:]
        span.attributes.append(key_value("gen_ai.operation.name", "chat"))
        span.attributes.append(key_value("gen_ai.request.model", "ours"))
        span.attributes.append(key_value("gen_ai.usage.input_tokens", 10))
    return request


class Running:
    """A started graph, and what it says."""

    def __init__(self, graph: Graph, metrics: Metrics) -> None:
        self.graph, self.metrics = graph, metrics

    async def send(self, count: int, receiver: str = "otlp", first: int = 1) -> None:
        endpoint = self.graph.receivers[ComponentId(*receiver.split("/"))].endpoints["http"]
        body = calls(count, first).SerializeToString()
        headers = {"content-type": "application/x-protobuf"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{endpoint}/v1/traces", data=body, headers=headers) as answer,
        ):
            assert answer.status == 200

    def spent(self) -> dict[str, float]:
        """USD by budget, this month."""
        return {
            dict(reading.labels)["budget"]: reading.value or 0.0
            for reading in self.metrics.read()
            if reading.definition.name == "llm_budget_spent_usd"
        }


@asynccontextmanager
async def running(yaml: str) -> AsyncIterator[Running]:
    metrics, pages, faults = Metrics(), Pages(), list[BaseException]()
    graph = Graph(read_configuration([f"yaml:{yaml}"], environ={}), metrics, pages, faults.append)
    try:
        await graph.start()
        yield Running(graph, metrics)
    finally:
        await graph.stop(grace_seconds=5)
        await pages.stop()
    assert faults == []


BUDGETS = "{limits: {all: {monthly_usd: 1000}}}"


def configured(pipelines: str, budgets: str = BUDGETS, more: str = "", exporters: str = "debug: ") -> str:
    written = f"budgets: {budgets}, " if budgets else ""
    return f"""
receivers:
  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}
  otlp/two: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}
processors:
  gen_ai_normalizer:
  llm_cost: {{{written}prices: [{{model: ours, request: {USD_PER_CALL}}}]}}
connectors: {{forward: }}
exporters: {{{exporters}}}
service:
{more}
  pipelines:
{pipelines}
"""


ONE = "    traces: {receivers: [otlp], processors: [gen_ai_normalizer, llm_cost], exporters: [debug]}"


@pytest.mark.parametrize("journal", ["", "  journal: {enabled: false}"], ids=["disk", "memory"])
async def test_what_was_spent_goes_on_after_a_restart(journal: str) -> None:
    for run in range(1, 4):
        async with running(configured(ONE, more=journal)) as it:
            await it.send(4, first=10 * run)
            await it.graph.stop(grace_seconds=5)
            assert it.spent() == {"all": run * 4 * USD_PER_CALL}


async def test_it_is_no_exporter_in_reports_metrics_and_readiness() -> None:
    async with running(configured(ONE)) as it:
        await it.send(4)
        assert it.graph.status().ready
        assert it.graph.status().components["processor/llm_cost"] == "ok"
        waiting = {r.labels for r in it.metrics.read() if r.definition.name == "spanmill_processor_waiting_bytes"}
        assert waiting == {(("pipeline", "traces"), ("processor", "llm_cost"))}
        report = await it.graph.stop(grace_seconds=5)
        assert list(report.exporters) == ["debug"]
        assert it.metrics.value("otelcol_exporter_sent_spans") == 4
        exporters = {dict(r.labels).get("exporter") for r in it.metrics.read()}
        assert exporters == {None, "debug"}


async def test_state_that_cannot_be_written_is_shown_and_the_daemon_stays_ready(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(configured(ONE, f"{{limits: {{all: {{monthly_usd: 9}}}}, directory: {state}}}")) as it:
        for path in state.iterdir():
            path.unlink()
        state.rmdir()
        await it.send(4)
        while "failing" not in it.graph.status().components["processor/llm_cost"]:
            assert it.graph.status().ready
            await asyncio.sleep(0.01)
        assert it.graph.status().ready
        state.mkdir()
        while it.spent() != {"all": 1.0}:
            await asyncio.sleep(0.01)


async def test_a_pipeline_with_nothing_but_connectors_has_a_journal_for_it() -> None:
    pipelines = """
    traces/in: {receivers: [otlp], processors: [gen_ai_normalizer, llm_cost], exporters: [forward]}
    traces/out: {receivers: [forward], exporters: [debug]}
"""
    async with running(configured(pipelines)) as it:
        await it.send(4)
        report = await it.graph.stop(grace_seconds=5)
        assert it.spent() == {"all": 1.0}
        assert report.exporters["debug"].sent == 4


async def test_one_sum_serves_all_pipelines_of_a_processor(capfd: pytest.CaptureFixture[str]) -> None:
    pipelines = """
    traces/one: {receivers: [otlp], processors: [gen_ai_normalizer, llm_cost], exporters: [debug]}
    traces/two: {receivers: [otlp/two], processors: [gen_ai_normalizer, llm_cost], exporters: [debug]}
"""
    async with running(configured(pipelines)) as it:
        await it.send(4)
        await it.send(2, "otlp/two", first=9)
        await it.graph.stop(grace_seconds=5)
        assert it.spent() == {"all": 1.5}
    assert "show a processor the same data" not in capfd.readouterr().err


@pytest.mark.parametrize("second", ["otlp", "forward"])
async def test_pipelines_that_show_a_processor_the_same_data_are_named(
    capfd: pytest.CaptureFixture[str], second: str
) -> None:
    pipelines = f"""
    traces/one: {{receivers: [otlp], processors: [gen_ai_normalizer, llm_cost], exporters: [debug, forward]}}
    traces/two: {{receivers: [{second}], processors: [llm_cost], exporters: [debug]}}
    traces/end: {{receivers: [forward], exporters: [debug]}}
"""
    async with running(configured(pipelines)):
        pass
    assert '"pipelines": "traces/one, traces/two"' in capfd.readouterr().err


def cursors(tmp_path: Path) -> set[str]:
    from spanmill.disk import Disk

    found = CursorFile(Disk(), tmp_path / "data" / "journal" / "traces").read()
    assert found is not None
    return set(found.done)


async def test_a_journal_forgets_a_processor_that_does_not_follow_it_any_more(tmp_path: Path) -> None:
    async with running(configured(ONE)) as it:
        await it.send(4)
    assert cursors(tmp_path) == {"traces>debug", "traces>processor/llm_cost"}
    async with running(configured(ONE, budgets="")) as it:
        await it.send(100, first=10)
        await it.graph.stop(grace_seconds=5)
        assert it.spent() == {}
    assert cursors(tmp_path) == {"traces>debug"}
    assert not list((tmp_path / "data" / "journal" / "traces").glob("*.segment")), "nothing is kept for it"
    async with running(configured(ONE)) as it:
        await it.send(4, first=1000)
        await it.graph.stop(grace_seconds=5)
        assert it.spent() == {"all": 2.0}, "what came meanwhile is not counted"
