"""What single spans and log records ask for themselves, by an attribute."""

from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.otlp.attributes import get
from spanmill.otlp.collector_texts import parse_float
from spanmill.sampling import NEVER, of_probabilities

_SPAN_KEY: Final = "sampling.priority"
_LEAST: Final = 2.0**-56


def span_thresholds(attributes: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds (uint64), and where there are any: 0 (keep) for a positive `sampling.priority`, `NEVER` for zero.

    Numbers, and texts that are numbers, as OpenTracing's clients send them. Negative ones ask for nothing.
    """
    values = get(attributes, _SPAN_KEY)
    if values.null_count == len(values):
        return _nothing(len(values))
    texts = values.field("string_value").dictionary_encode()
    parsed = pa.array([parse_float(text) for text in texts.dictionary.to_pylist()], pa.float64()).take(texts.indices)
    priority = _first_of(_numbers(values.field("int_value")), _numbers(values.field("double_value")), _numbers(parsed))
    return np.where(priority > 0, np.uint64(0), np.uint64(NEVER)), priority >= 0


def log_thresholds(attributes: pa.ListArray, key: str, precision: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for log records whose attribute `key` is a percentage above 0, at most 100."""
    values = get(attributes, key)
    if values.null_count == len(values):
        return _nothing(len(values))
    percent = _first_of(_numbers(values.field("double_value")), _numbers(values.field("int_value")))
    probability = percent / 100.0
    valid = (probability >= _LEAST) & (probability <= 1)
    return of_probabilities(np.where(valid, probability, 1.0), precision), valid


def _nothing(length: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(length, np.uint64), np.zeros(length, dtype=bool)


def _numbers(values: pa.Array) -> np.ndarray:
    """float64, NaN for null."""
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _first_of(*candidates: np.ndarray) -> np.ndarray:
    result = candidates[0]
    for candidate in candidates[1:]:
        result = np.where(np.isnan(result), candidate, result)
    return result
