"""How rows arrive: their randomness, and the sampling that they have come through."""

from typing import NamedTuple

import numpy as np

from spanmill.batch import Batch
from spanmill.sampling import log_attributes, tracestate
from spanmill.sampling.carried import Carried
from spanmill.sampling.randomness import Randomness, of_trace_ids
from spanmill.signal import Signal


class Thresholds(NamedTuple):
    """What rows say of the sampling that they have come through, an element for each row."""

    values: np.ndarray
    """uint64; 0 where `known` is false."""
    known: np.ndarray
    """Whether the row carries a threshold, and has passed it: R >= T."""
    false: np.ndarray
    """Whether it carries one that cannot be read, or that it cannot have passed. The specification has it erased."""


class Arrival(NamedTuple):
    """How rows arrive."""

    randomness: Randomness
    thresholds: Thresholds
    carries_randomness: np.ndarray
    """For each row whether its randomness is not that of its trace id, but written beside it."""


def arrival_of(batch: Batch) -> Arrival:
    """Spans carry what they carry in `trace_state`, log records in the attributes `sampling.*`."""
    carried = _carried_by(batch)
    randomness = of_trace_ids(batch.records.column("trace_id"))
    nothing = np.zeros(len(batch), dtype=bool)
    if carried is None:
        return Arrival(randomness, Thresholds(np.zeros(len(batch), np.uint64), nothing, nothing), nothing)
    if carried.has_randomness.any():
        values = np.where(carried.has_randomness, carried.randomness, randomness.values)
        randomness = Randomness(values, carried.has_randomness | randomness.known)
    known = carried.has_threshold & (randomness.values >= carried.threshold)
    false = (carried.has_threshold & ~known) | carried.unreadable
    thresholds = Thresholds(np.where(known, carried.threshold, np.uint64(0)), known, false)
    return Arrival(randomness, thresholds, carried.has_randomness)


def randomness_of(batch: Batch) -> np.ndarray:
    """R of each row, uint64 in [0, 2^56): what it carries as its randomness, or else the low 56 bits of its trace id.

    2^56 - 1, which passes every threshold, where there is neither (`arrival_of` tells).
    """
    return arrival_of(batch).randomness.values


def thresholds_of(batch: Batch) -> Thresholds:
    """What the rows say of the sampling that they have come through."""
    return arrival_of(batch).thresholds


def malformed(batch: Batch) -> np.ndarray:
    """For each row whether what it carries breaks the syntax anywhere, as the Collector's parsers judge."""
    if batch.signal is Signal.TRACES:
        return tracestate.malformed(batch.records.column("trace_state"))
    return log_attributes.malformed(batch.records.column("attributes"))


def _carried_by(batch: Batch) -> Carried | None:
    """None when no row carries anything."""
    if batch.signal is Signal.TRACES:
        return tracestate.read(batch.records.column("trace_state"))
    return log_attributes.read(batch.records.column("attributes"))
