"""The random bits of trace ids."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

MOST: Final = (1 << 56) - 1
"""The greatest randomness: it passes every threshold that any does."""
_ID_BYTES: Final = 16


class Randomness(NamedTuple):
    """An element for each row."""

    values: np.ndarray
    """uint64 in [0, 2^56); `MOST` where there is none."""
    known: np.ndarray


def of_trace_ids(trace_ids: pa.BinaryArray) -> Randomness:
    """The low 56 bits of each trace id. One that is missing, all zeros or of another length than 16 bytes has none."""
    count = len(trace_ids)
    if not count:
        return Randomness(np.zeros(0, np.uint64), np.zeros(0, dtype=bool))
    offsets = np.frombuffer(trace_ids.buffers()[1], np.int32)[trace_ids.offset : trace_ids.offset + count + 1]
    whole = np.diff(offsets) == _ID_BYTES
    data = np.frombuffer(trace_ids.buffers()[2] or b"", np.uint8)
    if whole.all():
        ids = data[offsets[0] : offsets[-1]]
    else:
        ids = np.zeros(count * _ID_BYTES, np.uint8)
        ids.reshape(-1, _ID_BYTES)[whole] = data[offsets[:-1][whole, None] + np.arange(_ID_BYTES)]
    halves = np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)
    known = whole & (halves != 0).any(axis=1)
    return Randomness(np.where(known, halves[:, 1].astype(np.uint64) & np.uint64(MOST), np.uint64(MOST)), known)
