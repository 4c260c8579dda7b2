"""The types of AnyValues as letters, and AnyValues from text and letter: the way back from `anyvalue.values_to_text`.

    s  text        b  boolean    i  integer    d  double    y  bytes
    a  array       m  map        e  an AnyValue that holds nothing     n  no AnyValue at all

Everything works on whole columns but for arrays and maps on the way back: each distinct text of those is parsed once.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.attributes import value_type
from spanmill.otlp.messages import AnyValue, KeyValue, handler

EMPTY, NOTHING = ord("e"), ord("n")
_LETTERS = {
    "string_value": ord("s"),
    "bool_value": ord("b"),
    "int_value": ord("i"),
    "double_value": ord("d"),
    "bytes_value": ord("y"),
    "array_value": ord("a"),
    "kvlist_value": ord("m"),
}
_TEXT = _LETTERS["string_value"]
_INTEGER = r"^(-?[1-9][0-9]{0,17}|0)$"
_DOUBLE = r"^-?(0|[1-9][0-9]*)\.([0-9]*[1-9]|0)$"
_BOOLEAN = r"^(true|false)$"


def letters_of(values: pa.StructArray) -> np.ndarray:
    """The letter of each AnyValue, as bytes."""
    children = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    if children["string_value"].null_count == 0:
        return np.full(len(values), _TEXT, np.uint8)
    letters = np.full(len(values), EMPTY, np.uint8)
    for name, letter in _LETTERS.items():
        column = children[name]
        if column.null_count < len(column):
            letters[_valid(column)] = letter
    if values.null_count:
        letters[~_valid(values)] = NOTHING
    return letters


def ambiguous(values: pa.StructArray, letters: np.ndarray) -> np.ndarray:
    """Indices of the arrays and maps whose JSON does not say all that they hold.

    JSON has no bytes, no NaN and no infinities, and does not tell a key without a value from one with an empty value.
    """
    found = [np.zeros(0, np.int64)]
    for name in ("array_value", "kvlist_value"):
        rows = np.flatnonzero(letters == _LETTERS[name])
        if len(rows):
            nested = values.field(name).take(pa.array(rows)).field("values")
            found.append(rows[~_said_by_json(name, nested)])
    return np.concatenate(found)


def _said_by_json(name: str, lists: pa.ListArray) -> np.ndarray:
    """For each array or map whether its JSON says everything."""
    message = AnyValue if name == "array_value" else KeyValue
    serialized = lists.flatten()
    records = handler(message).array_to_record_batch(serialized)
    values = pa.StructArray.from_arrays(records.columns, fields=list(records.schema))
    if message is KeyValue:
        values = values.field("value")
    letters = letters_of(values)
    said = (letters != _LETTERS["bytes_value"]) & (letters != NOTHING)
    doubles = np.flatnonzero(letters == _LETTERS["double_value"])
    if len(doubles):
        said[doubles] = np.isfinite(values.field("double_value").take(pa.array(doubles)).to_numpy())
    said[ambiguous(values, letters)] = False
    every = np.ones(len(lists), dtype=bool)
    every[pc.list_parent_indices(lists).to_numpy()[~said]] = False
    return every


def likely_letters(texts: pa.StringArray) -> np.ndarray:
    """The type that each text probably came from, where nobody noted it: numbers and booleans as they are rendered.

    JSON is taken for text, as which SDKs send messages and tool calls.
    """
    letters = np.full(len(texts), _TEXT, np.uint8)
    for pattern, name in ((_INTEGER, "int_value"), (_DOUBLE, "double_value"), (_BOOLEAN, "bool_value")):
        matches = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        letters[matches.to_numpy(zero_copy_only=False)] = _LETTERS[name]
    if texts.null_count:
        letters[~_valid(texts)] = NOTHING
    return letters


def values_of(texts: pa.StringArray, letters: np.ndarray) -> pa.StructArray:
    """AnyValues of the types that the letters say. A text that cannot be of its type (somebody has changed it since)
    is taken as text."""
    letters = np.where(_valid(texts) & np.isin(letters, (EMPTY, NOTHING)), _TEXT, letters)
    parts, place, end = [_texts(texts, letters)], np.arange(len(texts)), len(texts)
    for letter, read in _READERS.items():
        rows = np.flatnonzero(letters == letter)
        if len(rows):
            parts.append(_read(texts.take(pa.array(rows)), read))
            place[rows] = end + np.arange(len(rows))
            end += len(rows)
    return pa.concat_arrays(parts).take(pa.array(place)) if len(parts) > 1 else parts[0]


def _texts(texts: pa.StringArray, letters: np.ndarray) -> pa.StructArray:
    """The rows that are text; those of other types hold nothing yet."""
    strings = texts if texts.null_count == 0 else pc.if_else(pa.array(letters == _TEXT), texts, None)
    return _structs(len(texts), letters == NOTHING, string_value=strings)


def _structs(length: int, nothing: np.ndarray | None, **given: pa.Array) -> pa.StructArray:
    empty = handler(AnyValue).array_to_record_batch(pa.array([b""], pa.binary()))
    rows = pa.array(np.zeros(length, np.int64))
    children = [given[f.name] if f.name in given else empty.column(f.name).take(rows) for f in value_type()]
    mask = pa.array(nothing) if nothing is not None and nothing.any() else None
    return pa.StructArray.from_arrays(children, fields=list(value_type()), mask=mask)


def _read(texts: pa.StringArray, read: Callable[[pa.StringArray], pa.StructArray]) -> pa.StructArray:
    try:
        return read(texts)
    except (ValueError, RecursionError):  # Arrow's own error for this is a ValueError
        if len(texts) == 1:
            return _structs(1, None, string_value=texts)
        middle = len(texts) // 2
        return pa.concat_arrays([_read(texts[:middle], read), _read(texts[middle:], read)])


def _cast(name: str, kind: pa.DataType) -> Callable[[pa.StringArray], pa.StructArray]:
    return lambda texts: _structs(len(texts), None, **{name: texts.cast(kind)})


def _bytes(texts: pa.StringArray) -> pa.StructArray:
    decoded = [base64.b64decode(text, validate=True) for text in texts.to_pylist()]
    return _structs(len(texts), None, bytes_value=pa.array(decoded, pa.binary()))


def _json(texts: pa.StringArray) -> pa.StructArray:
    distinct = texts.dictionary_encode()
    messages = [_parsed(text).SerializeToString() for text in distinct.dictionary.to_pylist()]
    records = handler(AnyValue).array_to_record_batch(pa.array(messages, pa.binary()))
    values = pa.StructArray.from_arrays(records.columns, fields=list(records.schema))
    return values.take(distinct.indices)


def _parsed(text: str | None) -> AnyValue:
    if text is None or text[:1] not in "[{":
        raise ValueError("neither an array nor a map")
    return _message(json.loads(text, object_pairs_hook=_Pairs))


class _Pairs(list[Any]):
    """The entries of a JSON object in their order; unlike a dictionary it may hold a key twice."""


def _message(value: Any) -> AnyValue:
    message = AnyValue()
    if isinstance(value, _Pairs):
        message.kvlist_value.SetInParent()
        message.kvlist_value.values.extend(KeyValue(key=key, value=_message(element)) for key, element in value)
    elif isinstance(value, list):
        message.array_value.SetInParent()
        message.array_value.values.extend(_message(element) for element in value)
    elif isinstance(value, bool):  # before int: True is an int to Python
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif value is not None:
        message.string_value = value
    return message


_READERS: dict[int, Callable[[pa.StringArray], pa.StructArray]] = {
    _LETTERS["bool_value"]: _cast("bool_value", pa.bool_()),
    _LETTERS["int_value"]: _cast("int_value", pa.int64()),
    _LETTERS["double_value"]: _cast("double_value", pa.float64()),
    _LETTERS["bytes_value"]: _bytes,
    _LETTERS["array_value"]: _json,
    _LETTERS["kvlist_value"]: _json,
}


def _valid(column: pa.Array) -> np.ndarray:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
