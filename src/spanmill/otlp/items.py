"""The columns of spans, log records and points, out of what the opaque decoder leaves as bytes.

Events, links and exemplars are mostly absent, resources and scopes mostly the same: they are decoded apart, the first
only when there are any, the second once for each distinct one. Whatever is decoded is checked down to its last value.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp import metric_points
from spanmill.otlp.anyvalue import check_nested
from spanmill.otlp.messages import Event, Exemplar, Link, handler
from spanmill.signal import Signal

_REMEMBERED_BYTES = 16 * 1024


def items_of(signal: Signal, messages: pa.StructArray) -> dict[str, pa.Array]:
    """The item columns of `Span`, `LogRecord` or `Metric` messages. Raises `ValueError` where a part is invalid."""
    if signal is Signal.METRICS:
        _check_attributes(messages.field("metadata"))
        columns = metric_points.explode(messages, lambda lists: _decode_lists(Exemplar, lists, "filtered_attributes"))
        _check_attributes(columns["attributes"])
        return columns
    columns = {field.name: messages.field(index) for index, field in enumerate(messages.type)}
    _check_attributes(columns["attributes"])
    if signal is Signal.TRACES:
        columns["events"] = _decode_lists(Event, columns["events"], "attributes")
        columns["links"] = _decode_lists(Link, columns["links"], "attributes")
    else:
        check_nested(columns["body"])
    return columns


def decode_messages(message: Any, serialized: pa.BinaryArray) -> pa.StructArray:
    """Resources or scopes as structs; null stays null."""
    if len(serialized) == 1 and serialized.null_count == 0 and len(serialized[0].as_buffer()) <= _REMEMBERED_BYTES:
        return _decode_one(message, serialized[0].as_py())
    structs = _structs(message, serialized)
    _check_attributes(structs.field("attributes"))
    return structs


@lru_cache(maxsize=512)
def _decode_one(message: Any, serialized: bytes) -> pa.StructArray:
    """A sender repeats its resource and its scopes in every request."""
    structs = _structs(message, pa.array([serialized], pa.binary()))
    _check_attributes(structs.field("attributes"))
    return structs


def _structs(message: Any, serialized: pa.BinaryArray) -> pa.StructArray:
    records = handler(message).array_to_record_batch(serialized)
    mask = serialized.is_null() if serialized.null_count else None
    return pa.StructArray.from_arrays(records.columns, fields=list(records.schema), mask=mask)


def _decode_lists(message: Any, lists: pa.ListArray, attributes: str) -> pa.ListArray:
    """`list<binary>` as `list<struct>`."""
    kind = _list_type(message)
    serialized = lists.flatten()
    if len(serialized) == 0:
        return pa.ListArray.from_arrays(pc.subtract(lists.offsets, lists.offsets[0]), _none_of(message), type=kind)
    structs = _structs(message, serialized)
    _check_attributes(structs.field(attributes))
    return pa.ListArray.from_arrays(pc.subtract(lists.offsets, lists.offsets[0]), structs, type=kind)


@cache
def _list_type(message: Any) -> pa.ListType:
    return pa.list_(pa.field("item", pa.struct(list(handler(message).schema())), nullable=False))


@cache
def _none_of(message: Any) -> pa.StructArray:
    return pa.array([], _list_type(message).value_type)


def _check_attributes(attributes: pa.ListArray) -> None:
    check_nested(attributes.flatten().field("value"))


def list_owners(lists: pa.ListArray) -> np.ndarray:
    """For each element of the lists, the index of the list that holds it."""
    return np.asarray(pc.list_parent_indices(lists).to_numpy())


def dictionary(codes: np.ndarray, values: pa.Array) -> pa.DictionaryArray:
    """A dictionary column with 32-bit indices."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), pa.int32()), values)
