"""Ids and texts of columns as 64-bit numbers, mixed with a secret of the process: equal where the originals are."""

import secrets
from typing import Final

import numpy as np
import pyarrow as pa

_SECRET: Final = np.uint64(secrets.randbits(64))
_FACTORS: Final = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_BASE: Final = np.uint64(secrets.randbits(64) | 1)
_HALF: Final = np.uint64(32)
_ODD: Final = np.uint64(1)


def span_keys(trace_ids: pa.BinaryArray, *ids: pa.BinaryArray) -> tuple[np.ndarray, ...]:
    """For each column of span ids a number (uint64) for each span of that trace; 0 where the id is absent."""
    halves = _words(trace_ids, 2)
    with np.errstate(over="ignore"):
        trace = _mixed(_mixed(halves[:, 0] ^ _SECRET, 0) ^ halves[:, 1], 1)
        return tuple(_key(trace, _words(column, 1)[:, 0]) for column in ids)


def text_keys(texts: pa.StringArray, shortest: int) -> np.ndarray:
    """A number (uint64) for each text; 0 for null and for texts of fewer bytes than `shortest`."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(offsets)
    long = (lengths >= max(shortest, 1)) & texts.is_valid().to_numpy(zero_copy_only=False)
    keys = np.zeros(len(texts), dtype=np.uint64)
    if not long.any():
        return keys
    data = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    starts = offsets[:-1] - offsets[0]
    position = np.arange(len(data)) - np.repeat(starts, lengths)
    with np.errstate(over="ignore"):
        powers = np.multiply.accumulate(np.full(int(lengths.max()), _BASE))
        sums = np.append(np.uint64(0), np.cumsum((data.astype(np.uint64) + _ODD) * powers[position]))
        total = sums[offsets[1:] - offsets[0]] - sums[starts]
        keys[long] = _mixed(_mixed(total[long] ^ _SECRET, 0), 1) | _ODD
    return keys


def _key(trace: np.ndarray, spans: np.ndarray) -> np.ndarray:
    return np.where(spans == 0, np.uint64(0), _mixed(_mixed(trace ^ spans, 2), 0) | _ODD)


def _mixed(words: np.ndarray, factor: int) -> np.ndarray:
    words = words * _FACTORS[factor]
    return np.asarray(words ^ (words >> _HALF))


def _words(ids: pa.BinaryArray, words: int) -> np.ndarray:
    """The first bytes of each id as columns of uint64; ids that are shorter are filled with zeros."""
    width, length = 8 * words, len(ids)
    offsets = np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + length + 1]
    data = np.frombuffer(ids.buffers()[2] or b"", dtype=np.uint8)
    lengths = np.diff(offsets)
    if length and (lengths == width).all():
        return data[offsets[0] : offsets[-1]].view(np.uint64).reshape(length, words)
    padded = np.zeros((length, width), dtype=np.uint8)
    inside = np.arange(width) < lengths[:, None]
    padded[inside] = data[(offsets[:-1, None] + np.arange(width))[inside]]
    return padded.view(np.uint64).reshape(length, words)
