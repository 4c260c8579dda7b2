"""The probabilistic_sampler processor."""

from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.processors.probabilistic_sampler.config import ProbabilisticSamplerProcessorConfig
from spanmill.processors.probabilistic_sampler.decisions import MISSING, POLICIES, PRIORITY, Decided, mode_of
from spanmill.processors.probabilistic_sampler.priorities import log_thresholds, span_thresholds
from spanmill.sampling import NEVER, Thresholds, raised
from spanmill.sampling.arriving import arrival_of
from spanmill.sampling.thresholds import weights_behind
from spanmill.sampling.weights import Resampling, resampled
from spanmill.signal import Signal

_PREFIX: Final = "otelcol_processor_probabilistic_sampler_count_"
_COUNTERS: Final = {
    # The Collector renamed the one for spans, and goes on counting under both names.
    Signal.TRACES: (_PREFIX + "traces_sampled", _PREFIX + "spans_processed"),
    Signal.LOGS: (_PREFIX + "logs_sampled",),
}


class ProbabilisticSamplerProcessor:
    """Keeps a share of the traces or log records. Made for one pipeline, and so for one signal."""

    def __init__(self, config: ProbabilisticSamplerProcessorConfig, settings: Settings) -> None:
        if settings.signal is None:
            raise ValueError("a sampler belongs to a pipeline; its settings name the signal")
        self._mode = mode_of(config)
        self._failed_threshold = np.uint64(NEVER if config.fail_closed else 0)
        self._priority_key = config.sampling_priority
        self._precision = config.sampling_precision
        names = [*POLICIES[:-1], config.from_attribute or POLICIES[-1]]
        self._counters = [
            [
                settings.metrics.counter(counter, policy=policy, sampled=sampled)
                for counter in _COUNTERS[settings.signal]
            ]
            for policy in names
            for sampled in ("false", "true")
        ]

    def __call__(self, batch: Batch) -> Batch:
        if not len(batch):
            return batch
        arrival = arrival_of(batch)
        decided = self._mode.decide(batch, arrival)
        asked, asks = self._asked_for(batch)
        thresholds = np.where(decided.failed, self._failed_threshold, decided.thresholds)
        decided = decided._replace(thresholds=np.where(asks, asked, thresholds))
        kept, arriving = decided.thresholds <= decided.randomness, arrival.thresholds
        self._count(np.where(asks, PRIORITY, decided.policy), kept)
        if not kept.all():
            batch = batch.filter(pa.array(kept))
            arriving = Thresholds(*(part[kept] for part in arriving))
            decided = Decided(*(part[kept] for part in decided))
        return self._written(batch, arriving, decided)

    def _asked_for(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        attributes = batch.records.column("attributes")
        if batch.signal is Signal.TRACES:
            return span_thresholds(attributes)
        if self._priority_key:
            return log_thresholds(attributes, self._priority_key, self._precision)
        return np.zeros(len(batch), np.uint64), np.zeros(len(batch), dtype=bool)

    def _written(self, batch: Batch, arriving: Thresholds, decided: Decided) -> Batch:
        """Kept rows with what they count for.

        A row that failed keeps what it carries, unless it asked for a share by itself: where there is any randomness
        at all it was then kept with that probability, but by one that nobody behind can check.
        """
        failed = decided.failed
        rejected = np.where(failed & (decided.policy != MISSING), decided.thresholds, np.uint64(0))
        after = np.where(failed, raised(arriving.values, rejected), np.maximum(arriving.values, decided.thresholds))
        factors = weights_behind(after) / weights_behind(arriving.values)
        stage = Resampling(after, factors, ~failed | (rejected > 0), failed)
        if self._mode.writes_randomness:
            stage = stage._replace(randomness=decided.randomness)
        return resampled(batch, arriving, stage)

    def _count(self, policy: np.ndarray, kept: np.ndarray) -> None:
        counts = np.bincount(policy * 2 + kept, minlength=len(self._counters))
        for number in np.flatnonzero(counts):
            for counter in self._counters[number]:
                counter.add(int(counts[number]))
