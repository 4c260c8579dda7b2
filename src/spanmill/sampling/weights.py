"""Kept rows with what they count for: the column `sample_weight`, and the threshold they carry on."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.sampling import log_attributes, tracestate
from spanmill.sampling.arriving import Thresholds, arrival_of
from spanmill.sampling.thresholds import NEVER, raised, weights_behind
from spanmill.signal import Signal

WEIGHT: Final = "sample_weight"


def with_kept_share(batch: Batch, rejected: np.ndarray, by_randomness: np.ndarray | None = None) -> Batch:
    """Kept rows, with the share that was not.

    `rejected` (uint64 in [0, 2^56), in units of 2^-56) is the probability with which each row, given that it arrived,
    would not have been kept; `of_probabilities` makes it of probabilities to keep. `sample_weight` is multiplied by
    2^56 / (2^56 - rejected); where it was null it is first taken from the threshold that the row carries, or is 1.

    The threshold becomes `raised(arriving, rejected)`, the one that decided where R decided. It is erased where it
    would say something untrue: the arriving one is false, the row has a weight from a stage that left no threshold, or
    something else than R decided: R is below the new threshold, or `by_randomness` is false (None: R decided all). A
    row with 0 rejected keeps what it carries.
    """
    randomness, arriving, _ = arrival_of(batch)
    sampled = rejected > 0
    if not (sampled.any() or arriving.known.any() or arriving.false.any()):
        return batch
    after = raised(arriving.values, rejected)
    untrue = sampled & (randomness.values < after)
    if by_randomness is not None:
        untrue |= sampled & ~by_randomness
    return resampled(batch, arriving, Resampling(after, weights_behind(rejected), sampled, untrue))


class Resampling(NamedTuple):
    """What a stage did to the rows that it kept, an element for each."""

    thresholds: np.ndarray
    """uint64 below 2^56: what they have passed by now."""
    factors: np.ndarray
    """float64: how many of the rows that arrived each of them stands for."""
    stated: np.ndarray
    """Whether the row is to carry the threshold, and a weight even where it is 1; the others keep what they carry."""
    untrue: np.ndarray
    """Whether the threshold would not be true: something else than the row's randomness decided."""
    randomness: np.ndarray | None = None
    """uint64: the randomness that decided, for rows that carry none, where it is not that of the trace id."""


def resampled(batch: Batch, arriving: Thresholds, stage: Resampling) -> Batch:
    """Kept rows with their thresholds and weights behind one more stage. False thresholds are erased from all rows."""
    weights, weighted = _weights(batch)
    untrue = arriving.false | (weighted & ~arriving.known) | stage.untrue
    thresholds = np.where(untrue, np.uint64(NEVER), stage.thresholds)
    batch = with_thresholds(batch, stage.stated | arriving.false, thresholds, stage.randomness)
    weights = np.where(weighted, weights, weights_behind(arriving.values)) * stage.factors
    return with_weights(batch, weights, weighted | arriving.known | stage.stated)


def with_thresholds(
    batch: Batch, rows: np.ndarray, thresholds: np.ndarray, randomness: np.ndarray | None = None
) -> Batch:
    """Rows that carry these thresholds (uint64) where `rows` is true; `NEVER` erases them. `randomness` (uint64) goes
    with a threshold that is written, and must be None where rows carry one already."""
    if not rows.any():
        return batch
    name = "trace_state" if batch.signal is Signal.TRACES else "attributes"
    write = tracestate.with_sampling if batch.signal is Signal.TRACES else log_attributes.with_sampling
    return batch.with_record_column(name, write(batch.records.column(name), rows, thresholds, randomness))


def with_weights(batch: Batch, weights: np.ndarray, known: np.ndarray) -> Batch:
    """Rows with these weights (float64), null where `known` is false."""
    return batch.with_record_column(WEIGHT, pa.array(weights, pa.float64(), mask=~known))


def _weights(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The weights that rows arrive with, and where there are any."""
    if WEIGHT not in batch.records.schema.names:
        return np.ones(len(batch)), np.zeros(len(batch), dtype=bool)
    column = batch.records.column(WEIGHT)
    return column.fill_null(1.0).to_numpy(), column.is_valid().to_numpy(zero_copy_only=False)
