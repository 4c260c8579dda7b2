"""A tail sampler between two real journals: what goes in, what comes out, and what a crash leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.batch import Batch
from spanmill.component import Inlet, Settings
from spanmill.config.models import Journal as JournalConfig
from spanmill.journal import Journal
from spanmill.journal.directory import JournalDirectory
from spanmill.journal.disk import DiskJournal
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.outlet import PipelineOutlet
from spanmill.pipeline import Pipeline
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.processors.tail_sampling.processor import TailSamplingProcessor
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.data import START, batch_of, key_value
from tests.deliveries import until
from tests.journal.harness import die

TRACES = PipelineId(Signal.TRACES)
BEFORE = PipelineId(Signal.TRACES, part="before tail_sampling")
EVERYTHING = [{"name": "all", "type": "always_sample"}]
ERRORS = [{"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]


@dataclass(frozen=True)
class Span:
    """One span to send; `number` is its id."""

    trace: int
    number: int
    root: bool = False
    error: bool = False
    duration_ms: float = 2.5
    attributes: Mapping[str, Any] = field(default_factory=dict)
    flags: int = 0


def batch(spans: Iterable[Span]) -> Batch:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in spans:
        scope.spans.add(
            trace_id=span.trace.to_bytes(16), span_id=span.number.to_bytes(8), name="work", flags=span.flags,
            parent_span_id=b"" if span.root else (10**6).to_bytes(8), start_time_unix_nano=START,
            end_time_unix_nano=START + int(span.duration_ms * 1e6), status={"code": 2 if span.error else 0},
            attributes=[key_value(key, value) for key, value in span.attributes.items()],
        )  # fmt: skip
    return batch_of(request)


class Host:
    """What the sampler asks of the engine."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def report_fatal(self, error: BaseException) -> None:
        self.errors.append(error)


@dataclass
class Sampling:
    """The running sampler."""

    processor: TailSamplingProcessor
    inlet: Journal
    outlet: Journal
    metrics: Metrics
    host: Host = field(default_factory=Host)
    came: list[Batch] = field(default_factory=list)

    async def send(self, *spans: Span) -> None:
        """On return they are journalled, as for a sender that is answered."""
        await self.inlet.append(self.inlet.pack(batch(spans)))

    def let_go(self) -> dict[int, str]:
        """The spans that came out so far, and the policy that each names."""
        reader = self.outlet.reader("test")
        while (record := reader.read()) is not None:
            self.came.append(record.load())
        return {
            int(span, 16): policy
            for each in self.came
            for span, policy in zip(
                each.column("span_id").to_pylist(), each.column("sampled_by").to_pylist(), strict=True
            )
        }

    async def gives(self, *spans: int) -> None:
        """Wait until exactly these spans have come out, each once."""
        await until(lambda: len(self.let_go()) >= len(spans))
        assert sorted(self.let_go()) == sorted(spans)
        assert sum(map(len, self.came)) == len(spans)

    def value(self, name: str, **labels: str) -> float:
        """Of a metric, added up over the labels that are not given."""
        return sum(
            reading.value or 0.0
            for reading in self.metrics.read()
            if reading.definition.name == name and labels.items() <= dict(reading.labels).items()
        )

    async def decided(self, traces: int) -> None:
        """Wait until so many traces are decided."""
        name = "otelcol_processor_tail_sampling_global_count_traces_sampled"
        await until(lambda: self.value(name) >= traces)


@asynccontextmanager
async def sampling(
    directory: Path,
    policies: list[dict[str, Any]],
    *,
    durable: bool = True,
    crash: bool = False,
    full: bool = False,
    **keys: Any,
) -> AsyncIterator[Sampling]:
    """A sampler over the journals in the directory. `crash`: it is cut off instead of drained. `full`: the outlet's
    journal, in memory, has no room."""
    config = TailSamplingProcessorConfig.model_validate({"policies": policies, "decision_wait": "40ms", **keys})
    metrics, log = Metrics(), component_log("processor", "tail_sampling")
    journals = JournalDirectory(JournalConfig(directory=str(directory / "journal")), metrics, log) if durable else None
    inlet, outlet = (
        MemoryJournal(2**30) if journals is None else journals.journal(name, 600.0) for name in (BEFORE, TRACES)
    )
    if full:
        outlet = MemoryJournal(1)
    settings = Settings(
        Kind.PROCESSORS, ComponentId("tail_sampling"), log, metrics, Signal.TRACES, directory / "journal"
    )
    processor = TailSamplingProcessor(config, settings)
    with ThreadPoolExecutor(1) as executor:
        lost = metrics.counter("spanmill_processor_lost_items", processor="tail_sampling")
        processor.connect(
            Inlet(TRACES, inlet, inlet.reader("sampler")),
            PipelineOutlet(Pipeline(TRACES, (), outlet), executor, lost, log),
        )
        running = Sampling(processor, inlet, outlet, metrics)
        outlet.reader("test")
        if journals is not None:
            await journals.open()
        await inlet.start()
        await outlet.start()
        if full:
            await outlet.append(outlet.pack(batch([Span(99, 99)])))
        await processor.start(running.host)  # type: ignore[arg-type]
        try:
            yield running
            if not crash:
                async with asyncio.timeout(20):
                    await processor.drain()
        finally:
            await processor.stop()
            for journal in (inlet, outlet):
                await (die(journal) if crash and isinstance(journal, DiskJournal) else journal.stop())
            if journals is not None:
                journals.close()
    assert running.host.errors == []
