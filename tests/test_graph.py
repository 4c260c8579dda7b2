"""The graph on real components: what is built, how batches flow, how it starts, stops and reports."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import duckdb
import pytest

from spanmill.component import Status
from spanmill.config import read_configuration
from spanmill.errors import StartError
from spanmill.graph import Graph, Report
from spanmill.memory_guard import Limits, MemoryGuard
from spanmill.names import ComponentId
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from tests.data import traces


class Running:
    """A started graph, and a way to send it spans over HTTP."""

    def __init__(self, graph: Graph, metrics: Metrics) -> None:
        self.graph = graph
        self.metrics = metrics

    async def send(self, count: int, first: int = 1, receiver: str = "otlp", name: str = "chat") -> int:
        """The answer's status."""
        endpoint = self.graph.receivers[ComponentId(*receiver.split("/"))].endpoints["http"]
        body = traces(count, first=first, name=name).SerializeToString()
        headers = {"content-type": "application/x-protobuf"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{endpoint}/v1/traces", data=body, headers=headers) as answer,
        ):
            return answer.status

    async def stop(self) -> Report:
        return await self.graph.stop(grace_seconds=10)

    def status(self) -> Status:
        return self.graph.status()


def receivers(*names: str) -> str:
    return "\n".join(f"  {name}: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}" for name in names)


@asynccontextmanager
async def running(yaml: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    configuration = read_configuration([f"yaml:{yaml}"], environ=environ or {})
    metrics, pages, faults = Metrics(), Pages(), list[BaseException]()
    graph = Graph(configuration, metrics, pages, faults.append)
    try:
        await graph.start()
        yield Running(graph, metrics)
    finally:
        await graph.stop(grace_seconds=5)
        await pages.stop()
    assert faults == []


def stored(directory: Path) -> list[int]:
    """The ids of the spans in the Parquet files, sorted."""
    files = [str(path) for path in directory.glob("spans/date=*/hour=*/*.parquet")]
    return sorted(int(row[0], 16) for row in query(files, "select span_id from t")) if files else []


def query(files: list[str], sql: str) -> list[tuple[str, ...]]:
    """Rows of a question to the files, which it knows as `t`."""
    return duckdb.execute(f"with t as (from read_parquet({files})) {sql}").fetchall()


async def test_what_is_accepted_is_delivered_by_the_time_the_graph_has_stopped(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet: {{directory: {tmp_path}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    async with running(yaml) as it:
        assert await it.send(5) == 200
        report = await it.stop()
    assert report.exporters["parquet"].sent == 5
    assert report.held == 0
    assert stored(tmp_path) == [1, 2, 3, 4, 5]


async def test_every_exporter_of_a_pipeline_gets_everything(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet/a: {{directory: {tmp_path}/a}}, parquet/b: {{directory: {tmp_path}/b}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet/a, parquet/b]}}}}}}
"""
    async with running(yaml) as it:
        await it.send(3)
        await it.stop()
    assert stored(tmp_path / "a") == stored(tmp_path / "b") == [1, 2, 3]


async def test_pipelines_of_one_signal_share_receivers_and_exporters(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp/one", "otlp/two")}
processors: {{filter: {{drop: ["name = 'health'"]}}}}
exporters: {{parquet/all: {{directory: {tmp_path}/all}}, parquet/some: {{directory: {tmp_path}/some}}}}
service:
  pipelines:
    traces/all: {{receivers: [otlp/one, otlp/two], exporters: [parquet/all]}}
    traces/some: {{receivers: [otlp/one], processors: [filter], exporters: [parquet/some]}}
"""
    async with running(yaml) as it:
        await it.send(1, first=1, receiver="otlp/one")
        await it.send(1, first=2, receiver="otlp/one", name="health")
        await it.send(1, first=3, receiver="otlp/two")
        await it.stop()
    assert stored(tmp_path / "all") == [1, 2, 3]
    assert stored(tmp_path / "some") == [1]


