"""One process's worth of collector: the real graph on a disk that fails, with exporters that fail on top."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spanmill import graph as graph_module
from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Outcome, Position, Sender
from spanmill.dead_letters import letters, read_letter
from spanmill.errors import Busy, Rejected
from spanmill.graph import Graph
from spanmill.journal.directory import JournalDirectory
from spanmill.journal.disk import DiskJournal
from spanmill.names import ComponentId
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from tests.data import span_ids
from tests.deliveries import QUICK
from tests.journal.harness import FaultyDisk, die
from tests.properties.graphs import GraphPlan

FAULTS = ("busy", "busy after", "rejected", "defect")


class Flaky:
    """An exporter that fails first as it is told, one fault for each attempt, and then works."""

    def __init__(self, exporter: Any, faults: list[str]) -> None:
        self._exporter, self._faults = exporter, faults

    def preference(self, signal: Signal) -> BatchPreference:
        wanted: BatchPreference = self._exporter.preference(signal)
        return wanted

    async def start(self, host: Host) -> None:
        await self._exporter.start(host)

    async def stop(self) -> None:
        await self._exporter.stop()

    async def committed(self, journal: str, signal: Signal) -> int | None:
        stored: int | None = await self._exporter.committed(journal, signal)
        return stored

    async def export(self, batch: Batch, position: Position) -> None:
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "busy":
            raise Busy("as it was told")
        if fault == "rejected":
            raise Rejected("as it was told")
        if fault == "defect":
            raise ZeroDivisionError("as it was told")
        await self._exporter.export(batch, position)
        if fault == "busy after":
            raise Busy("it is there, and the answer is lost")


class Memory:
    """An exporter that remembers what it was handed, in a place that outlives it."""

    def __init__(self, got: Counter[int]) -> None:
        self._got = got

    def preference(self, signal: Signal) -> BatchPreference:
        return BatchPreference()

    async def start(self, host: Host) -> None: ...

    async def stop(self) -> None: ...

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        self._got.update(span_ids(batch))


class Daemon:
    """Runs, is stopped or killed, and runs again on the same directories."""

    def __init__(self, plan: GraphPlan, directory: Path) -> None:
        self.plan, self.directory = plan, directory
        self.disk = FaultyDisk()
        self.faults: dict[str, list[str]] = {name: [] for name in plan.exporters}
        self.remembered: dict[str, Counter[int]] = {n: Counter() for n in plan.exporters if n.startswith("debug")}
        self.died: list[BaseException] = []
        self.graph: Graph | None = None

    @property
    def running(self) -> Graph:
        assert self.graph is not None
        return self.graph

    async def start(self) -> None:
        with _injected(self.disk):
            graph = Graph(self.plan.configuration(self.directory), Metrics(), Pages(), self.died.append)
        for identity, node in graph.exporters.items():
            name = str(identity)
            inner = Memory(self.remembered[name]) if name in self.remembered else node.exporter
            node.exporter = Flaky(inner, self.faults[name])
        self.graph = graph
        await graph.start()

    async def send(self, receiver: str, payload: bytes) -> Outcome:
        intake = self.running.intakes[ComponentId(*receiver.split("/")), Signal.TRACES]
        return await intake.submit(payload, "http", Sender("tests"))

    async def stop(self, grace_seconds: float) -> None:
        """As SIGTERM does."""
        await self.running.stop(grace_seconds)
        self.graph = None

    async def kill(self) -> None:
        """As SIGKILL does, but for the ports, threads and files, which are let go."""
        graph = self.running
        tasks = [d._task for d in graph.deliveries] + [i._worker for i in graph.intakes.values()]
        tasks += [task for intake in graph.intakes.values() for task in intake._deposits]
        for task in tasks:
            if task is not None:
                task.cancel()
                with suppress(BaseException):
                    await task
        for receiver in graph.receivers.values():
            await receiver.stop()
        for pipeline in graph.stages.pipelines:
            if isinstance(pipeline.journal, DiskJournal):
                await die(pipeline.journal)
        if graph.journals is not None:
            graph.journals.close()
        for node in graph.exporters.values():
            await node.exporter.stop()
        graph._executor.shutdown()
        self.graph = None

    async def delivered(self) -> None:
        """Wait until every exporter has had everything."""
        while any(delivery._reader.held_items for delivery in self.running.deliveries):
            assert self.died == []
            await asyncio.sleep(0.002)

    def dead(self) -> Counter[tuple[int, str, int]]:
        """How often each span is in a dead letter, by pipeline and exporter."""
        found: Counter[tuple[int, str, int]] = Counter()
        for path in letters(self.directory / "journal" / "dead_letters"):
            letter, batch = read_letter(path)
            found.update((int(letter.pipeline.split("/")[1]), letter.exporter, number) for number in span_ids(batch))
        return found


@contextmanager
def _injected(disk: FaultyDisk) -> Iterator[None]:
    """Graphs that are built meanwhile have their journals on that disk, and try again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_module, "STORE_RETRY", QUICK)
        patch.setattr(graph_module, "JournalDirectory", partial(JournalDirectory, disk=disk))
        yield
