"""AnyValues as the Collector's text form has them, and numbers as it reads them from texts.

Texts differ from those of the public tables where what is made of them, a mask or a hash, would show it: numbers are
written as JavaScript does, keys of maps are sorted, `NaN` within an array or map leaves nothing of it.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spanmill.arrays import replaced
from spanmill.otlp.messages import AnyValue
from spanmill.schema.inverse.messages import serialize

_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_FLOAT: Final = re.compile(
    rf"[+-]?(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?|inf(?:inity)?|nan)",
    re.ASCII | re.IGNORECASE,
)
_PLAIN_FROM: Final = 1e-6
_PLAIN_BELOW: Final = 1e21
"""Numbers that are smaller or larger than these have an exponent."""


def strings(values: pa.StructArray) -> pa.StringArray:
    """Text values; empty for any other."""
    return values.field("string_value").fill_null("")


def as_texts(values: pa.StructArray) -> pa.StringArray:
    """The text form of every value; empty where there is none."""
    texts = strings(values)
    for name, render in _RENDERERS.items():
        held = values.field(name)
        if held.null_count < len(held):
            rows = np.flatnonzero(held.is_valid().to_numpy(zero_copy_only=False))
            some = values.take(pa.array(rows))
            texts = replaced(texts, rows, render(some if name in _NESTED else some.field(name)))
    return texts


def parse_float(text: str) -> float | None:
    """The number that Go's ParseFloat reads, decimal only; None for anything else, and for what is too large."""
    if not _FLOAT.fullmatch(text):
        return None
    number = float(text)
    return None if math.isinf(number) and "n" not in text.lower() else number


def _cast(values: pa.Array) -> pa.StringArray:
    return values.cast(pa.string())


def _doubles(values: pa.DoubleArray) -> pa.StringArray:
    return _distinct(values, _double)


def _bytes(values: pa.BinaryArray) -> pa.StringArray:
    return _distinct(values, _base64)


def _nested(values: pa.StructArray) -> pa.StringArray:
    fields = {kind.name: values.field(kind.name) for kind in values.type}
    return _distinct(serialize(AnyValue, len(values), **fields), lambda message: _json(AnyValue.FromString(message)))


_NESTED: Final = ("array_value", "kvlist_value")
_RENDERERS: Final[dict[str, Callable[[pa.Array], pa.StringArray]]] = {
    "int_value": _cast,
    "bool_value": _cast,
    "double_value": _doubles,
    "bytes_value": _bytes,
    **dict.fromkeys(_NESTED, _nested),
}


def _distinct(values: pa.Array, text: Callable[[Any], str]) -> pa.StringArray:
    distinct = values.dictionary_encode()
    return pa.array([text(value) for value in distinct.dictionary.to_pylist()], pa.string()).take(distinct.indices)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _double(number: float) -> str:
    """The shortest digits that read back as the same number, as JavaScript writes them."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    if number == 0 or _PLAIN_FROM <= abs(number) < _PLAIN_BELOW:
        return np.format_float_positional(number, unique=True, trim="-")
    return np.format_float_scientific(number, unique=True, trim="-", exp_digits=1)


def _json(value: AnyValue) -> str:
    """The JSON that Go's encoder writes. It gives up on a number that JSON has not."""
    try:
        return _written(value)
    except ValueError:
        return ""


def _written(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "kvlist_value":
            held = {entry.key: entry.value for entry in value.kvlist_value.values}
            pairs = (f"{_quoted(key)}:{_written(held[key])}" for key in sorted(held, key=str.encode))
            return "{" + ",".join(pairs) + "}"
        case "array_value":
            return "[" + ",".join(map(_written, value.array_value.values)) + "]"
        case "string_value":
            return _quoted(value.string_value)
        case "bytes_value":
            return _quoted(_base64(value.bytes_value)) if value.bytes_value else "null"
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            if not math.isfinite(value.double_value):
                raise ValueError("JSON has neither NaN nor infinities")
            return _double(value.double_value)
        case _:
            return "null"


def _quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
