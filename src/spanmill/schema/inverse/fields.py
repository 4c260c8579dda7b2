"""Single fields on their way back: ids from hex, nanoseconds from timestamps, numbers of enumerations from names.

And what of them a public column cannot show. Pure functions over columns.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def ids(texts: pa.StringArray) -> pa.BinaryArray:
    """Binary ids from lower-case hex; empty where null, or where the text is no hex."""
    texts = pc.fill_null(texts, "")
    bad = pc.invert(pc.match_substring_regex(texts, "^([0-9a-f]{2})*$"))
    if pc.any(bad).as_py():
        texts = pc.if_else(bad, "", texts)
    if len(texts) == 0:
        return pa.array([], pa.binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    digits = _DIGITS[np.frombuffer(texts.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]]
    data = digits[0::2] << 4 | digits[1::2]
    ends = (offsets - offsets[0]) // np.int32(2)
    return pa.BinaryArray.from_buffers(pa.binary(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(data)])


def odd_ids(raw: pa.BinaryArray, texts: pa.StringArray) -> np.ndarray:
    """Rows whose id is all zeros, which a table shows as absent."""
    if texts.null_count == 0:
        return _NONE
    return _true(pc.and_(texts.is_null(), pc.greater(pc.binary_length(raw), 0)))


def nanoseconds(times: pa.TimestampArray) -> pa.UInt64Array:
    """Nanoseconds since 1970, 0 where null."""
    numbers = times.cast(pa.int64())
    filled = numbers.fill_null(0).to_numpy() if numbers.null_count else numbers.to_numpy()
    return pa.array(filled.view(np.uint64), pa.uint64())


def odd_times(raw: pa.UInt64Array, times: pa.TimestampArray) -> np.ndarray:
    """Rows whose time is beyond what a table shows."""
    if times.null_count == 0:
        return _NONE
    return _true(pc.and_(times.is_null(), pc.not_equal(raw, pa.scalar(0, pa.uint64()))))


def numbers(texts: pa.StringArray, names: pa.StringArray) -> pa.Int32Array:
    """The number of each name of an enumeration, 0 for one that is none of them."""
    return pc.fill_null(pc.index_in(texts, names), 0)


def odd_numbers(raw: pa.Int32Array, names: pa.StringArray) -> np.ndarray:
    """Rows whose number has no name."""
    codes = raw.fill_null(0).to_numpy()
    return np.flatnonzero((codes < 0) | (codes >= len(names)))


def text(texts: pa.StringArray) -> pa.StringArray:
    """The empty text where null."""
    return texts.fill_null("") if texts.null_count else texts


def not_zero(column: pa.Array) -> np.ndarray:
    """Rows where a number is set."""
    return np.flatnonzero(column.to_numpy())


_NONE = np.zeros(0, np.int64)


def _true(rows: pa.BooleanArray) -> np.ndarray:
    return np.flatnonzero(rows.to_numpy(zero_copy_only=False))
