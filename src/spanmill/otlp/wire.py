"""The few pieces of protobuf's wire format that are written by hand."""

from typing import Final

from google.protobuf.descriptor import FieldDescriptor

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_STRING: _LENGTH_DELIMITED,
    FieldDescriptor.TYPE_BYTES: _LENGTH_DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH_DELIMITED,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
}
"""Every other type is a varint."""


def _encode(number: int) -> bytes:
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


_SMALL: Final = tuple(_encode(number) for number in range(4096))
"""Nearly every length and number in telemetry."""


def varint(number: int) -> bytes:
    """A non-negative number as a varint."""
    return _SMALL[number] if number < len(_SMALL) else _encode(number)


def tag_of(field: FieldDescriptor, *, packed: bool = False) -> bytes:
    """The bytes in front of a field's value."""
    wire_type = _LENGTH_DELIMITED if packed else _WIRE_TYPES.get(field.type, _VARINT)
    return _encode(field.number << 3 | wire_type)
