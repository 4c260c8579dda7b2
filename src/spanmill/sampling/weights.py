"""Kept rows with what they count for: the column `sample_weight`, and the threshold they carry on."""

from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.sampling import log_attributes, tracestate
from spanmill.sampling.arriving import randomness_of, thresholds_of
from spanmill.sampling.thresholds import NEVER, raised, weights_behind
from spanmill.signal import Signal

WEIGHT: Final = "sample_weight"


def with_kept_share(batch: Batch, rejected: np.ndarray) -> Batch:
    """Kept rows, with the share that was not.

    `rejected` (uint64 in [0, 2^56), in units of 2^-56) is the probability with which each row, given that it arrived,
    would not have been kept; `of_probabilities` makes it of probabilities to keep. `sample_weight` is multiplied by
    2^56 / (2^56 - rejected); where it was null it is first taken from the threshold that the row carries, or is 1.

    The threshold becomes `raised(arriving, rejected)`, the one that decided where R decided. It is erased where it
    would say something untrue: the arriving one is false, the row has a weight from a stage that left no threshold, or
    R is below the new one, because something else than R decided. A row with 0 rejected keeps what it carries.
    """
    arriving = thresholds_of(batch)
    sampled = rejected > 0
    if not (sampled.any() or arriving.known.any() or arriving.false.any()):
        return batch
    weights, weighted = _weights(batch)
    after = raised(arriving.values, rejected)
    unknown = arriving.false | (weighted & ~arriving.known) | (randomness_of(batch) < after)
    batch = with_thresholds(batch, sampled | arriving.false, np.where(unknown, np.uint64(NEVER), after))
    weights = np.where(weighted, weights, weights_behind(arriving.values)) * weights_behind(rejected)
    return with_weights(batch, weights, weighted | arriving.known | sampled)


def with_thresholds(batch: Batch, rows: np.ndarray, thresholds: np.ndarray) -> Batch:
    """Rows that carry these thresholds (uint64) where `rows` is true; `NEVER` erases them."""
    if not rows.any():
        return batch
    name = "trace_state" if batch.signal is Signal.TRACES else "attributes"
    write = tracestate.with_thresholds if batch.signal is Signal.TRACES else log_attributes.with_thresholds
    return batch.with_record_column(name, write(batch.records.column(name), rows, thresholds))


def with_weights(batch: Batch, weights: np.ndarray, known: np.ndarray) -> Batch:
    """Rows with these weights (float64), null where `known` is false."""
    return batch.with_record_column(WEIGHT, pa.array(weights, pa.float64(), mask=~known))


def _weights(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The weights that rows arrive with, and where there are any."""
    if WEIGHT not in batch.records.schema.names:
        return np.ones(len(batch)), np.zeros(len(batch), dtype=bool)
    column = batch.records.column(WEIGHT)
    return column.fill_null(1.0).to_numpy(), column.is_valid().to_numpy(zero_copy_only=False)
