"""The whole graph with an exporter that is down: what its health says, and what it keeps when it stops."""

import asyncio
from pathlib import Path

from spanmill.component import Sender
from spanmill.config import read_configuration
from spanmill.delivery import Delivered
from spanmill.graph import Graph
from spanmill.names import ComponentId
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from tests.data import traces
from tests.deliveries import until
from tests.exporters.peers import http_peer

_YAML = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters:
  otlp_http:
    endpoint: {endpoint}
    retry_on_failure: {{initial_interval: 1ms, max_interval: 1h, multiplier: 100}}
    sending_queue: {{storage: file_storage}}
extensions: {{file_storage: }}
service:
  extensions: [file_storage]
  journal: {{directory: {directory}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
"""


def graph_to(endpoint: str, directory: Path, faults: list[BaseException]) -> Graph:
    yaml = _YAML.format(endpoint=endpoint, directory=directory)
    return Graph(read_configuration([f"yaml:{yaml}"], environ={}), Metrics(), Pages(), faults.append)


async def submit(graph: Graph, count: int) -> None:
    intake = graph.intakes[ComponentId("otlp"), Signal.TRACES]
    await intake.submit(traces(count).SerializeToString(), "http", Sender("tests"))


async def test_an_exporter_that_is_down_is_reported_and_what_it_has_not_had_is_there_at_the_next_start(
    tmp_path: Path,
) -> None:
    faults: list[BaseException] = []
    async with http_peer() as peer:
        pass
    down = graph_to(peer.endpoint, tmp_path, faults)
    await down.start()
    await submit(down, 7)
    await until(lambda: "exporter/otlp_http" in down.status().components)
    await until(lambda: down.status().components["exporter/otlp_http"].startswith("failing: http://localhost:"))
    assert down.status().ready  # senders are served: the journal has room
    began = asyncio.get_running_loop().time()
    report = await down.stop(grace_seconds=30)
    assert asyncio.get_running_loop().time() - began < 5
    assert report.exporters == {"otlp_http": Delivered(kept=7)}
    assert (report.kept, report.held) == (7, 0)
    async with http_peer() as peer:
        up = graph_to(peer.endpoint, tmp_path, faults)
        await up.start()
        report = await up.stop(grace_seconds=30)
    assert report.exporters == {"otlp_http": Delivered(sent=7)}
    assert faults == []
