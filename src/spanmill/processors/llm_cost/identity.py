"""Ids and texts of columns as 64-bit numbers, mixed with a secret of the process: equal where the originals are.

The lowest eight bits are 0, see `Remembered`. Ids that are not as long as OTLP says are as good as absent.
"""

import secrets
from typing import Final

import numpy as np
import pyarrow as pa

_SECRET: Final = np.uint64(secrets.randbits(64))
_FACTORS: Final = tuple(
    np.uint64(factor)
    for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
)
_HALF: Final = np.uint64(32)
_KEY: Final = np.uint64(0xFFFFFFFFFFFFFF00)
_LEAST: Final = np.uint64(0x100)
_BACK: Final = np.array([[8], [16], [24], [32]], dtype=np.int32)
_WORD_FACTORS: Final = np.array([[factor] for factor in _FACTORS[:4]])


def span_keys(trace_ids: pa.BinaryArray, *ids: pa.BinaryArray) -> tuple[np.ndarray, ...]:
    """For each column of span ids a number (uint64) for each span of that trace; 0 where the id is absent."""
    first, second = _words(trace_ids, 2)
    trace = _mixed(_mixed((first ^ _SECRET) * _FACTORS[0]) ^ second * _FACTORS[1])
    keys = []
    for column in ids:
        (spans,) = _words(column, 1)
        key = _key(trace ^ spans * _FACTORS[2])
        key[spans == 0] = 0
        keys.append(key)
    return tuple(keys)


def text_keys(texts: pa.StringArray, shortest: int) -> np.ndarray:
    """A number (uint64) for each text, by its length and its last 32 bytes; 0 for null and for texts of fewer bytes
    than `shortest`, which is at least 8."""
    begins, ends, data = _bounds(texts)
    lengths = ends - begins
    long = lengths >= shortest
    if texts.null_count:
        long &= texts.is_valid().to_numpy(zero_copy_only=False)
    rows = long.nonzero()[0]
    keys = np.zeros(len(texts), dtype=np.uint64)
    if len(rows):
        at = np.maximum(ends[rows] - _BACK, begins[rows])
        words = np.bitwise_xor.reduce(_mixed(_word_at(data)[at] * _WORD_FACTORS))
        keys[rows] = _key(words ^ lengths[rows].astype(np.uint64) * _SECRET)
    return keys


def _key(words: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(_mixed(words * _FACTORS[3]) * _FACTORS[4] & _KEY, _LEAST))


def _mixed(words: np.ndarray) -> np.ndarray:
    return np.asarray(words ^ (words >> _HALF))


def _bounds(column: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each value begins and ends (int32) in the bytes."""
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return bounds[:-1], bounds[1:], np.frombuffer(data or b"", dtype=np.uint8)


def _word_at(data: np.ndarray) -> np.ndarray:
    """The eight bytes from any byte on, as a number (uint64)."""
    return np.ndarray((len(data) - 7,), np.uint64, data, 0, (1,))


def _words(ids: pa.BinaryArray, count: int) -> tuple[np.ndarray, ...]:
    """So many times eight bytes of each id (uint64); 0 where the id is shorter."""
    begins, ends, data = _bounds(ids)
    whole = ends - begins >= 8 * count
    if whole.all() and len(ids):
        at = _word_at(data)
        return tuple(at[begins + 8 * number] for number in range(count))
    rows = whole.nonzero()[0]
    words = np.zeros((count, len(ids)), dtype=np.uint64)
    if len(rows):
        words[:, rows] = _word_at(data)[begins[rows] + 8 * np.arange(count)[:, None]]
    return tuple(words)
