"""What the actions `hash` and `convert` make of AnyValue columns. Python works on distinct values only."""

import hashlib
import re
import struct
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import any_values
from spanmill.otlp.collector_texts import parse_float

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)


def sha1(values: pa.StructArray) -> pa.StructArray:
    """The SHA-1 of each value as lower-case hex text, as the Collector's `hash` action gives it.

    Hashed are a text's UTF-8 bytes, a boolean as one byte, a number as eight bytes, little-endian. Empty texts,
    bytes, arrays, maps and unset values become the empty text. There is no key and no salt: whoever can guess a value
    can check the guess, so this hides nothing that is short or well known.
    """
    fields = _fields(values)
    digests = pc.coalesce(
        _distinct(fields["string_value"], lambda text: _digest(text.encode())),
        _distinct(fields["int_value"], lambda number: _digest(struct.pack("<q", number))),
        _distinct(fields["double_value"].view(pa.int64()), lambda bits: _digest(struct.pack("<q", bits))),
        _distinct(fields["bool_value"], lambda flag: _digest(bytes([flag]))),
        pa.scalar(""),
    )
    return any_values("string_value", digests)


def convert(values: pa.StructArray, to: str) -> pa.StructArray:
    """Each value as `int`, `double` or `string`; what has no such form (a word, an array) stays as it was.

    Doubles lose their fraction on the way to int; texts are read as Go's ParseInt and ParseFloat do, decimal only.
    """
    fields = _fields(values)
    if to == "string":
        kind, converted = "string_value", values_to_text(values)
    elif to == "int":
        kind, converted = "int_value", _to_int(fields)
    else:
        kind, converted = "double_value", _to_double(fields)
    return pc.if_else(converted.is_valid(), any_values(kind, converted), values)


def _to_int(fields: dict[str, pa.Array]) -> pa.Int64Array:
    doubles = fields["double_value"]
    fits = pc.and_(pc.greater_equal(doubles, -(2.0**63)), pc.less(doubles, 2.0**63))
    truncated = pc.trunc(pc.if_else(fits, doubles, pa.scalar(None, pa.float64()))).cast(pa.int64(), safe=False)
    texts = _distinct(fields["string_value"], _parse_int, pa.int64())
    return pc.coalesce(fields["int_value"], truncated, fields["bool_value"].cast(pa.int64()), texts)


def _to_double(fields: dict[str, pa.Array]) -> pa.DoubleArray:
    texts = _distinct(fields["string_value"], parse_float, pa.float64())
    integers = fields["int_value"].cast(pa.float64(), safe=False)
    return pc.coalesce(fields["double_value"], integers, fields["bool_value"].cast(pa.float64()), texts)


def _parse_int(text: str) -> int | None:
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-0")) > len(str(_INT64.stop)):
        return None
    number = int(text)
    return number if number in _INT64 else None


def _digest(value: bytes) -> str:
    return hashlib.sha1(value, usedforsecurity=False).hexdigest() if value else ""


def _distinct(values: pa.Array, function: Callable[[Any], Any], kind: pa.DataType | None = None) -> pa.Array:
    """`function` of each value, called once for each distinct one; null stays null."""
    encoded = values.dictionary_encode()
    results = pa.array([function(value) for value in encoded.dictionary.to_pylist()], kind or pa.string())
    return results.take(encoded.indices)


def _fields(values: pa.StructArray) -> dict[str, pa.Array]:
    return dict(zip((f.name for f in values.type), values.flatten(), strict=True))
