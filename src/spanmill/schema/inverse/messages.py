"""The binary fields of the column `otlp`: serialized OTLP messages, most of whose fields are not set."""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from spanmill.otlp.messages import handler

_ZEROS = {pa.string(): "", pa.binary(): b"", pa.bool_(): False}


def serialize(message: Any, length: int, **given: pa.Array) -> pa.BinaryArray:
    """Messages of which only the fields `given` are set."""
    schema = handler(message).schema()
    none = _none(message)
    columns = [given[f.name] if f.name in given else unset(f, length, none.field(f.name)) for f in schema]
    return handler(message).record_batch_to_array(pa.RecordBatch.from_arrays(columns, schema=schema))


def parse(message: Any, serialized: pa.BinaryArray) -> pa.StructArray:
    """The messages; those of nulls have nothing set."""
    records = handler(message).array_to_record_batch(serialized)
    return pa.StructArray.from_arrays(records.columns, fields=list(records.schema))


@cache
def _none(message: Any) -> pa.StructArray:
    """No messages. What is nested in them is slow to make."""
    return parse(message, pa.array([], pa.binary()))


def unset(field: pa.Field, length: int, none: pa.Array) -> pa.Array:
    """A field as it is where nobody set it; `none` is an array of it without rows."""
    kind = field.type
    if pa.types.is_list(kind):
        offsets = pa.array(np.zeros(length + 1, np.int32))
        return pa.ListArray.from_arrays(offsets, none.values, type=kind)
    if pa.types.is_struct(kind):
        children = [unset(child, length, none.field(child.name)) for child in kind]
        mask = pa.array(np.full(length, True)) if field.nullable else None
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    if field.nullable:
        return pa.nulls(length, kind)
    return pa.repeat(pa.scalar(_ZEROS.get(kind, 0), kind), length)


def only(lists: pa.ListArray, rows: np.ndarray, *names: str) -> pa.ListArray:
    """The lists of the rows where `rows` is true, empty elsewhere; with `names` only those fields are set in them."""
    lengths = np.diff(lists.offsets.to_numpy())
    starts = pa.array(np.concatenate(([0], np.cumsum(np.where(rows, lengths, 0)))).astype(np.int32))
    kept = lists.flatten().filter(pa.array(np.repeat(rows, lengths)))
    kind = lists.type.value_type
    if names:
        none = kept.slice(0, 0)
        children = [kept.field(f.name) if f.name in names else unset(f, len(kept), none.field(f.name)) for f in kind]
        kept = pa.StructArray.from_arrays(children, fields=list(kind))
    return pa.ListArray.from_arrays(starts, kept, type=lists.type)


def with_fields(structs: pa.StructArray, **given: pa.Array) -> pa.StructArray:
    """The same structs with other values in some fields."""
    children = [given[field.name] if field.name in given else structs.field(field.name) for field in structs.type]
    mask = structs.is_null() if structs.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(structs.type), mask=mask)


def scatter(length: int, *parts: tuple[np.ndarray, pa.BinaryArray]) -> pa.BinaryArray:
    """A column that is null but for some rows: pairs of row indices and the values that go there."""
    parts = tuple(part for part in parts if len(part[0]))
    if not parts:
        return pa.nulls(length, pa.binary())
    place, end = np.full(length, -1, np.int64), 0
    for rows, values in parts:
        place[rows] = end + np.arange(len(values))
        end += len(values)
    values = pa.concat_arrays([part[1] for part in parts])
    return values.take(pa.array(place, pa.int64(), mask=place < 0))
