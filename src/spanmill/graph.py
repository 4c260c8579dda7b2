"""Names to components to order: builds what the service uses, connects it, starts and stops it.

Start runs against the flow and stop with it, so that every component drains into one that is alive:

    start:  extensions, exporters, consumers of processors, journals, deliveries, processors, receivers
    stop:   receivers, intakes, processors that hold rows, deliveries, journals, exporters, processors and their
            consumers, extensions
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spanmill import following
from spanmill.admission import Admission, JournalRoom
from spanmill.component import BatchPreference, Emitting, Intake, Settings, Status
from spanmill.config.models import Configuration
from spanmill.dead_letters import DeadLetters
from spanmill.delivery import STORE_RETRY, Delivered, Delivery
from spanmill.disk import Disk
from spanmill.errors import Busy, StartError
from spanmill.exporter_node import ExporterNode
from spanmill.intake import SignalIntake
from spanmill.journal import Journal
from spanmill.journal.directory import DEAD_LETTERS, JournalDirectory
from spanmill.journal.memory import MemoryJournal
from spanmill.memory_guard import guard_of_group
from spanmill.names import ComponentId, Kind, PipelineId
from spanmill.pipeline import Gate
from spanmill.registry import built_type
from spanmill.signal import Signal
from spanmill.stages import StageBuilder
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from spanmill.utilization import Utilization

_MIB = 1024 * 1024
_GUARD = ComponentId("memory_guard")
_OUTLET_WINDOW_SECONDS = 600.0
"""How long a journal remembers what a processor put into it, at least, whatever `dedup_window` is for senders."""
_FAILING_SECONDS = 60.0
"""An exporter that has not delivered for so long is reported as failing."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the daemon did with the items it took, by exporter; printed when it stops."""

    exporters: Mapping[str, Delivered]

    @property
    def held(self) -> int:
        """Items that were still in memory and are lost, added up over the exporters that did not get them."""
        return sum(delivered.held for delivered in self.exporters.values())

    @property
    def kept(self) -> int:
        """Items that wait on disk for the next start, added up over the exporters that did not get them."""
        return sum(delivered.kept for delivered in self.exporters.values())


