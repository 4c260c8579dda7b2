"""AnyValue columns as text, and attribute lists as maps of text to text.

The codec gives an AnyValue as a struct with one child for each kind of value, at most one of them not null; elements
of arrays and maps are serialized AnyValue and KeyValue messages. Everything here works on whole columns: each level of
nesting is one more native call, however many rows there are.
"""

import base64
from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.messages import AnyValue, KeyValue, handler

TEXT_MAP = pa.map_(pa.string(), pa.string())

_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'
_INTEGRAL = r"^-?[0-9]+$"
_ROWS_AT_ONCE = 8192
"""A row with forty levels takes 6 KB while it is rendered, all of them at once."""
_MAX_DEPTH = 45
"""Levels of arrays and maps within each other. Protobuf's parsers stop at 100 messages, and a level takes two."""


def values_to_text(values: pa.StructArray) -> pa.StringArray:
    """Each AnyValue as a person reads it: strings as they are, anything else as JSON, null where nothing is set."""
    return _render(values, quoted=False)


def attributes_to_map(attributes: pa.ListArray) -> pa.MapArray:
    """A `list<KeyValue>` column as `map<text, text>`: a row for each list, the last of equal keys, order kept."""
    entries = attributes.flatten()
    keys, texts = entries.field("key"), values_to_text(entries.field("value"))
    offsets = _offsets(attributes)
    last = _last_of_equal_keys(keys, np.diff(offsets))
    if last is not None:
        rows = np.repeat(np.arange(len(attributes)), np.diff(offsets))
        keys, texts = keys.filter(pa.array(last)), texts.filter(pa.array(last))
        offsets = np.concatenate(([0], np.cumsum(np.bincount(rows[last], minlength=len(attributes)))))
    return pa.MapArray.from_arrays(pa.array(offsets.astype(np.int32)), keys, texts)


def check_nested(values: pa.StructArray) -> None:
    """Decode what is nested in arrays and maps, at every level, as protobuf's own parser would have.

    Raises `ValueError` where that is not valid, or nested too deep: whatever passes can be rendered later. A level is
    let go when the next one is decoded, so that depth costs no memory.
    """
    levels = [(values, 0)]
    while levels:
        values, depth = levels.pop()
        arrays, maps = values.field("array_value"), values.field("kvlist_value")
        if depth == _MAX_DEPTH and (_has(arrays) or _has(maps)):
            raise ValueError(f"attribute values are nested deeper than {_MAX_DEPTH} levels")
        if _has(arrays):
            levels.append((_decode(AnyValue, arrays.flatten()[0].flatten()), depth + 1))
        if _has(maps):
            levels.append((_decode(KeyValue, maps.flatten()[0].flatten()).field("value"), depth + 1))


def attribute_values(attributes: pa.ListArray, key: str) -> pa.StructArray:
    """The AnyValue under `key` in each row of a `list<KeyValue>` column; null where the row has none."""
    entries = attributes.flatten()
    found = np.flatnonzero(pc.equal(entries.field("key"), key).to_numpy(zero_copy_only=False))
    rows = pc.list_parent_indices(attributes).to_numpy()
    take = np.full(len(attributes), -1, dtype=np.int64)
    take[rows[found]] = found
    return entries.field("value").take(pa.array(take, mask=take < 0))


def _offsets(lists: pa.ListArray) -> np.ndarray:
    offsets = lists.offsets.to_numpy()
    return np.asarray(offsets - offsets[0])


def _last_of_equal_keys(keys: pa.StringArray, lengths: np.ndarray) -> np.ndarray | None:
    """Which entries to keep so that no row has a key twice; None when none has (nearly always)."""
    codes = keys.dictionary_encode()
    width = len(codes.dictionary)
    slots = np.repeat(np.arange(len(lengths)) * width, lengths) + codes.indices.to_numpy()
    if len(slots) == 0:
        return None
    if len(lengths) * width <= 50_000_000:
        seen = np.zeros(len(lengths) * width, dtype=bool)
        seen[slots] = True
        distinct = int(np.count_nonzero(seen))
    else:
        distinct = len(np.unique(slots))
    if distinct == len(slots):
        return None
    _, first_from_end = np.unique(slots[::-1], return_index=True)
    keep = np.zeros(len(slots), dtype=bool)
    keep[len(slots) - 1 - first_from_end] = True
    return keep


