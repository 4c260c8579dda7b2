"""Which rows are kept: the Collector's modes, as thresholds against randomness.

Every mode says of each row its randomness, the threshold it has to pass, and whether it failed: there is nothing to
decide by, or what the row says of itself cannot be. Who asks for something by an attribute comes later.
"""

from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.otlp.attributes import get
from spanmill.otlp.collector_texts import as_texts
from spanmill.processors.probabilistic_sampler.config import ProbabilisticSamplerProcessorConfig
from spanmill.processors.probabilistic_sampler.hashing import randomness_by_hash
from spanmill.sampling import NEVER, Thresholds, of_probabilities, of_probability
from spanmill.sampling.arriving import Arrival, malformed
from spanmill.sampling.randomness import MOST, of_trace_ids
from spanmill.signal import Signal

POLICIES: Final = (
    "missing_randomness",
    "trace_id_hash",
    "trace_id_w3c",
    "sampling_randomness",
    "sampling_priority",
    "attribute",
)
"""What decided, as the Collector's metrics name it; for `attribute` they have the attribute's name."""
MISSING, TRACE_ID_HASH, TRACE_ID, CARRIED, PRIORITY, ATTRIBUTE = range(len(POLICIES))
_BUCKETS: Final = 1 << 14


class Decided(NamedTuple):
    """An element for each row."""

    randomness: np.ndarray
    """uint64; `MOST` where there is none."""
    thresholds: np.ndarray
    """uint64: the row is kept when its randomness is not below. Means nothing where `failed`."""
    failed: np.ndarray
    policy: np.ndarray
    """Indices of `POLICIES`."""


class Mode(Protocol):
    """A way to decide."""

    writes_randomness: bool
    """Whether the randomness is its own, and to be written on what is kept."""

    def decide(self, batch: Batch, arriving: Arrival) -> Decided: ...


def mode_of(config: ProbabilisticSamplerProcessorConfig) -> Mode:
    """The mode that the configuration asks for."""
    # The Collector has the percentage in 32 bits, and scales it in 32 bits for the hash.
    percent = np.float32(min(config.sampling_percentage, 100.0))
    share = int(percent * np.float32(_BUCKETS / 100))
    if percent == 0 or (config.mode == "hash_seed" and share == 0):
        return _Never()
    if config.mode == "hash_seed":
        from_id, attribute = config.attribute_source == "traceID", config.from_attribute
        return _ByHash((_BUCKETS - share) << 42, config.hash_seed, from_id, attribute)
    probability = max(float(percent) / 100, 1 / NEVER)
    return _ByTraceId(probability, config.sampling_precision, proportional=config.mode == "proportional")


class _Never:
    """Nothing is to be kept."""

    writes_randomness = False

    def decide(self, batch: Batch, arriving: Arrival) -> Decided:
        count = len(batch)
        return Decided(
            np.full(count, MOST, np.uint64), np.full(count, NEVER, np.uint64), malformed(batch), _all(PRIORITY, count)
        )


class _ByHash:
    """A share by a hash of the trace id, or of an attribute. What carries a randomness or threshold has failed."""

    writes_randomness = True

    def __init__(self, threshold: int, seed: int, from_id: bool, attribute: str) -> None:
        self._threshold = np.uint64(threshold)
        self._seed = seed
        self._from_id = from_id
        self._attribute = attribute

    def decide(self, batch: Batch, arriving: Arrival) -> Decided:
        count = len(batch)
        randomness, policy = np.full(count, MOST, np.uint64), _all(MISSING, count)
        if batch.signal is Signal.TRACES or self._from_id:
            ids = batch.records.column("trace_id")
            known = of_trace_ids(ids).known
            randomness = np.where(known, randomness_by_hash(ids, self._seed), randomness)
            policy[known] = TRACE_ID_HASH
        if batch.signal is Signal.LOGS and self._attribute and (policy == MISSING).any():
            values = _bytes_of(get(batch.records.column("attributes"), self._attribute))
            known = (policy == MISSING) & pc.greater(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
            randomness = np.where(known, randomness_by_hash(values, self._seed), randomness)
            policy[known] = ATTRIBUTE
        thresholds = arriving.thresholds
        failed = (policy == MISSING) | malformed(batch) | thresholds.known | thresholds.false
        failed |= arriving.carries_randomness
        return Decided(randomness, np.full(count, self._threshold), failed, policy)


class _ByTraceId:
    """A share by the trace's own randomness: of what arrives (proportional), or of what there was (equalizing)."""

    writes_randomness = False

    def __init__(self, probability: float, precision: int, proportional: bool) -> None:
        self._probability = probability
        self._precision = precision
        self._threshold = np.uint64(of_probability(probability, precision))
        self._proportional = proportional

    def decide(self, batch: Batch, arriving: Arrival) -> Decided:
        (values, known), (_, sampled, false), carries = arriving
        bad = malformed(batch)
        policy = np.where(bad | ~known, MISSING, np.where(carries, CARRIED, TRACE_ID))
        thresholds = self._behind(arriving.thresholds) if sampled.any() else np.full(len(batch), self._threshold)
        randomness = np.where(policy == MISSING, np.uint64(MOST), values)
        return Decided(randomness, thresholds, (policy == MISSING) | false, policy)

    def _behind(self, arriving: Thresholds) -> np.ndarray:
        distinct = pa.array(arriving.values).dictionary_encode()
        incoming = distinct.dictionary.to_numpy()
        share = (
            (np.uint64(NEVER) - incoming).astype(np.float64) / NEVER if self._proportional else np.ones(len(incoming))
        )
        wanted = of_probabilities(share * self._probability, self._precision)
        # A rounded threshold may be below the arriving one; thresholds only rise.
        return np.asarray(np.maximum(wanted, incoming)[distinct.indices.to_numpy()])


def _all(policy: int, count: int) -> np.ndarray:
    return np.full(count, policy)


def _bytes_of(values: pa.StructArray) -> pa.BinaryArray:
    """What the Collector hashes: bytes as they are, other values in its text form; empty where there is none."""
    return pc.coalesce(values.field("bytes_value"), as_texts(values).cast(pa.binary()))