class Graph:
    """The running components. Building does no work; `start` may be called once."""

    def __init__(
        self, configuration: Configuration, metrics: Metrics, pages: Pages, fatal: Callable[[BaseException], None]
    ) -> None:
        self._configuration = configuration
        self._metrics = metrics
        self._pages = pages
        self._fatal = fatal
        self._built = time.monotonic()
        self._log = component_log("service", "graph")
        limits = configuration.service.intake
        self.admission = Admission(limits.max_in_flight_mib * _MIB)
        self._memory_guard = guard_of_group(limits.max_memory_percentage, component_log("service", "memory"))
        metrics.gauge("spanmill_intake_in_flight_bytes", lambda: self.admission.in_flight_bytes)
        self.utilization = Utilization()
        metrics.gauge("spanmill_intake_utilization", lambda: self.utilization.share)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="intake")
        journal = configuration.service.journal
        self.journals = (
            JournalDirectory(journal, metrics, component_log("service", "journal")) if journal.enabled else None
        )
        self._states: dict[str, str] = {}
        self._shared: dict[tuple[Kind, ComponentId], dict[str, Any]] = {}
        self._is_started = self._is_guarded = False
        self._started: list[tuple[str, Any]] = []
        self.extensions = {
            i: self._build(Kind.EXTENSIONS, i)
            for i in configuration.service.extensions
            if not built_type(Kind.EXTENSIONS, i.type).ignored
        }
        self.exporters = self._build_exporters()
        build = partial(self._build, Kind.PROCESSORS)
        self.stages = StageBuilder(configuration, build, self._journal, self._executor, metrics).stages()
        self.deliveries = self._build_deliveries()
        self._followings = list(following.deliveries(self.stages.pipelines, self.stages.followers, metrics, fatal))
        self.receivers = {i: self._build(Kind.RECEIVERS, i) for i in configuration.used(Kind.RECEIVERS)}
        self.intakes = self._build_intakes()

    # Building: every used component once, processors once for each pipeline.

    def _build(self, kind: Kind, identity: ComponentId, signal: Signal | None = None) -> Any:
        config = self._configuration.components(kind)[identity]
        factory = built_type(kind, identity.type).load_factory()
        state = Path(self._configuration.service.journal.directory)
        shared = self._shared.setdefault((kind, identity), {})
        log = component_log(kind.singular, str(identity))
        return factory(config, Settings(kind, identity, log, self._metrics, signal, state, shared))

    def _build_exporters(self) -> dict[ComponentId, ExporterNode]:
        nodes = {}
        for identity, config in self._configuration.used(Kind.EXPORTERS).items():
            retry = getattr(config, "retry_on_failure", STORE_RETRY)
            nodes[identity] = ExporterNode(identity, self._build(Kind.EXPORTERS, identity), retry)
        return nodes

    def _journal(self, pipeline: PipelineId, fed: bool) -> Journal:
        config = self._configuration.service.journal
        window = max(config.dedup_window, _OUTLET_WINDOW_SECONDS) if fed else config.dedup_window
        if self.journals is not None:
            return self.journals.journal(pipeline, window)
        return MemoryJournal(config.max_bytes, window)

    def _build_dead_letters(self) -> DeadLetters | None:
        """None when journals are in memory: then nothing touches a disk, and what is given up is gone."""
        if self.journals is None:
            return None
        max_bytes = self._configuration.service.journal.dead_letters_max_size_mib * _MIB
        dead_letters = DeadLetters(self.journals.path / DEAD_LETTERS, max_bytes, Disk())
        self._metrics.gauge("spanmill_dead_letters_bytes", lambda: dead_letters.held_bytes)
        return dead_letters

    def _build_deliveries(self) -> list[Delivery]:
        dead_letters = self._build_dead_letters()
        deliveries = []
        for pipeline, exporters in self.stages.exporting:
            if pipeline.journal is None:
                continue
            for exporter in exporters:
                node = self.exporters[exporter]
                preference = _preference(node.exporter.preference(pipeline.identity.signal), pipeline.preference)
                deliveries.append(
                    Delivery(
                        pipeline.identity, pipeline.journal, node, preference, metrics=self._metrics,
                        log=component_log("exporter", str(exporter)), fatal=self._fatal, dead_letters=dead_letters,
                    )
                )  # fmt: skip
        return deliveries

    def _build_intakes(self) -> dict[tuple[ComponentId, Signal], SignalIntake]:
        intakes = {}
        for receiver in self.receivers:
            for signal in Signal:
                fed = [
                    self.stages.entries[identity]
                    for identity, section in self._configuration.service.pipelines.items()
                    if identity.signal is signal and receiver in section.receivers
                ]
                if fed:
                    intakes[receiver, signal] = SignalIntake(
                        receiver,
                        signal,
                        fed,
                        max_batch_bytes=self._configuration.service.intake.max_batch_bytes,
                        dedup=self._configuration.service.journal.dedup_window > 0,
                        executor=self._executor,
                        utilization=self.utilization,
                        metrics=self._metrics,
                        log=component_log("receiver", str(receiver)),
                    )
        return intakes

    # Running.

    async def start(self) -> None:
        """Start everything. Raises `StartError`, which names the component; call `stop` then too."""
        for identity, extension in self.extensions.items():
            await self._start("extension", identity, extension)
        if self.journals is not None:
            await self.journals.open()
        await self._start_consumers()
        for journal in self.stages.journals:
            await journal.start()
        entered = (journal for entry in self.stages.entries.values() for journal in entry.journals())
        self.admission.shared.extend(JournalRoom(journal) for journal in dict.fromkeys(entered))
        if self._memory_guard is not None:
            await self._memory_guard.start(ComponentHost(self, self._pages, _GUARD))
            self._is_guarded = True
        for delivery in (*self.deliveries, *self._followings):
            await delivery.start()
        for pipeline in self.stages.pipelines:
            for measured in pipeline.transforms:
                if hasattr(measured.transform, "start"):
                    await self._start("processor", measured.component, measured.transform)
        for holder in self.stages.holders:
            await self._start("processor", holder.component, holder.processor)
        for identity, receiver in self.receivers.items():
            await self._start("receiver", identity, receiver)
        self._is_started = True

    async def _start_consumers(self) -> None:
        following.warn_of_repeats(self._configuration, self.stages.followers, self._log)
        for kind, nodes in (("exporter", self.exporters), ("processor", self.stages.followers)):
            for identity, node in nodes.items():
                await self._start(kind, identity, node.exporter)

    async def _start(self, kind: str, identity: ComponentId, component: Any) -> None:
        name = f"{kind}/{identity}"
        self._states[name] = "starting"
        self._started.append((name, component))
        try:
            await component.start(ComponentHost(self, self._pages, identity))
        except StartError:
            raise
        except Exception as error:
            self._log.debug("a component failed to start", component=name, exc_info=error)
            raise StartError(name, f"{type(error).__name__}: {error}") from error
        self._states[name] = "ok"

    async def stop(self, grace_seconds: float) -> Report:
        """Stop everything within `grace_seconds`; what could not be delivered by then is in the report."""
        deadline = asyncio.get_running_loop().time() + grace_seconds
        await self._stop("receiver", deadline)
        if self._memory_guard is not None and self._is_guarded:
            self._is_guarded = False
            await self._memory_guard.stop()
        await _within(deadline, (intake.drain() for intake in self.intakes.values()))
        for holder in self.stages.holders_in_flow():
            await _within(deadline, [holder.processor.drain()])
        await _within(deadline, (delivery.drain() for delivery in self._followings))
        await _within(deadline, (emitter.drain() for emitter in self.stages.emitters))
        await _within(deadline, (delivery.drain() for delivery in self.deliveries))
        grace = max(deadline, asyncio.get_running_loop().time() + 1.0)
        await _within(grace, (journal.stop() for journal in self.stages.journals))
        if self.journals is not None:
            self.journals.close()
        for kind in ("exporter", "processor", "extension"):
            await self._stop(kind, grace)
        self._executor.shutdown(wait=False, cancel_futures=True)
        return self._report()

    async def _stop(self, kind: str, deadline: float) -> None:
        chosen = [(name, component) for name, component in self._started if name.startswith(f"{kind}/")]
        for name, _ in chosen:
            self._states[name] = "stopping"
        for name, error in zip(
            (n for n, _ in chosen), await _within(deadline, (c.stop() for _, c in chosen)), strict=True
        ):
            if error is not None:
                self._log.error("a component did not stop cleanly", component=name, reason=repr(error))
            self._states[name] = "stopped"

    def _report(self) -> Report:
        exporters: dict[str, Delivered] = {}
        for delivery in self.deliveries:
            total = exporters.setdefault(str(delivery.node.identity), Delivered())
            total.sent += delivery.counted.sent
            total.failed += delivery.counted.failed
            total.kept += delivery.counted.kept
            total.held += delivery.counted.held
        return Report(exporters)

    def status(self) -> Status:
        """See `Status`: not ready while starting or stopping, while a pipeline refuses, or while nothing leaves one
        that has only memory to keep it in."""
        failing, stuck = self._failing()
        reasons = [f"{name} is {state}" for name, state in self._states.items() if state != "ok"]
        if not self._is_started and not reasons:
            reasons.append("the daemon is starting")
        if self._memory_guard is not None:
            reasons.extend(_refusal(self._memory_guard))
        for pipeline in self.stages.entries.values():
            reasons.extend(_refusal(pipeline))
        for pipeline, _ in self.stages.exporting:
            exporters = {str(d.node.identity) for d in self.deliveries if d.pipeline == pipeline.identity}
            keeps = pipeline.journal is not None and pipeline.journal.durable
            if exporters and exporters <= stuck and not keeps:
                reasons.append(f"nothing leaves pipeline {pipeline.identity}: every exporter of it is failing")
        components = self._states | failing
        uptime = time.monotonic() - self._built
        return Status(not reasons, tuple(reasons), uptime, components)

    def _failing(self) -> tuple[dict[str, str], set[str]]:
        """The exporters and followers that fail, by name with how; and the ids of those that have for so long that
        nothing may be expected of them."""
        now = asyncio.get_running_loop().time()
        failing, stuck = {}, set()
        nodes = [(f"exporter/{i}", node) for i, node in self.exporters.items()]
        nodes += [(f"processor/{i}", node) for i, node in self.stages.followers.items()]
        for name, node in nodes:
            breaker, since = node.breaker, node.breaker.failing_since
            long = since is not None and now - since > _FAILING_SECONDS
            trouble = node.exporter.trouble if isinstance(node.exporter, Emitting) else ""
            if long or breaker.is_open or trouble:
                failing[name] = f"failing: {trouble or breaker.reason}"
            if long:
                stuck.add(str(node.identity))
        return failing, stuck

    def report_fatal(self, error: BaseException) -> None:
        """A component died while running."""
        self._fatal(error)


