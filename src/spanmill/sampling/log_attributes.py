"""The attributes `sampling.threshold` and `sampling.randomness` of log records, which have no tracestate.

They hold what `th` and `rv` hold; the names are the Collector's. A value that is no text, or empty, counts as none.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.attributes import any_values, entries_with_key, entry_rows, get, put, remove
from spanmill.sampling.carried import Carried, Reading, carried_of
from spanmill.sampling.thresholds import NEVER, format_threshold, parse_threshold
from spanmill.sampling.tracestate import hex_texts, parse_randomness

THRESHOLD: Final = "sampling.threshold"
RANDOMNESS: Final = "sampling.randomness"


def read(attributes: pa.ListArray) -> Carried | None:
    """What the attributes say; None when no row has any of them."""
    thresholds, randomness = _texts(attributes, THRESHOLD), _texts(attributes, RANDOMNESS)
    if thresholds.null_count + randomness.null_count == 2 * len(attributes):
        return None
    of_threshold, of_randomness = thresholds.dictionary_encode(), randomness.dictionary_encode()
    read_thresholds = [parse_threshold(text) for text in of_threshold.dictionary.to_pylist()]
    one = carried_of([Reading(number, number is None) for number in read_thresholds], of_threshold.indices)
    numbers = [parse_randomness(text) for text in of_randomness.dictionary.to_pylist()]
    other = carried_of([Reading(randomness=number) for number in numbers], of_randomness.indices)
    return one._replace(randomness=other.randomness, has_randomness=other.has_randomness)


def malformed(attributes: pa.ListArray) -> np.ndarray:
    """For each row whether its threshold or its randomness cannot be read."""
    bad = np.zeros(len(attributes), dtype=bool)
    for key, parse in ((THRESHOLD, parse_threshold), (RANDOMNESS, parse_randomness)):
        texts = _texts(attributes, key)
        if texts.null_count < len(texts):
            distinct = texts.dictionary_encode()
            wrong = np.array([*(parse(text) is None for text in distinct.dictionary.to_pylist()), False])
            bad |= wrong[distinct.indices.fill_null(-1).to_numpy()]
    return bad


def with_sampling(
    attributes: pa.ListArray, rows: np.ndarray, thresholds: np.ndarray, randomness: np.ndarray | None
) -> pa.ListArray:
    """Set the threshold where `rows` is true; `NEVER` erases it. `randomness` is set with a threshold."""
    erased = rows & (thresholds == NEVER)
    if erased.any():
        attributes = remove(attributes, entries_with_key(attributes, THRESHOLD) & erased[entry_rows(attributes)])
    written = rows & ~erased
    if not written.any():
        return attributes
    if randomness is not None:
        attributes = put(attributes, RANDOMNESS, any_values("string_value", hex_texts(randomness)), written)
    distinct = pa.array(np.where(written, thresholds, np.uint64(0))).dictionary_encode()
    texts = pa.array([format_threshold(number) for number in distinct.dictionary.to_pylist()], pa.string())
    return put(attributes, THRESHOLD, any_values("string_value", texts.take(distinct.indices)), written)


def _texts(attributes: pa.ListArray, key: str) -> pa.StringArray:
    """Null for what counts as none."""
    texts = get(attributes, key).field("string_value")
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