async def test_a_forward_connector_joins_and_splits_pipelines(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp/one", "otlp/two")}
processors:
  filter/errors: {{drop: ["name <> 'error'"]}}
  attributes/one: {{actions: [{{key: via, value: one, action: insert}}]}}
connectors: {{forward: }}
exporters: {{parquet/all: {{directory: {tmp_path}/all}}, parquet/errors: {{directory: {tmp_path}/errors}}}}
service:
  pipelines:
    traces/one: {{receivers: [otlp/one], processors: [attributes/one], exporters: [forward]}}
    traces/two: {{receivers: [otlp/two], exporters: [forward]}}
    traces/all: {{receivers: [forward], exporters: [parquet/all]}}
    traces/errors: {{receivers: [forward], processors: [filter/errors], exporters: [parquet/errors]}}
"""
    async with running(yaml) as it:
        await it.send(1, first=1, receiver="otlp/one")
        await it.send(1, first=2, receiver="otlp/two")
        await it.send(1, first=3, receiver="otlp/two", name="error")
        await it.stop()
    assert stored(tmp_path / "all") == [1, 2, 3]
    assert stored(tmp_path / "errors") == [3]
    files = [str(p) for p in (tmp_path / "all").glob("spans/*/*/*.parquet")]
    assert query(files, "select attributes['via'] as via from t where via is not null") == [("one",)]


async def test_every_edge_is_measured(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp")}
processors: {{filter: {{drop: ["span_id like '%1'"]}}}}
exporters: {{parquet: {{directory: {tmp_path}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [filter], exporters: [parquet]}}}}}}
"""
    async with running(yaml) as it:
        await it.send(4)
        await it.stop()
        values = {
            name: it.metrics.value(f"otelcol_{name}")
            for name in (
                "receiver_accepted_spans",
                "processor_incoming_items",
                "processor_outgoing_items",
                "exporter_sent_spans",
            )
        }
    assert values == {
        "receiver_accepted_spans": 4,
        "processor_incoming_items": 4,
        "processor_outgoing_items": 3,
        "exporter_sent_spans": 3,
    }


async def test_components_that_no_pipeline_uses_are_built_by_nobody(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp", "otlp/unused")}
exporters: {{parquet: {{directory: {tmp_path}/used}}, parquet/unused: {{directory: {tmp_path}/unused}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    async with running(yaml) as it:
        assert list(it.graph.receivers) == [ComponentId("otlp")]
        await it.send(1)
        await it.stop()
    assert not (tmp_path / "unused").exists()


async def test_a_failed_start_names_the_component_and_leaves_nothing_running(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet: {{directory: {blocked}/data}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    before = asyncio.all_tasks()
    with pytest.raises(StartError, match="parquet"):
        async with running(yaml):
            pass
    assert asyncio.all_tasks() == before


async def test_ready_is_said_only_while_data_is_taken(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet: {{directory: {tmp_path}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    async with running(yaml) as it:
        assert it.status().ready
        assert it.status().components == {"exporter/parquet": "ok", "receiver/otlp": "ok"}
        await it.stop()
        assert not it.status().ready


@pytest.mark.parametrize("on_disk", [True, False])
async def test_a_pipeline_that_cannot_get_rid_of_its_data_refuses_and_says_so(on_disk: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        nobody = reserved.getsockname()[1]
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{otlp_http: {{endpoint: 'http://127.0.0.1:{nobody}'}}}}
service:
  journal: {{max_size_mib: 1, enabled: {str(on_disk).lower()}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
"""
    async with running(yaml) as it:
        accepted = 0
        while await it.send(500, first=accepted + 1) == 200:
            accepted += 500
        assert 0 < accepted < 40_000
        assert not it.status().ready
        assert "senders are refused: pipeline traces" in it.status().reasons[0]
        report = await it.graph.stop(grace_seconds=0.1)
    left = report.exporters["otlp_http"]
    assert (left.kept, left.held) == ((accepted, 0) if on_disk else (0, accepted))


async def test_a_removed_exporter_is_named_with_what_it_leaves_and_finds_it_when_it_comes_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def yaml(*exporters: str) -> str:
        return f"""
receivers:
{receivers("otlp")}
exporters:
  file: {{path: {tmp_path}/all.jsonl}}
  parquet: {{directory: {tmp_path}/store, max_age: 1h}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [{", ".join(exporters)}]}}}}}}
"""

    async with running(yaml("file", "parquet")) as it:
        await it.send(3)
        await it.graph.stop(grace_seconds=0)
    async with running(yaml("file")) as it:
        await it.send(2, first=11)
    said = capfd.readouterr().err
    assert '"consumer": "traces>parquet", "items": 3' in said
    async with running(yaml("file", "parquet")):
        pass
    assert stored(tmp_path / "store") == [1, 2, 3, 11, 12]


async def test_stopping_twice_and_stopping_what_never_started_are_harmless(tmp_path: Path) -> None:
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet: {{directory: {tmp_path}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    configuration = read_configuration([f"yaml:{yaml}"], environ={})
    graph = Graph(configuration, Metrics(), Pages(), lambda _: None)
    await graph.stop(grace_seconds=1)
    assert (await graph.stop(grace_seconds=1)).held == 0


async def test_when_the_container_has_no_memory_left_senders_are_refused_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spanmill.graph.guard_of_group", lambda _, log: MemoryGuard(Limits(soft=1, hard=1), log))
    yaml = f"""
receivers:
{receivers("otlp")}
exporters: {{parquet: {{directory: {tmp_path}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [parquet]}}}}}}
"""
    async with running(yaml) as it:
        assert await it.send(1) == 503
        assert not it.status().ready
        assert "memory" in it.status().reasons[0]
