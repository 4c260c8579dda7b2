"""Deliveries from real journals to an exporter that does as a test tells it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Exporter, Host, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.dead_letters import DeadLetters, Letter, letters, read_letter
from spanmill.delivery import Delivery
from spanmill.disk import Disk
from spanmill.exporter_node import ExporterNode
from spanmill.journal import Journal
from spanmill.journal.committer import Policy
from spanmill.journal.disk import DiskJournal, Limits
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.data import span_ids, spans
from tests.logs import CapturedLog
from tests.timing.jumping_loop import time_stands_still

TRACES = PipelineId(Signal.TRACES)
QUICK = RetryOnFailure.model_validate({"initial_interval": "1ms", "max_interval": "2ms"})
EXACT = RetryOnFailure(randomization_factor=0.0)
"""The defaults, without chance."""
_MIB = 1 << 20


class RecordingExporter:
    """Keeps what it is handed; fails as told: by `answers` first, one for each attempt, then by `always`."""

    def __init__(self, preference: BatchPreference | None = None) -> None:
        self.wanted = preference or BatchPreference()
        self.batches: list[list[int]] = []
        self.positions: list[Position] = []
        self.offered: list[tuple[float, list[int]]] = []
        """Every attempt: the event loop's time, and the ids of the spans."""
        self.answers: list[BaseException | None] = []
        self.always: BaseException | None = None
        self.poison: set[int] = set()
        """Ids of spans that make it fail by a defect."""
        self.already: int | None = None

    @property
    def attempts(self) -> int:
        return len(self.offered)

    @property
    def times(self) -> list[float]:
        """When it was tried, in seconds since the first time."""
        return [round(time - self.offered[0][0], 6) for time, _ in self.offered]

    @property
    def got(self) -> list[int]:
        """The ids of all spans that were delivered."""
        return [number for batch in self.batches for number in batch]

    def preference(self, signal: Signal) -> BatchPreference:
        return self.wanted

    async def start(self, host: Host) -> None: ...

    async def stop(self) -> None: ...

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self.already

    async def export(self, batch: Batch, position: Position) -> None:
        numbers = span_ids(batch)
        self.offered.append((asyncio.get_running_loop().time(), numbers))
        answer = self.answers.pop(0) if self.answers else self.always
        if answer is not None:
            raise answer
        if self.poison.intersection(numbers):
            raise ZeroDivisionError("poison")
        self.batches.append(numbers)
        self.positions.append(position)


class Engine:
    """Journals, deliveries and dead letters below a directory; may be opened on the same directory again."""

    def __init__(self, directory: Path, *, durable: bool, max_bytes: int = 64 * _MIB, disk: Disk | None = None) -> None:
        self.directory, self.durable, self.max_bytes = directory, durable, max_bytes
        self.metrics, self.log = Metrics(), CapturedLog()
        self.dead_letters = DeadLetters(directory / "dead_letters", _MIB, disk or Disk())
        self.journals: dict[PipelineId, Journal] = {}
        self.deliveries: list[Delivery] = []
        self.faults: list[BaseException] = []

    def node(self, exporter: Exporter, retry: RetryOnFailure = QUICK, name: str = "record") -> ExporterNode:
        return ExporterNode(ComponentId(name), exporter, retry)

    def deliver(self, node: ExporterNode, pipeline: PipelineId = TRACES, *, letters: bool = True) -> Delivery:
        """A delivery of the pipeline's journal, not started."""
        delivery = Delivery(
            pipeline,
            self.journals.setdefault(pipeline, self._journal(pipeline)),
            node,
            node.exporter.preference(pipeline.signal),
            metrics=self.metrics,
            log=self.log,
            fatal=self.faults.append,
            dead_letters=self.dead_letters if letters else None,
        )
        self.deliveries.append(delivery)
        return delivery

    def _journal(self, pipeline: PipelineId) -> Journal:
        if not self.durable:
            return MemoryJournal(self.max_bytes)
        folder = self.directory / "journal" / str(pipeline)
        limits, policy = Limits(self.max_bytes), Policy(segment_bytes=_MIB)
        return DiskJournal(folder, pipeline, limits, policy, self.metrics, self.log)

    async def start(self) -> None:
        for journal in self.journals.values():
            await journal.start()
        for delivery in self.deliveries:
            await delivery.start()

    async def send(self, count: int, first: int = 1, pipeline: PipelineId = TRACES) -> None:
        """Append one record of so many spans."""
        journal = self.journals[pipeline]
        with time_stands_still():
            await journal.append(journal.pack(spans(count, first=first)))

    async def stop(self, grace_seconds: float = 0.05) -> None:
        """Drain, and give up after a while. Safe twice."""
        draining = [asyncio.create_task(delivery.drain()) for delivery in self.deliveries]
        if draining:
            await asyncio.wait(draining, timeout=grace_seconds)
        for task in draining:
            task.cancel()
        await asyncio.gather(*draining, return_exceptions=True)
        for journal in self.journals.values():
            await journal.stop()

    def letters(self) -> Iterator[tuple[Letter, list[int]]]:
        """The dead letters, oldest first, with the ids of their spans."""
        for path in letters(self.dead_letters.directory):
            letter, batch = read_letter(path)
            yield letter, span_ids(batch)

    def events(self, level: str) -> list[str]:
        """What was logged at a level."""
        return [entry["event"] for entry in self.log.entries if entry["log_level"] == level]


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    while not condition():
        await asyncio.sleep(0.001)
