"""Arrow columns as values that JSON and people can read, nothing rounded away."""

import base64
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_LARGEST_EXACT = Decimal(2**63 - 1)


def plain_values(column: pa.Array) -> list[Any]:
    """One value for each row: null, bool, int, float, text, list or dict.

    Times are ISO 8601 in UTC with the digits of their unit (`2025-01-31T13:00:00.123456789Z`); decimals are numbers
    when a float holds them exactly as written, else text; bytes are Base64; NaN and infinities are text as in OTLP's
    JSON; maps are objects, whatever is no number or text is text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain_values(column.dictionary_decode())
    if pa.types.is_map(kind):
        return _lists(column, plain_entries)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(column, plain_values)
    if pa.types.is_struct(kind):
        return _structs(column)
    if pa.types.is_timestamp(kind):
        return list(pc.strftime(column.cast(pa.timestamp(kind.unit)), "%Y-%m-%dT%H:%M:%SZ").to_pylist())
    convert = _conversion(kind)
    values = column.to_pylist()
    return values if convert is None else [None if value is None else convert(value) for value in values]


def plain_entries(entries: pa.StructArray) -> list[tuple[str, Any]]:
    """The entries of maps as pairs; keys are text."""
    keys, values = (plain_values(part) for part in entries.flatten())
    return [(key if isinstance(key, str) else str(key), value) for key, value in zip(keys, values, strict=True)]


def _lists(column: pa.Array, convert: Callable[[pa.Array], list[Any]]) -> list[Any]:
    make: Callable[[Any], Any] = list
    if pa.types.is_map(column.type):
        column, make = column.cast(pa.list_(_entry(column.type))), dict
    values = iter(convert(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else make(next(values) for _ in range(length)) for length in lengths]


def _entry(kind: pa.MapType) -> pa.DataType:
    return pa.struct([pa.field("key", kind.key_type, nullable=False), pa.field("value", kind.item_type)])


def _structs(column: pa.StructArray) -> list[Any]:
    names = [field.name for field in column.type]
    children = [plain_values(child) for child in column.flatten()]
    valid = column.is_valid().to_pylist()
    rows = zip(*children, strict=True) if children else ((),) * len(column)
    return [dict(zip(names, row, strict=True)) if held else None for row, held in zip(rows, valid, strict=True)]


def _conversion(kind: pa.DataType) -> Callable[[Any], Any] | None:
    if pa.types.is_floating(kind):
        return _float
    if pa.types.is_decimal(kind):
        return _decimal
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return lambda value: base64.b64encode(value).decode()
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_null(kind):
        return None
    return str


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decimal(value: Decimal) -> int | float | str:
    if value == value.to_integral_value() and value.as_tuple().exponent == 0:
        return int(value) if abs(value) <= _LARGEST_EXACT else str(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)
