"""Parsed JSON to protobuf bytes, by tables made from the descriptors once.

A *reader* turns one JSON value into bytes: that of a message into its content, that of a field into the field as it
stands on the wire, tag included. Readers raise `Misfit`, and each level adds its step to the place.
"""

import base64
import binascii
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from spanmill.otlp.messages import AnyValue, KeyValue
from spanmill.otlp.wire import tag_of, varint

Reader = Callable[[Any], bytes]

MAX_DEPTH: Final = 45
"""Levels of lists and maps in an attribute value; what the decoder takes as well."""
_NESTING: Final = frozenset({"opentelemetry.proto.common.v1.ArrayValue", "opentelemetry.proto.common.v1.KeyValueList"})
_HEX: Final = frozenset({"trace_id", "span_id", "parent_span_id", "profile_id"})
_SHOWN_CHARACTERS: Final = 60


class Misfit(ValueError):  # noqa: N818 - a finding about the sender's data
    """A value is not what its field holds."""

    def __init__(self, expected: str, found: Any) -> None:
        shown = repr(found)
        super().__init__(
            f"expected {expected}, found {shown[:_SHOWN_CHARACTERS]}{'…' if len(shown) > _SHOWN_CHARACTERS else ''}"
        )
        self.expected = expected
        self.steps: list[str | int] = []
        """From the inside to the outside."""

    @property
    def place(self) -> str:
        """A JSON path: `$.resourceSpans[0].resource`."""
        return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.steps))


@cache
def message_reader(message: Descriptor, depth: int = 0) -> Reader:
    """The reader of a message's content. `depth`: levels of lists and maps above it."""
    depth += message.full_name in _NESTING
    fields: dict[str, Reader] = {}

    def read(value: Any) -> bytes:
        if type(value) is not dict:
            raise Misfit("an object", value)
        if not fields:
            if depth > MAX_DEPTH:
                raise Misfit(f"at most {MAX_DEPTH} levels of lists and maps", value)
            fields.update(_fields(message, depth))
        parts = []
        for name, item in value.items():
            reader = fields.get(name)
            if reader is None or item is None:
                continue
            try:
                parts.append(reader(item))
            except Misfit as error:
                error.steps.append(name)
                raise
        return b"".join(parts)

    return read


def _fields(message: Descriptor, depth: int) -> dict[str, Reader]:
    """Readers by JSON name; spellings of the .proto files lead to an error that names the right one."""
    readers: dict[str, Reader] = {}
    for field in message.fields:
        if field.json_name != field.name:
            readers[field.name] = _misspelled(field.json_name)
    for field in message.fields:
        readers[field.json_name] = _repeated(field, depth) if field.is_repeated else _singular(field, depth)
    return readers


def _misspelled(name: str) -> Reader:
    def read(_value: Any) -> bytes:
        error = Misfit("", "")
        error.args = (f"field names are lowerCamelCase: write `{name}`",)
        raise error

    return read


