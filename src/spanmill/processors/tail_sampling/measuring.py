"""What tail sampling counts, under the Collector's names where it has the same."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from spanmill.batch import Batch
from spanmill.component import Inlet, Settings
from spanmill.journal import Record
from spanmill.processors.tail_sampling.decisions import DROPPED_BY_NONE, Pass
from spanmill.processors.tail_sampling.policies import Verdicts
from spanmill.processors.tail_sampling.sampler import Counted, Sampler
from spanmill.telemetry.metrics import Counter

_COLLECTOR: Final = "otelcol_processor_tail_sampling"
_OURS: Final = "spanmill_tail_sampling"


class Measures:
    """Of one sampler."""

    def __init__(self, settings: Settings, inlet: Inlet, sampler: Sampler) -> None:
        self._metrics, self._sampler, self._log = settings.metrics, sampler, settings.log
        self._labels = {"processor": str(settings.id), "pipeline": str(inlet.pipeline)}
        items = {**self._labels, "otel_signal": inlet.pipeline.signal.value}
        self._incoming = self._metrics.counter("otelcol_processor_incoming_items", **items)
        self._outgoing = self._metrics.counter("otelcol_processor_outgoing_items", **items)
        self._duration = self._metrics.histogram("otelcol_processor_internal_duration", **items)
        self._passes = self._metrics.histogram(f"{_OURS}_pass_duration", **self._labels)
        index, held = sampler.index, sampler.held
        for name, read in (
            (f"{_COLLECTOR}_sampling_traces_on_memory", lambda: sampler.pending),
            (f"{_OURS}_pending_spans", lambda: held.rows),
            (f"{_OURS}_memory_bytes", lambda: held.nbytes + index.nbytes),
            (f"{_OURS}_journal_bytes", lambda: inlet.reader.held_bytes),
        ):
            self._metrics.gauge(name, read, **self._labels)

    def took(self, records: Sequence[Record], seconds: float) -> None:
        """Records were taken in."""
        self._incoming.add(sum(record.items for record in records))
        self._duration.observe(seconds)
        counted, self._sampler.counted = self._sampler.counted, Counted()
        self._counter(f"{_COLLECTOR}_new_trace_id_received").add(counted.new_traces)
        self._counter(f"{_OURS}_late_spans", sampled="true").add(counted.late_kept)
        self._counter(f"{_OURS}_late_spans", sampled="false").add(counted.late_dropped)
        self._counter(f"{_OURS}_late_evaluations").add(counted.scored_late)
        if counted.unreadable:
            self._lost(counted.unreadable)

    def decided(self, made: Pass, verdicts: Verdicts | None, early: int, spans: np.ndarray, seconds: float) -> None:
        """A pass was made; `spans` of each of its traces."""
        self._passes.observe(seconds)
        self._counter(f"{_OURS}_early_decisions").add(early)
        kept = made.policies != DROPPED_BY_NONE
        for sampled, where in (("true", kept), ("false", ~kept)):
            self._counter(f"{_COLLECTOR}_global_count_traces_sampled", sampled=sampled).add(int(where.sum()))
            self._counter(f"{_COLLECTOR}_count_spans_sampled", sampled=sampled).add(int(spans[where].sum()))
        for number, count in zip(*np.unique(made.policies[kept], return_counts=True), strict=True):
            labels = {"policy": self._sampler.names[number], "sampled": "true"}
            self._counter(f"{_COLLECTOR}_count_traces_sampled", **labels).add(int(count))
        if verdicts is not None:
            self._policies(verdicts)
        if self._sampler.held.lost:
            self._lost(self._sampler.held.lost)
            self._sampler.held.lost = 0

    def _policies(self, verdicts: Verdicts) -> None:
        """What each policy said by itself."""
        dropped = np.bincount(verdicts.dropped_by[verdicts.dropped_by >= 0], minlength=len(verdicts.matched))
        for name, counts in (
            (f"{_OURS}_policy_matches", verdicts.matched),
            (f"{_OURS}_policy_drops", dropped),
            (f"{_OURS}_oversized_traces", verdicts.oversized),
            (f"{_COLLECTOR}_sampling_policy_evaluation_error", verdicts.failed),
        ):
            for number in np.flatnonzero(counts):
                self._counter(name, policy=self._sampler.names[number]).add(int(counts[number]))

    def put(self, batch: Batch) -> None:
        """Rows were let go."""
        self._outgoing.add(len(batch))

    def _lost(self, items: int) -> None:
        self._log.error("data is lost: the journal cannot give it, or it cannot be taken in", items=items)
        self._metrics.counter("spanmill_processor_lost_items", processor=self._labels["processor"]).add(items)

    def _counter(self, name: str, **labels: str) -> Counter:
        return self._metrics.counter(name, **self._labels, **labels)
