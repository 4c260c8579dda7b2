"""Arrow arrays put together anew, and what lies in them. Pure functions; know nothing of telemetry."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def spread(values: pa.Array, rows: np.ndarray, length: int) -> pa.Array:
    """An array of this length with `values` in `rows` and null everywhere else; the last one in a row stays."""
    return values.take(places(rows, length))


def places(rows: np.ndarray, length: int) -> pa.Int64Array:
    """For each of so many rows where in `rows` it is, the last time; null for those that are not there."""
    place = np.full(length, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return pa.array(place, mask=place < 0)


def replaced(array: pa.Array, rows: np.ndarray, values: pa.Array) -> pa.Array:
    """The array with `values` in `rows`, which are distinct."""
    if len(rows) == len(array):
        order = np.empty(len(rows), np.int64)
        order[rows] = np.arange(len(rows))
        return values.take(pa.array(order))
    place = np.arange(len(array))
    place[rows] = len(array) + np.arange(len(rows))
    return pa.concat_arrays([array, values]).take(pa.array(place))


def relisted(lists: pa.ListArray, elements: pa.Array) -> pa.ListArray:
    """Lists of the same lengths over other elements; null lists stay null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    mask = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), elements, type=lists.type, mask=mask)


def words(values: pa.Array) -> np.ndarray | None:
    """Texts or bytes that are all of one length, as ids are: (rows, length / 8) uint64, little-endian, not copied.

    None when there are no rows, lengths differ, or the length is no multiple of eight. What a null holds is any value.
    """
    if not len(values):
        return None
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    length = int(offsets[1] - offsets[0])
    if not length or length % 8 or (np.diff(offsets) != length).any():
        return None
    data = np.frombuffer(values.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return np.asarray(data.view("<u8").reshape(len(values), length // 8))
