"""Protobuf messages to what becomes OTLP/JSON, by tables made from the descriptors once."""

import base64
import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

Writer = Callable[[Any], Any]

_HEX: Final = frozenset({"trace_id", "span_id", "parent_span_id", "profile_id"})
_AS_TEXT: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
"""64-bit integers, which JavaScript's numbers do not hold."""


@cache
def message_writer(message: Descriptor) -> Writer:
    """From a message to a JSON object with the fields that are set."""
    fields: dict[int, tuple[str, Writer | None]] = {}

    def write(value: Any) -> dict[str, Any]:
        if not fields:
            fields.update({field.number: (field.json_name, _field_writer(field)) for field in message.fields})
        result = {}
        for field, item in value.ListFields():
            name, writer = fields[field.number]
            result[name] = item if writer is None else writer(item)
        return result

    return write


def _field_writer(field: FieldDescriptor) -> Writer | None:
    """None where the value can stand as it is."""
    writer = _value_writer(field)
    if not field.is_repeated:
        return writer
    return list if writer is None else lambda items: [writer(item) for item in items]


def _value_writer(field: FieldDescriptor) -> Writer | None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return message_writer(field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes.hex if field.name in _HEX else lambda value: base64.b64encode(value).decode()
    if field.type in _AS_TEXT:
        return str
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return _number
    return None


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
