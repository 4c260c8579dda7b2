"""How large spans are."""

from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch

_FIXED_BYTES: Final = 120
"""Ids, times, kinds and counts of a span."""


def row_sizes(batch: Batch) -> np.ndarray:
    """About how many bytes of OTLP each row is (float64): its texts, attributes, events and links, in full."""
    sizes = np.full(len(batch), float(_FIXED_BYTES))
    for name in batch.records.schema.names:
        column = batch.records.column(name)
        if not pa.types.is_dictionary(column.type):  # resource and scope are shared
            sizes += _bytes(column)
    return sizes


def _bytes(column: pa.Array) -> np.ndarray:
    """Bytes of variable length in each element."""
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_string(kind):
        return np.diff(_offsets(column)).astype(np.float64)
    if pa.types.is_struct(kind):
        return sum((_bytes(child) for child in column.flatten()), np.zeros(len(column)))
    if pa.types.is_list(kind):
        offsets = _offsets(column)
        inner = _bytes(column.values)
        ends = np.concatenate(([0.0], np.cumsum(inner)))
        return np.asarray(ends[offsets[1:]] - ends[offsets[:-1]])
    return np.zeros(len(column))


def _offsets(column: pa.Array) -> np.ndarray:
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
