"""How a pipeline of the configuration becomes pipelines that run: one as a rule; cut in two at each processor that
holds rows; and one beside it for each signal that a follower makes rows of."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spanmill.component import Emitting, Holding, Inlet, Outlet
from spanmill.config.models import Configuration
from spanmill.config.models import Pipeline as Section
from spanmill.following import Followers, follow
from spanmill.journal import Journal
from spanmill.names import ComponentId, Kind, PipelineId, follower
from spanmill.outlet import PipelineOutlet
from spanmill.pipeline import MeasuredTransform, Pipeline
from spanmill.registry import built_type
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

Build = Callable[[ComponentId, Signal], Any]
"""Builds a processor for a pipeline of a signal."""
MakeJournal = Callable[[PipelineId, bool], Journal]
"""Makes a journal. The flag: an outlet leads to it, so that it has to remember what was put."""


class Holder(NamedTuple):
    """A processor that holds rows of a pipeline."""

    component: ComponentId
    processor: Holding
    pipeline: PipelineId


@dataclass(slots=True)
class Stages:
    """The pipelines that run."""

    entries: dict[PipelineId, Pipeline] = field(default_factory=dict)
    """Of each pipeline of the configuration, where receivers and connectors hand in."""
    pipelines: list[Pipeline] = field(default_factory=list)
    """All of them; those of one section in the order of their flow."""
    exporting: list[tuple[Pipeline, tuple[ComponentId, ...]]] = field(default_factory=list)
    """Those whose journals exporters read, with these."""
    queues: list[Journal] = field(default_factory=list)
    """Journals that belong to processors and to no pipeline."""
    holders: list[Holder] = field(default_factory=list)
    emitters: list[Emitting] = field(default_factory=list)
    followers: Followers = field(default_factory=dict)

    @property
    def journals(self) -> list[Journal]:
        """Every journal there is."""
        return [pipeline.journal for pipeline in self.pipelines if pipeline.journal is not None] + self.queues

    def holders_in_flow(self) -> list[Holder]:
        """The holders, each before those that its rows reach."""
        order = {pipeline.identity: place for place, pipeline in enumerate(_flow(self.entries))}
        return sorted(self.holders, key=lambda holder: order[holder.pipeline])


class StageBuilder:
    """Builds `Stages`, once. Builds processors; starts nothing."""

    def __init__(
        self, configuration: Configuration, build: Build, journal: MakeJournal, executor: Executor, metrics: Metrics
    ) -> None:
        self._configuration, self._build, self._journal = configuration, build, journal
        self._executor, self._metrics = executor, metrics
        self._stages = Stages()

    def stages(self) -> Stages:
        """All pipelines, connected."""
        sections = self._configuration.service.pipelines
        last = {identity: self._add(identity, section) for identity, section in sections.items()}
        for identity, section in sections.items():
            connectors = {each for each in section.exporters if each in self._configuration.connectors}
            last[identity].connected = tuple(
                self._stages.entries[other]
                for other, behind in sections.items()
                if other.signal is identity.signal and connectors.intersection(behind.receivers)
            )
        return self._stages

    def _add(self, identity: PipelineId, section: Section) -> Pipeline:
        """A section's pipelines, from the last to the first; the last one is what its exporters read."""
        parts, holders = self._parts(identity, section)
        exporters = tuple(each for each in section.exporters if each not in self._configuration.connectors)
        last = pipeline = self._pipeline(identity, parts[-1], stores=bool(exporters), fed=bool(holders))
        self._stages.exporting.append((last, exporters))
        chain = [last]
        for (component, processor), transforms in zip(reversed(holders), reversed(parts[:-1]), strict=True):
            name = identity._replace(part=f"before {component}")
            before = self._pipeline(name, transforms, stores=True, fed=True)
            assert before.journal is not None
            reader = before.journal.reader(f"{name}>{follower(component)}")
            processor.connect(Inlet(identity, before.journal, reader), self._outlet(component, pipeline))
            before.behind = pipeline
            pipeline = before
            chain.append(before)
        self._stages.holders += [Holder(component, processor, identity) for component, processor in holders]
        self._stages.entries[identity] = pipeline
        self._stages.pipelines.extend(reversed(chain))
        for each in reversed(chain):
            self._connect_emitters(each, last, exporters)
        return last

    def _parts(
        self, identity: PipelineId, section: Section
    ) -> tuple[list[list[MeasuredTransform]], list[tuple[ComponentId, Holding]]]:
        """The transforms between the processors that hold rows, and these."""
        parts: list[list[MeasuredTransform]] = [[]]
        holders: list[tuple[ComponentId, Holding]] = []
        for component in section.processors:
            processor = self._build(component, identity.signal)
            if isinstance(processor, Holding):
                holders.append((component, processor))
                parts.append([])
            else:
                parts[-1].append(MeasuredTransform(component, identity, processor, self._metrics))
        return parts, holders

    def _pipeline(
        self, identity: PipelineId, transforms: Sequence[MeasuredTransform], *, stores: bool, fed: bool
    ) -> Pipeline:
        stores = follow(transforms, self._stages.followers) or stores
        return Pipeline(identity, transforms, self._journal(identity, fed) if stores else None)

    def _outlet(self, component: ComponentId, pipeline: Pipeline) -> Outlet:
        lost = self._metrics.counter("spanmill_processor_lost_items", processor=str(component))
        return PipelineOutlet(pipeline, self._executor, lost, component_log("processor", str(component)))

    # Followers that make rows.

    def _connect_emitters(self, pipeline: Pipeline, last: Pipeline, exporters: Iterable[ComponentId]) -> None:
        for measured in pipeline.transforms:
            node = self._stages.followers.get(measured.component)
            if node is None or not isinstance(node.exporter, Emitting) or node.exporter in self._stages.emitters:
                continue
            name = last.identity._replace(part=f"queue of {measured.component}")
            queue = self._journal(name, True)
            self._stages.queues.append(queue)
            self._stages.emitters.append(node.exporter)
            reader = queue.reader(f"{name}>{follower(measured.component)}")
            outlets = self._outlets(measured.component, last, exporters)
            node.exporter.connect(Inlet(last.identity, queue, reader), outlets)

    def _outlets(
        self, component: ComponentId, last: Pipeline, exporters: Iterable[ComponentId]
    ) -> dict[Signal, Outlet]:
        """One for each signal that some exporter takes."""
        outlets = {}
        for signal in Signal:
            taking = tuple(each for each in exporters if self._takes(each, signal))
            if signal is last.identity.signal and last.journal is not None:
                outlets[signal] = self._outlet(component, Pipeline(last.identity, (), last.journal))
            elif taking:
                name = PipelineId(signal, last.identity.name, f"of {component}")
                beside = Pipeline(name, (), self._journal(name, True))
                self._stages.pipelines.append(beside)
                self._stages.exporting.append((beside, taking))
                outlets[signal] = self._outlet(component, beside)
        return outlets

    def _takes(self, exporter: ComponentId, signal: Signal) -> bool:
        config = self._configuration.exporters[exporter]
        has_endpoint = not hasattr(config, "url") or config.url(signal) is not None
        return has_endpoint and signal in built_type(Kind.EXPORTERS, exporter.type).signals


def _flow(entries: dict[PipelineId, Pipeline]) -> list[Pipeline]:
    """The last pipelines of all sections, each before those that its connectors feed. There is no circle."""
    order: list[Pipeline] = []

    def visit(entry: Pipeline) -> None:
        last = entry.last
        if last not in order:
            for connected in last.connected:
                visit(connected)
            order.append(last)

    for entry in entries.values():
        visit(entry)
    return order[::-1]
