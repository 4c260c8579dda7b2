"""Reading and changing `list<KeyValue>` columns: the attributes of spans, log records, points and resources.

Pure functions over whole columns; a column has a row for each item and in each row any number of entries. Entries that
are not touched keep their place, their type and their bytes. OTLP asks for distinct keys; where a row holds one twice,
reading takes the last (as the public tables do) and changing or removing touches every one, so that no reader can find
what was to be gone. Values are AnyValue structs, as the codec gives them (see `anyvalue`).
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.anyvalue import attribute_values
from spanmill.otlp.messages import AnyValue, handler

Scalar = str | bool | int | float | bytes
Change = tuple[str, pa.StructArray, np.ndarray]
"""A key, an AnyValue for each row (a null is an entry without a value), and in which rows it is meant."""

KINDS: Final = {
    pa.string(): "string_value",
    pa.int64(): "int_value",
    pa.float64(): "double_value",
    pa.bool_(): "bool_value",
}
"""Which child of AnyValue holds values of an Arrow type."""


@cache
def value_type() -> pa.StructType:
    """The Arrow type of AnyValue: a child for each kind of value, at most one of them not null."""
    return pa.struct(list(handler(AnyValue).schema()))


def any_values(kind: str, values: pa.Array) -> pa.StructArray:
    """AnyValues of one kind (`string_value`, `int_value`, ...); a null value becomes a null AnyValue."""
    fields = list(value_type())
    children = [values.cast(f.type) if f.name == kind else _unset(len(values), f.type) for f in fields]
    return pa.StructArray.from_arrays(children, fields=fields, mask=values.is_null())


def _unset(length: int, kind: pa.DataType) -> pa.Array:
    """Nulls. Those of messages still have children: the codec declares them as never null, and casts insist on it."""
    if not pa.types.is_struct(kind):
        return pa.nulls(length, kind)
    offsets = pa.array(np.zeros(length + 1, np.int32))
    children = [pa.ListArray.from_arrays(offsets, pa.array([], f.type.value_type), type=f.type) for f in kind]
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.repeat(True, length))


def constant(value: Scalar | Sequence[Scalar]) -> pa.StructArray:
    """The AnyValue of a Python value, an array of length one. A sequence becomes an array of values."""
    records = handler(AnyValue).array_to_record_batch(pa.array([_message(value).SerializeToString()], pa.binary()))
    return pa.StructArray.from_arrays(records.columns, fields=list(records.schema))


def repeated(value: pa.StructArray, length: int) -> pa.StructArray:
    """The only element of an array, `length` times."""
    return value.take(pa.array(np.zeros(length, np.int64)))


def _message(value: Scalar | Sequence[Scalar]) -> AnyValue:
    if isinstance(value, bool):  # before int: True is an int to Python
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    message = AnyValue()
    message.array_value.SetInParent()
    message.array_value.values.extend(_message(element) for element in value)
    return message


def get(attributes: pa.ListArray, key: str) -> pa.StructArray:
    """The AnyValue under `key` in each row; null where the row has none."""
    return attribute_values(attributes, key)


def has(attributes: pa.ListArray, key: str) -> np.ndarray:
    """For each row whether it has an entry under `key`, even one without a value."""
    found = np.zeros(len(attributes), dtype=bool)
    found[_rows(attributes)[entries_with_key(attributes, key)]] = True
    return found


def entries_with_key(attributes: pa.ListArray, key: str) -> np.ndarray:
    """For each entry of all rows whether its key is `key`."""
    return _booleans(pc.equal(attributes.flatten().field("key"), key))


def entries_with_key_matching(attributes: pa.ListArray, pattern: str) -> np.ndarray:
    """For each entry of all rows whether the regular expression (RE2) is found in its key."""
    keys = attributes.flatten().field("key").dictionary_encode()
    return _booleans(pc.match_substring_regex(keys.dictionary, pattern).take(keys.indices))


def put(attributes: pa.ListArray, key: str, values: pa.StructArray, rows: np.ndarray) -> pa.ListArray:
    """Set `key` to the row's value where `rows` is true: in place where the key is there, else as the last entry.

    `values` has an AnyValue for each row; a null sets an entry without a value.
    """
    return put_all(attributes, [(key, values, rows)])


def put_all(attributes: pa.ListArray, changes: Sequence[Change]) -> pa.ListArray:
    """The same for several keys, which are distinct; new entries come in the order of the changes."""
    row_of_entry = _rows(attributes)
    additions = []
    for key, values, rows in changes:
        there = entries_with_key(attributes, key)
        appended = rows
        if there.any():
            replaced = there & rows[row_of_entry]
            if replaced.any():
                attributes = replace(attributes, replaced, values.take(pa.array(row_of_entry[replaced])))
            appended = rows.copy()
            appended[row_of_entry[there]] = False
        additions.append((key, values, appended))
    return append(attributes, additions)


def append(attributes: pa.ListArray, additions: Sequence[Change]) -> pa.ListArray:
    """Each addition is one more entry at the end of its rows."""
    additions = [addition for addition in additions if addition[2].any()]
    if not additions:
        return attributes
    entries, rows = [attributes.flatten()], [_rows(attributes)]
    for key, values, chosen in additions:
        entries.append(_entries(entries[0].type, key, values.filter(pa.array(chosen))))
        rows.append(np.flatnonzero(chosen))
    row_of_entry = np.concatenate(rows)
    order = pa.array(np.argsort(row_of_entry, kind="stable"))
    ends = np.cumsum(np.bincount(row_of_entry, minlength=len(attributes)))
    return _lists(attributes, pa.concat_arrays(entries).take(order), np.concatenate(([0], ends)))


def replace(attributes: pa.ListArray, chosen: np.ndarray, values: pa.StructArray) -> pa.ListArray:
    """The entries where `chosen` is true get the `values`, one for each of them in their order. Keys stay."""
    entries = attributes.flatten()
    old = entries.field("value")
    take = np.arange(len(entries))
    take[chosen] = len(entries) + np.arange(len(values))
    new = pa.concat_arrays([old, values]).take(pa.array(take))
    children = [new if f.name == "value" else entries.field(f.name) for f in entries.type]
    return _lists(attributes, pa.StructArray.from_arrays(children, fields=list(entries.type)), _offsets(attributes))


def remove(attributes: pa.ListArray, chosen: np.ndarray) -> pa.ListArray:
    """Without the entries where `chosen` is true; a row may become empty."""
    if not chosen.any():
        return attributes
    kept = np.concatenate(([0], np.cumsum(~chosen)))
    return _lists(attributes, attributes.flatten().filter(pa.array(~chosen)), kept[_offsets(attributes)])


def with_attributes(resources: pa.StructArray, attributes: pa.ListArray) -> pa.StructArray:
    """Resource messages with other attributes. One that was not sent at all exists as soon as it has an attribute."""
    children = [attributes if f.name == "attributes" else resources.field(f.name) for f in resources.type]
    exists = pc.or_(resources.is_valid(), pc.greater(pc.list_value_length(attributes), 0))
    return pa.StructArray.from_arrays(children, fields=list(resources.type), mask=pc.invert(exists))


def entry_rows(attributes: pa.ListArray) -> np.ndarray:
    """For each entry of all rows the index of its row."""
    return _rows(attributes)


def _entries(kind: pa.StructType, key: str, values: pa.StructArray) -> pa.StructArray:
    """KeyValue structs with one key; fields that OTLP adds beside key and value are zero, protobuf's default."""
    children = []
    for field in kind:
        if field.name == "value":
            children.append(values)
        else:
            children.append(pa.repeat(pa.scalar(key if field.name == "key" else 0, field.type), len(values)))
    return pa.StructArray.from_arrays(children, fields=list(kind))


def _lists(like: pa.ListArray, entries: pa.StructArray, offsets: np.ndarray) -> pa.ListArray:
    """Lists of the same type over other entries. A null list comes out empty: protobuf has no null lists."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), entries, type=like.type)


def _offsets(lists: pa.ListArray) -> np.ndarray:
    """Where each row's entries begin in `lists.flatten()`, and the end of the last."""
    if lists.null_count == 0:
        offsets = lists.offsets.to_numpy()
        return np.asarray(offsets - offsets[0], dtype=np.int64)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _rows(lists: pa.ListArray) -> np.ndarray:
    offsets = _offsets(lists)
    return np.repeat(np.arange(len(lists)), np.diff(offsets))


def _booleans(values: pa.BooleanArray) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False))