def _render(values: pa.StructArray, quoted: bool) -> pa.StringArray:
    """Strings stand already; the few rows of each other kind are rendered apart and put in their places."""
    fields = dict(zip((f.name for f in values.type), values.flatten(), strict=True))
    strings = _quote(fields["string_value"]) if quoted else fields["string_value"]
    if strings.null_count == 0:
        return strings
    parts, place, end = [strings], np.arange(len(values)), len(values)
    for name, render in _RENDERERS.items():
        column = fields[name]
        if not _has(column):
            continue
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = pa.array(rows[start : start + _ROWS_AT_ONCE], pa.int64())
            parts.append(render(column.take(some), quoted))
        place[rows] = end + np.arange(len(rows))
        end += len(rows)
    return pa.concat_arrays(parts).take(pa.array(place, pa.int64())) if len(parts) > 1 else strings


def _has(column: pa.Array) -> bool:
    return bool(column.null_count < len(column))


def _quote(strings: pa.StringArray) -> pa.StringArray:
    quoted = pc.binary_join_element_wise('"', strings, '"', "")
    escape = pc.fill_null(pc.match_substring_regex(strings, _NEEDS_ESCAPE), False)
    if not pc.any(escape).as_py():
        return quoted
    escaped = [orjson.dumps(text).decode() for text in strings.filter(escape).to_pylist()]
    return pc.replace_with_mask(quoted, escape, pa.array(escaped, pa.string()))


def _doubles(numbers: pa.DoubleArray, quoted: bool) -> pa.StringArray:
    """Shortest digits that read back equal, always recognisable as not an integer: `3.0`, `1e+20`, `NaN`."""
    text = pc.cast(numbers, pa.string())
    text = pc.if_else(pc.match_substring_regex(text, _INTEGRAL), pc.binary_join_element_wise(text, ".0", ""), text)
    finite = pc.is_finite(numbers)
    if pc.all(finite).as_py() is False:
        names = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        for arrow, name in names.items():
            text = pc.if_else(pc.equal(text, arrow), f'"{name}"' if quoted else name, text)
    return text


def _bytes(values: pa.BinaryArray, quoted: bool) -> pa.StringArray:
    mark = '"' if quoted else ""
    encoded = [mark + base64.b64encode(value).decode() + mark for value in values.to_pylist()]
    return pa.array(encoded, pa.string())


def _cast(values: pa.Array, _quoted: bool) -> pa.StringArray:
    return values.cast(pa.string())


def _arrays(arrays: pa.StructArray, _quoted: bool) -> pa.StringArray:
    lists = arrays.field("values")
    values = _decode(AnyValue, lists.flatten())
    return _join(lists, pc.fill_null(_render(values, quoted=True), "null"), "[", "]")


def _maps(maps: pa.StructArray, _quoted: bool) -> pa.StringArray:
    lists = maps.field("values")
    entries = _decode(KeyValue, lists.flatten())
    values = pc.fill_null(_render(entries.field("value"), quoted=True), "null")
    return _join(lists, pc.binary_join_element_wise(_quote(entries.field("key")), values, ":"), "{", "}")


def _decode(message: type[AnyValue] | type[KeyValue], serialized: pa.BinaryArray) -> pa.StructArray:
    records = handler(message).array_to_record_batch(serialized)
    return pa.StructArray.from_arrays(records.columns, fields=list(records.schema))


def _join(lists: pa.ListArray, elements: pa.StringArray, left: str, right: str) -> pa.StringArray:
    """The elements of each list joined by commas between `left` and `right`."""
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(_offsets(lists), pa.int32()), elements), ",")
    return pc.binary_join_element_wise(left, joined, right, "")


_RENDERERS: dict[str, Callable[[pa.Array, bool], pa.StringArray]] = {
    "int_value": _cast,
    "bool_value": _cast,
    "double_value": _doubles,
    "bytes_value": _bytes,
    "array_value": _arrays,
    "kvlist_value": _maps,
}
"""How each kind but strings becomes text; every one is handed rows that have a value."""
