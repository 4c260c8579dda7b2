"""Pipelines that a processor cuts in two: what reaches the processors before it and behind it, and the exporters."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spanmill.batch import Batch
from spanmill.config import read_configuration
from spanmill.errors import ConfigError
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.outlet import PipelineOutlet
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.data import span_ids, spans
from tests.deliveries import until
from tests.test_graph import Running, query, receivers, running, stored

TRACES = PipelineId(Signal.TRACES)


def configuration(directory: Path, processors: str, *, journal: str = "{}", more: str = "") -> str:
    """One pipeline that stores what tail sampling leaves of spans called `chat`."""
    return f"""
receivers:
{receivers("otlp")}
processors:
  resource: {{attributes: [{{key: seen, value: behind, action: upsert}}]}}
  filter: {{drop: ["name = 'noise'"]}}
  tail_sampling:
    decision_wait: 50ms
    policies: [{{name: small, type: sql, having: "max(attributes['gen_ai.usage.input_tokens']::int) <= 3"}}]
  tail_sampling/second:
    decision_wait: 50ms
    policies: [{{name: large, type: sql, having: "min(attributes['gen_ai.usage.input_tokens']::int) >= 2"}}]
exporters:
  parquet: {{directory: {directory}, max_age: 50ms}}
connectors: {{forward: }}
service:
  journal: {journal}
  pipelines:
    traces: {{receivers: [otlp], processors: [{processors}], exporters: [{"forward" if more else "parquet"}]}}
    {more}
"""


async def until_stored(directory: Path, *ids: int) -> None:
    await until(lambda: len(stored(directory)) >= len(ids))
    assert stored(directory) == list(ids)


def items(it: Running, name: str, processor: str) -> float:
    return sum(
        reading.value or 0
        for reading in it.metrics.read()
        if reading.definition.name == name and dict(reading.labels).get("processor") == processor
    )


async def test_processors_behind_see_what_is_kept_and_those_before_see_everything(tmp_path: Path) -> None:
    directory = tmp_path / "parquet"
    async with running(configuration(directory, "filter, tail_sampling, resource")) as it:
        assert await it.send(5) == 200
        await until_stored(directory, 1, 2, 3)
        files = [str(path) for path in directory.glob("spans/date=*/hour=*/*.parquet")]
        asked = "select distinct resource_attributes['seen'], sampled_by from t"
        assert query(files, asked) == [("behind", "small")]
        assert items(it, "otelcol_processor_incoming_items", "filter") == 5
        assert items(it, "otelcol_processor_incoming_items", "tail_sampling") == 5
        assert items(it, "otelcol_processor_outgoing_items", "tail_sampling") == 3
        assert items(it, "otelcol_processor_incoming_items", "resource") == 3


async def test_two_in_a_row_each_decide(tmp_path: Path) -> None:
    directory = tmp_path / "parquet"
    async with running(configuration(directory, "tail_sampling, tail_sampling/second")) as it:
        assert await it.send(5) == 200
        await until_stored(directory, 2, 3)


async def test_what_is_kept_goes_through_a_connector_too(tmp_path: Path) -> None:
    directory = tmp_path / "parquet"
    more = "traces/more: {receivers: [forward], processors: [tail_sampling/second], exporters: [parquet]}"
    async with running(configuration(directory, "tail_sampling", more=more)) as it:
        assert await it.send(5) == 200
        await until_stored(directory, 2, 3)


async def test_with_journals_in_memory_a_stop_decides_and_delivers_all_of_it(tmp_path: Path) -> None:
    directory = tmp_path / "parquet"
    yaml = configuration(directory, "tail_sampling, tail_sampling/second", journal="{enabled: false}")
    async with running(yaml.replace("decision_wait: 50ms", "decision_wait: 1h")) as it:
        assert await it.send(5) == 200
        report = await it.stop()
        assert (report.held, report.kept) == (0, 0)
    assert stored(directory) == [2, 3]


class FailsOnOne:
    """A processor with a defect."""

    def __call__(self, batch: Batch) -> Batch:
        if 3 in span_ids(batch):
            raise RuntimeError("a defect")
        return batch


async def test_a_row_on_which_a_processor_fails_is_lost_alone_and_counted() -> None:
    metrics, journal = Metrics(), MemoryJournal(2**20)
    transform = MeasuredTransform(ComponentId("faulty"), TRACES, FailsOnOne(), metrics)
    reader = journal.reader("test")
    lost = metrics.counter("spanmill_processor_lost_items", processor="faulty")
    with ThreadPoolExecutor(1) as executor:
        outlet = PipelineOutlet(Pipeline(TRACES, [transform], journal), executor, lost, component_log("service", "t"))
        await outlet.put(spans(5), b"0" * 16)
        record = reader.read()
        assert record is not None
        assert span_ids(record.load()) == [1, 2, 4, 5]
        assert lost.value == 1


async def test_what_was_put_under_a_digest_is_put_once() -> None:
    journal = MemoryJournal(2**20)
    reader = journal.reader("test")
    lost = Metrics().counter("spanmill_processor_lost_items", processor="x")
    with ThreadPoolExecutor(1) as executor:
        outlet = PipelineOutlet(Pipeline(TRACES, [], journal), executor, lost, component_log("service", "t"))
        assert not outlet.holds(b"1" * 16)
        await outlet.put(spans(2), b"1" * 16)
        await outlet.put(spans(2), b"1" * 16)
        assert outlet.holds(b"1" * 16)
        assert reader.unread == 1


@pytest.mark.parametrize("processors", ["tail_sampling, pii_masking", "pii_masking, tail_sampling"])
def test_masking_behind_a_processor_that_holds_rows_is_refused(tmp_path: Path, processors: str) -> None:
    yaml = configuration(tmp_path, processors).replace("  resource:", "  pii_masking: {}\n  resource:")
    if processors.startswith("pii_masking"):
        read_configuration([f"yaml:{yaml}"], environ={})
        return
    with pytest.raises(ConfigError, match="tail_sampling stands before pii_masking"):
        read_configuration([f"yaml:{yaml}"], environ={})
