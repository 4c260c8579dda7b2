"""A judge on journals and servers that a test plays with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Inlet, Position, Settings
from spanmill.journal import Journal
from spanmill.journal.disk import DiskJournal
from spanmill.journal.memory import MemoryJournal
from spanmill.llm import evaluations
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.otlp.codec import encode
from spanmill.otlp.messages import SERVICES
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.processors.llm_judge.consumer import JudgeConsumer
from spanmill.schema import SPANS
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.utilization import Utilization
from tests.data import START, spans
from tests.journal.harness import Opened, die
from tests.judge.model_server import ModelServer
from tests.logs import CapturedLog

NOW = START / 1e9 + 5
PIPELINE = PipelineId(Signal.TRACES)
QUICK = {"initial_interval": "1ms", "max_interval": "5ms"}


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


class Host:
    """Remembers what died."""

    def __init__(self) -> None:
        self.deaths: list[BaseException] = []
        self.clock = Clock()
        self.utilization = Utilization(self.clock)
        self.utilization.begin("otlp")

    def report_fatal(self, error: BaseException) -> None:
        self.deaths.append(error)


class JournalOutlet:
    """Implements `component.Outlet`."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.reader = journal.reader("test")
        self.came = asyncio.Event()
        self.taken: list[Batch] = []
        self.gate = asyncio.Event()
        """Nothing is taken while it is clear."""
        self.gate.set()

        self.forgets = False
        """As when `dedup_window` is over."""

    def holds(self, digest: bytes) -> bool:
        return not self.forgets and self.journal.holds(digest)

    async def put(self, batch: Batch, *digests: bytes) -> None:
        await self.gate.wait()
        assert not any(map(self.holds, digests))
        await self.journal.append(self.journal.pack(batch, digests))
        self.taken.append(batch)
        self.came.set()


def messages(role: str, text: str) -> str:
    """A conversation of one message, as its column has it."""
    return orjson.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()


def calls(count: int = 1, first: int = 1, **columns: Any) -> Batch:
    """Calls of models, each with a trace of its own and another question. `columns`: a value for all, or a list."""
    batch = spans(count, first)
    filled: dict[str, Any] = {
        "is_llm_call": True,
        "operation": "chat",
        "request_model": "gpt-4o",
        "input": [messages("user", f"What is {number} and 1?") for number in range(first, first + count)],
        "output": [messages("assistant", f"It is {number + 1}.") for number in range(first, first + count)],
    }
    for name, value in (filled | columns).items():
        values = value if isinstance(value, list) else [value] * count
        batch = batch.with_record_column(name, pa.array(values, SPANS.schema.field(name).type))
    return batch


def config(server: ModelServer | None = None, **written: Any) -> LlmJudgeProcessorConfig:
    """Of a judge that judges everything for relevance."""
    model = {"model": "gpt-4o-mini", "base_url": server.url if server else "http://127.0.0.1:1/v1"}
    body = {"evaluators": ["relevance"], "share": 1.0, "retry_on_failure": QUICK, **written}
    return LlmJudgeProcessorConfig.model_validate(body | {"model": model | dict(written.get("model", {}))})


class Judging:
    """One run of a judge. With `directory` its journals are on disk, and can be opened again."""

    def __init__(self, config: LlmJudgeProcessorConfig, directory: Path, *, durable: bool = False) -> None:
        self.log, self.metrics, self.clock, self.host = CapturedLog(), Metrics(), Clock(), Host()
        self.durable, self.directory = durable, directory
        settings = Settings(
            Kind.PROCESSORS, ComponentId("llm_judge"), self.log, self.metrics, Signal.TRACES, directory / "state"
        )
        self.consumer = JudgeConsumer(config, settings, self.clock)
        self.queue, logs, traces = (self._journal(name) for name in ("queue", "logs", "traces"))
        self.logs, self.traces = JournalOutlet(logs), JournalOutlet(traces)
        self.inlet = Inlet(PIPELINE, self.queue, self.queue.reader("judge"))
        self._next = 1

    def _journal(self, name: str) -> Journal:
        if not self.durable:
            return MemoryJournal(64 * 1024 * 1024)
        (self.directory / name).mkdir(exist_ok=True)
        return Opened(self.directory / name, max_bytes=1 << 26).journal

    async def start(self) -> "Judging":
        for journal in (self.queue, self.logs.journal, self.traces.journal):
            await journal.start()
        self.consumer.connect(self.inlet, {Signal.LOGS: self.logs, Signal.TRACES: self.traces})
        await self.consumer.start(self.host)  # type: ignore[arg-type]
        return self

    async def stop(self) -> None:
        await self.consumer.drain()
        for journal in (self.queue, self.logs.journal, self.traces.journal):
            await journal.stop()
        await self.consumer.stop()

    async def die(self) -> None:
        """The process ends: nothing is put in order."""
        worker, book, models = self.consumer._worker, self.consumer._book, self.consumer._models
        assert worker is not None
        assert models is not None
        tasks = [task for task in (worker._task, *worker._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        book._file.close()
        book._is_open = False
        await models.stop()
        for journal in (self.queue, self.logs.journal, self.traces.journal):
            if isinstance(journal, DiskJournal):
                await die(journal)

    async def export(self, batch: Batch, journal: str = "j", first: int | None = None) -> None:
        """Hand over the next record of the pipeline's journal."""
        number = self._next if first is None else first
        self._next = number + 1
        await self.consumer.export(batch, Position(journal, number, number))

    async def done(self) -> None:
        """Wait until nothing waits."""
        async with asyncio.timeout(20):
            while self.inlet.reader.held_items:
                await asyncio.sleep(0.002)
        assert not self.host.deaths

    def samples(self, **labels: str) -> int:
        """Samples that ended so."""
        return int(self.metrics.value("spanmill_llm_judge_samples", **labels))

    def verdicts(self) -> list[dict[str, Any]]:
        """The attributes of every evaluation event, with the ids that it stands for."""
        found = []
        for batch in self.logs.taken:
            request = SERVICES[Signal.LOGS].request.FromString(encode(Signal.LOGS, batch.records))
            for resource in request.resource_logs:  # type: ignore[attr-defined]
                for record in resource.scope_logs[0].log_records:
                    assert record.event_name == evaluations.EVENT_NAME
                    told = {each.key: _value(each.value) for each in record.attributes}
                    found.append(told | {"span": int.from_bytes(record.span_id, "big")})
        return found

    def gauge(self, name: str, **labels: str) -> float:
        """The sum of a gauge over the series with these labels."""
        wanted = set(labels.items())
        return sum(
            reading.value or 0
            for reading in self.metrics.read()
            if reading.definition.name == name and wanted <= set(reading.labels)
        )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@asynccontextmanager
async def judging(config: LlmJudgeProcessorConfig, directory: Path, *, durable: bool = False) -> AsyncIterator[Judging]:
    run = Judging(config, directory, durable=durable)
    try:
        yield await run.start()
    finally:
        await run.stop()
