"""The randomness of the Collector's mode `hash_seed`: 14 bits of an FNV-1a hash decide, for whole columns.

Source: opentelemetry-collector-contrib, `probabilisticsamplerprocessor`; the hash is "FNV-1a", 32 bits, over the seed
(four bytes, little-endian) and the value.
"""

from typing import Final

import numpy as np
import pyarrow as pa

_BASIS: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF
_BUCKETS: Final = 1 << 14
_FEW: Final = 32
"""So many values, and a step of numpy costs as much as one of Python for each."""


def randomness_by_hash(values: pa.BinaryArray, seed: int) -> np.ndarray:
    """56 bits of randomness (uint64) for each value, of which the first 14 are the hash's last, turned round.

    So the spans that pass a threshold of 14 bits are those whose hash is below the scaled percentage.
    """
    hashes = fnv1a(values, seed).astype(np.uint64)
    bucket, unused = hashes & np.uint64(_BUCKETS - 1), hashes >> np.uint64(18)
    mixed = unused ^ (unused << np.uint64(10))
    return np.asarray(((np.uint64(_BUCKETS - 1) - bucket) << np.uint64(42)) | (mixed << np.uint64(14)) | bucket)


def fnv1a(values: pa.BinaryArray, seed: int) -> np.ndarray:
    """The hash (uint32) of the seed and each value, null taken as empty. All values advance together, byte by byte."""
    count = len(values)
    if not count:
        return np.zeros(0, np.uint32)
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + count + 1].astype(np.int64)
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    lengths = np.diff(offsets)
    longest_first = np.argsort(-lengths, kind="stable")
    starts, lengths = offsets[:-1][longest_first], lengths[longest_first]
    hashes = np.full(count, _of_seed(seed), np.uint32)
    position = 0
    while (active := int(np.searchsorted(-lengths, -position, side="left"))) >= _FEW:
        hashes[:active] = (hashes[:active] ^ data[starts[:active] + position]) * np.uint32(_PRIME)
        position += 1
    for row in range(active):
        rest = data[starts[row] + position : starts[row] + lengths[row]].tobytes()
        hashes[row] = _continued(int(hashes[row]), rest)
    result = np.empty(count, np.uint32)
    result[longest_first] = hashes
    return result


def _of_seed(seed: int) -> int:
    return _continued(_BASIS, seed.to_bytes(4, "little"))


def _continued(state: int, value: bytes) -> int:
    for byte in value:
        state = (state ^ byte) * _PRIME & _MASK
    return state