def _singular(field: FieldDescriptor, depth: int) -> Reader:
    tag = tag_of(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text_field(tag)
    read = _content(field, depth)
    if field.type not in _LENGTH_DELIMITED:
        return lambda value: tag + read(value)

    def delimited(value: Any) -> bytes:
        content = read(value)
        return tag + varint(len(content)) + content

    return delimited


def _text_field(tag: bytes) -> Reader:
    """Most of telemetry is text: this is `_singular` with its calls written out."""
    prefixes = tuple(tag + varint(size) for size in range(128))

    def read(value: Any) -> bytes:
        if type(value) is not str:
            raise Misfit("a text", value)
        content = value.encode()
        size = len(content)
        return (prefixes[size] if size < 128 else tag + varint(size)) + content

    return read


def _repeated(field: FieldDescriptor, depth: int) -> Reader:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _repeated_message(field, depth)
    packed = field.type not in _LENGTH_DELIMITED
    read = _content(field, depth) if packed else _singular(field, depth)
    tag = tag_of(field, packed=packed)

    def elements(value: Any) -> bytes:
        if type(value) is not list:
            raise Misfit("a list", value)
        parts: list[bytes] = []
        try:
            for element in value:
                parts.append(read(element))  # noqa: PERF401 - their number says where an error is
        except Misfit as error:
            error.steps.append(len(parts))
            raise
        content = b"".join(parts)
        return tag + varint(len(content)) + content if packed and content else content

    return elements


def _text_attribute(message: Descriptor, other: Reader) -> Reader:
    """A KeyValue with a text in it, which most of them are: the same bytes in a third of the time. Else `other`."""
    key_tag, value_tag = tag_of(message.fields_by_name["key"]), tag_of(message.fields_by_name["value"])
    text_tag = tag_of(AnyValue.DESCRIPTOR.fields_by_name["string_value"])

    def read(attribute: Any) -> bytes:
        if type(attribute) is dict and len(attribute) == len(("key", "value")):
            key, value = attribute.get("key"), attribute.get("value")
            text = value.get("stringValue") if type(value) is dict and len(value) == 1 else None
            if type(key) is str and type(text) is str:
                name, content = key.encode(), text.encode()
                content = text_tag + varint(len(content)) + content
                return key_tag + varint(len(name)) + name + value_tag + varint(len(content)) + content
        return other(attribute)

    return read


def _repeated_message(field: FieldDescriptor, depth: int) -> Reader:
    message: Any = field.message_type
    tag, read = tag_of(field), message_reader(message, depth)
    if message is KeyValue.DESCRIPTOR:
        read = _text_attribute(message, read)

    def elements(value: Any) -> bytes:
        if type(value) is not list:
            raise Misfit("a list", value)
        parts: list[bytes] = []
        add = parts.append
        try:
            for element in value:
                content = read(element)
                add(tag + varint(len(content)) + content)
        except Misfit as error:
            error.steps.append(len(parts))
            raise
        return b"".join(parts)

    return elements


def _content(field: FieldDescriptor, depth: int) -> Reader:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return message_reader(field.message_type, depth)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _hex if field.name in _HEX else _base64
    return _SCALARS[field.type]


def _string(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit("a text", value)
    return value.encode()


def _hex(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit("an id as hexadecimal text", value)
    try:
        return binascii.unhexlify(value)
    except ValueError:
        raise Misfit("an id as hexadecimal text", value) from None


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit("bytes as base64 text", value)
    try:
        padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        raise Misfit("bytes as base64 text", value) from None


def _bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise Misfit("true or false", value)
    return b"\1" if value else b"\0"


_WORDS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def _number(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str:
        try:
            return _WORDS[value] if value in _WORDS else float(_plain(value))
        except ValueError:
            pass
    raise Misfit("a number, or NaN, Infinity or -Infinity as text", value)


def _plain(text: str) -> str:
    """Python reads more as numbers than JSON does: `1_000`, ` 1`, `nan`."""
    if not text or not set(text) <= set("0123456789+-.eE"):
        raise ValueError(text)
    return text


def _double(value: Any) -> bytes:
    return struct.pack("<d", _number(value))


def _float(value: Any) -> bytes:
    return struct.pack("<f", _number(value))


def _whole(value: Any) -> int:
    """An integer written as a number or as text. Floats are integers when they have no fraction, as in JavaScript."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str:
        digits = value[1:] if value[:1] == "-" else value
        if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
            return int(value)
    raise Misfit("a whole number, or one as text", value)


_MOST_DIGITS: Final = 400


def _signed(value: Any) -> int:
    return max(-(2**63), min(2**63 - 1, _whole(value)))


def _unsigned(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = _whole(value)
        if not 0 <= number < 1 << bits:
            raise Misfit(f"a whole number from 0 to 2^{bits} - 1", value)
        return number

    return read


_unsigned32, _unsigned64 = _unsigned(32), _unsigned(64)


def _signed32(value: Any) -> int:
    number = _whole(value)
    if not -(2**31) <= number < 2**31:
        raise Misfit("a whole number from -2^31 to 2^31 - 1", value)
    return number


def _enum(value: Any) -> bytes:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise Misfit("an enum as a number", value)
    return varint(value & (2**64 - 1))


def _zigzag(value: int) -> bytes:
    return varint((value << 1 ^ value >> 63) & (2**64 - 1))


_LENGTH_DELIMITED: Final = frozenset(
    {FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
)
_SCALARS: Final[dict[int, Reader]] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _float,
    FieldDescriptor.TYPE_ENUM: _enum,
    FieldDescriptor.TYPE_INT64: lambda value: varint(_signed(value) & (2**64 - 1)),
    FieldDescriptor.TYPE_INT32: lambda value: varint(_signed32(value) & (2**64 - 1)),
    FieldDescriptor.TYPE_UINT64: lambda value: varint(_unsigned64(value)),
    FieldDescriptor.TYPE_UINT32: lambda value: varint(_unsigned32(value)),
    FieldDescriptor.TYPE_SINT32: lambda value: _zigzag(_signed32(value)),
    FieldDescriptor.TYPE_SINT64: lambda value: _zigzag(_signed(value)),
    FieldDescriptor.TYPE_FIXED64: lambda value: _unsigned64(value).to_bytes(8, "little"),
    FieldDescriptor.TYPE_FIXED32: lambda value: _unsigned32(value).to_bytes(4, "little"),
    FieldDescriptor.TYPE_SFIXED64: lambda value: _signed(value).to_bytes(8, "little", signed=True),
    FieldDescriptor.TYPE_SFIXED32: lambda value: _signed32(value).to_bytes(4, "little", signed=True),
}
