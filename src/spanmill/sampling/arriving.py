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


def randomness_of(batch: Batch) -> np.ndarray:
    """R of each row, uint64 in [0, 2^56): what it carries as its randomness, or else the low 56 bits of its trace id.

    2^56 - 1, which passes every threshold, where there is neither (`known_randomness` tells).
    """
    return known_randomness(batch).values


def known_randomness(batch: Batch) -> Randomness:
    """The same, and whether the row has any randomness."""
    return _randomness(batch, carried_by(batch))


def thresholds_of(batch: Batch) -> Thresholds:
    """The thresholds that spans carry in `trace_state`, log records in the attribute `sampling.threshold`."""
    carried = carried_by(batch)
    if carried is None or not (carried.has_threshold.any() or carried.unreadable.any()):
        nothing = np.zeros(len(batch), dtype=bool)
        return Thresholds(np.zeros(len(batch), np.uint64), nothing, nothing)
    known = carried.has_threshold & (_randomness(batch, carried).values >= carried.threshold)
    values = np.where(known, carried.threshold, np.uint64(0))
    return Thresholds(values, known, (carried.has_threshold & ~known) | carried.unreadable)


def carried_by(batch: Batch) -> Carried | None:
    """What the rows carry of earlier sampling; None when none of them carries anything."""
    if batch.signal is Signal.TRACES:
        return tracestate.read(batch.records.column("trace_state"))
    return log_attributes.read(batch.records.column("attributes"))


def malformed(batch: Batch) -> np.ndarray:
    """For each row whether what it carries breaks the syntax anywhere, as the Collector's parsers judge."""
    if batch.signal is Signal.TRACES:
        return tracestate.malformed(batch.records.column("trace_state"))
    return log_attributes.malformed(batch.records.column("attributes"))


def _randomness(batch: Batch, carried: Carried | None) -> Randomness:
    of_ids = of_trace_ids(batch.records.column("trace_id"))
    if carried is None or not carried.has_randomness.any():
        return of_ids
    values = np.where(carried.has_randomness, carried.randomness, of_ids.values)
    return Randomness(values, carried.has_randomness | of_ids.known)