class ComponentHost:
    """The engine as one component sees it. Implements `component.Host`."""

    def __init__(self, graph: Graph, pages: Pages, identity: ComponentId) -> None:
        self.admission = graph.admission
        self.utilization = graph.utilization
        self.pages = pages
        self._graph = graph
        self._identity = identity

    def intake(self, signal: Signal) -> Intake | None:
        return self._graph.intakes.get((self._identity, signal))

    def report_fatal(self, error: BaseException) -> None:
        self._graph.report_fatal(error)

    def status(self) -> Status:
        return self._graph.status()

    def extension(self, component: ComponentId) -> Any:
        return self._graph.extensions[component]


def _refusal(gate: Gate) -> Iterator[str]:
    try:
        gate.check()
    except Busy as busy:
        yield f"senders are refused: {busy.reason}"


def _preference(exporter: BatchPreference, pipeline: BatchPreference | None) -> BatchPreference:
    """An exporter that gathers knows best (a file has its own size); others take what the `batch` processor asks."""
    gathers = exporter.min_items or exporter.min_bytes
    return exporter if gathers or pipeline is None else pipeline


async def _within(deadline: float, work: Iterable[Any]) -> list[BaseException | None]:
    """Run all at once, and cancel what is not done by `deadline` (event loop time). The error of each, or None."""
    tasks = [asyncio.ensure_future(item) for item in work]
    if not tasks:
        return []
    _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    for task in late:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [result if isinstance(result, BaseException) else None for result in results]
