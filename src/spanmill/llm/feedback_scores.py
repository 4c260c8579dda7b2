"""What a batch of logs says of whole traces, for those who decide which traces to keep: scores, and unhappy people."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch

_ID_BYTES: Final = 16
_NEGATIVE_BELOW: Final = 0.5
_NEGATIVE_LABELS: Final = pa.array(["down", "thumbs_down", "negative", "👎"])


def scores_by_trace(batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct traces that were evaluated, with the lowest score of each and whether a person was not content.

    The ids are (n, 2) uint64, the 16 bytes as two big-endian numbers. The scores are float64 from 0 to 1, of judges,
    people and applications alike; not a number where there was none (what lies outside is on another scale and counts
    as none). Negative: some person's score is below one half, did not pass its threshold, or is a thumb down without a
    score. Evaluations that say neither, and those of no trace, are left out.
    """
    evaluated = batch.column("evaluation_source").is_valid()
    if not pc.any(evaluated).as_py():
        return _nothing()
    batch = batch.filter(evaluated)
    scores = _scores(batch)
    negative = _negative(batch, scores)
    trace_ids = batch.records.column("trace_id")
    tells = _are_ids(trace_ids) & (negative | ~np.isnan(scores))
    if not tells.any():
        return _nothing()
    encoded = trace_ids.filter(pa.array(tells)).dictionary_encode()
    traces = encoded.indices.to_numpy()
    lowest = np.full(len(encoded.dictionary), np.nan)
    np.fmin.at(lowest, traces, scores[tells])
    unhappy = np.bincount(traces, weights=negative[tells], minlength=len(lowest)) > 0
    return _numbers(encoded.dictionary), lowest, unhappy


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((0, 2), np.uint64), np.zeros(0), np.zeros(0, dtype=bool)


def _scores(batch: Batch) -> np.ndarray:
    scores = batch.column("evaluation_score").fill_null(np.nan).to_numpy()
    return np.where((scores >= 0) & (scores <= 1), scores, np.nan)


def _negative(batch: Batch, scores: np.ndarray) -> np.ndarray:
    is_person = _booleans(pc.equal(batch.column("evaluation_source"), "person"))
    failed = _booleans(pc.equal(batch.column("evaluation_passed"), pa.scalar(False)))
    labels = pc.utf8_lower(batch.column("evaluation_label"))
    down = np.isnan(scores) & _booleans(pc.is_in(labels, _NEGATIVE_LABELS))
    return np.asarray(is_person & ((scores < _NEGATIVE_BELOW) | failed | down))


def _are_ids(ids: pa.BinaryArray) -> np.ndarray:
    whole = pc.equal(pc.binary_length(ids), _ID_BYTES)
    return _booleans(pc.and_(whole, pc.not_equal(ids, pa.scalar(bytes(_ID_BYTES), ids.type))))


def _numbers(ids: pa.BinaryArray) -> np.ndarray:
    data = np.frombuffer(pc.cast(ids, pa.binary(_ID_BYTES)).buffers()[1], np.uint8)[: _ID_BYTES * len(ids)]
    return data.view(">u8").astype(np.uint64).reshape(-1, 2)


def _booleans(values: pa.BooleanArray) -> np.ndarray:
    """A null counts as false."""
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False))
