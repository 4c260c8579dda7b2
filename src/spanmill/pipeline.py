"""One pipeline: transforms in a row, then a journal for its exporters and the pipelines that its connectors feed."""

import time
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Transform
from spanmill.errors import Busy
from spanmill.journal import Journal
from spanmill.names import ComponentId, PipelineId
from spanmill.telemetry.metrics import Metrics

Deposit = tuple[Journal, Batch]
"""What is to be appended, and where."""


@runtime_checkable
class Gate(Protocol):
    """A processor that may refuse before anything is decoded."""

    def check(self) -> None:
        """Raises `Busy`."""


class MeasuredTransform:
    """A transform with what the graph counts round it: items in, items out, seconds."""

    def __init__(self, component: ComponentId, pipeline: PipelineId, transform: Transform, metrics: Metrics) -> None:
        labels = {"processor": str(component), "otel_signal": pipeline.signal.value, "pipeline": str(pipeline)}
        self.component = component
        self.transform = transform
        self._incoming = metrics.counter("otelcol_processor_incoming_items", **labels)
        self._outgoing = metrics.counter("otelcol_processor_outgoing_items", **labels)
        self._duration = metrics.histogram("otelcol_processor_internal_duration", **labels)

    def __call__(self, batch: Batch) -> Batch:
        started = time.perf_counter()
        result = self.transform(batch)
        self._duration.observe(time.perf_counter() - started)
        self._incoming.add(len(batch))
        self._outgoing.add(len(result))
        return result


class Pipeline:
    """What a batch goes through. `process` may run in any thread; the rest belongs to the event loop."""

    def __init__(self, identity: PipelineId, transforms: Sequence[MeasuredTransform], journal: Journal | None) -> None:
        self.identity = identity
        self.transforms = tuple(transforms)
        # Found once: every request asks them, and to ask whether something is one takes longer than its answer.
        self._gates = [each.transform for each in self.transforms if isinstance(each.transform, Gate)]
        self.journal = journal
        """None when every exporter of the pipeline is a connector."""
        self.connected: tuple[Pipeline, ...] = ()
        """The pipelines behind this one's connectors."""
        self.behind: Pipeline | None = None
        """The rest, where a processor that holds rows cuts a pipeline of the configuration in two: it reads this one's
        journal, and puts there what it lets go."""

    @property
    def last(self) -> "Pipeline":
        """The last part of the same pipeline of the configuration."""
        return self if self.behind is None else self.behind.last

    @property
    def masks(self) -> bool:
        """Whether personal data is masked here, or in a pipeline behind this one."""
        here = any(getattr(measured.transform, "masks", False) for measured in self.transforms)
        behind = self.connected if self.behind is None else (self.behind,)
        return here or any(pipeline.masks for pipeline in behind)

    @property
    def preference(self) -> BatchPreference | None:
        """What a `batch` processor asks of the exporters of this pipeline."""
        for measured in reversed(self.transforms):
            preference = getattr(measured.transform, "preference", None)
            if isinstance(preference, BatchPreference):
                return preference
        return None

    def check(self) -> None:
        """Raises `Busy` when this pipeline, or one behind it, would not take anything now."""
        for gate in self._gates:
            gate.check()
        if self.journal is not None:
            try:
                self.journal.reserve(0)
            except Busy as busy:
                raise Busy(f"pipeline {self.identity}: {busy.reason}", busy.retry_after) from None
        for pipeline in self.connected:
            pipeline.check()

    def journals(self) -> Iterator[Journal]:
        """This pipeline's journal and those of the pipelines behind it."""
        if self.journal is not None:
            yield self.journal
        for pipeline in self.connected:
            yield from pipeline.journals()

    def process(self, batch: Batch) -> list[Deposit]:
        """Run the transforms; what is to be appended to which journal, this pipeline's and those behind it."""
        for measured in self.transforms:
            if len(batch) == 0:
                return []
            batch = measured(batch)
        if len(batch) == 0:
            return []
        deposits = [] if self.journal is None else [(self.journal, batch)]
        for pipeline in self.connected:
            deposits.extend(pipeline.process(batch))
        return deposits
