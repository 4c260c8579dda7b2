"""Personal data put into every place where an OTLP message can hold it, by walking the message's own description."""

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

DOMAIN = "leak.example.com"
CARD = 4_111_111_111_111_111


@dataclass
class Plant:
    """What is put where. Two messages of the same shape, one with `SECRETS` and one with `MASKS`, are what masking is
    given and what it is to give back."""

    email: str
    """`{}` is the number of the place."""
    card: int | str
    keys: bool = False
    """Whether keys get something too."""
    planted: int = 0

    def text(self, before: str = "") -> str:
        """The text with an e-mail address at its end."""
        self.planted += 1
        return f"{before} {self.email.format(self.planted)}"


def secrets(keys: bool = False) -> Plant:
    """What must be gone."""
    return Plant(f"planted{{}}@{DOMAIN}", CARD, keys)


def masks(keys: bool = False) -> Plant:
    """What must stand there instead."""
    return Plant("<EMAIL>", "<CARD>", keys)


def plant(message: Message, what: Plant) -> None:
    """Add to every string of the message, at any depth, and to every AnyValue."""
    if isinstance(message, AnyValue):
        _plant_value(message, what)
        return
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            _plant_strings(message, field, what)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            held = getattr(message, field.name)
            if field.is_repeated:
                for element in held:
                    plant(element, what)
            elif message.HasField(field.name):
                plant(held, what)


def _plant_strings(message: Message, field: Any, what: Plant) -> None:
    if isinstance(message, KeyValue) and field.name == "key" and not what.keys:
        return
    if not field.is_repeated:
        setattr(message, field.name, what.text(getattr(message, field.name)))
        return
    texts = getattr(message, field.name)
    texts[:] = [what.text(text) for text in texts]


def _plant_value(value: AnyValue, what: Plant) -> None:
    match value.WhichOneof("value"):
        case "string_value":
            value.string_value = what.text(value.string_value)
        case "bytes_value":
            try:
                value.bytes_value = what.text(value.bytes_value.decode()).encode()
            except UnicodeDecodeError:
                return
        case "int_value" | "double_value" as kind:
            if isinstance(what.card, str):
                value.string_value = what.card
            else:
                setattr(value, kind, what.card)
        case "array_value":
            for element in value.array_value.values:
                plant(element, what)
        case "kvlist_value":
            for entry in value.kvlist_value.values:
                plant(entry, what)


def filled(message: Message, choice: int = 0) -> Message:
    """Every field set to something, and every list to one thing, or to one of each kind where messages differ in what
    they may hold: metrics of every type, values of every kind, nested too. `choice`: which of such fields is set."""
    for field in message.DESCRIPTOR.fields:
        group = field.containing_oneof
        if group is not None and list(group.fields).index(field) != choice % len(group.fields):
            continue
        if field.message_type is KeyValue.DESCRIPTOR:
            getattr(message, field.name).extend(every_kind())
        elif field.message_type is AnyValue.DESCRIPTOR:
            getattr(message, field.name).CopyFrom(every_kind()[-1].value)
        elif field.message_type is not None and field.is_repeated:
            for number in range(_choices(field.message_type)):
                filled(getattr(message, field.name).add(), number)
        elif field.message_type is not None:
            filled(getattr(message, field.name))
        else:
            _set(message, field, _SCALARS.get(field.cpp_type, 1))
    return message


_SCALARS: dict[int, object] = {FieldDescriptor.CPPTYPE_BOOL: True}


def _choices(kind: Any) -> int:
    return max((len(group.fields) for group in kind.oneofs), default=1)


def _set(message: Message, field: Any, value: object) -> None:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        value = "text" if field.type == FieldDescriptor.TYPE_STRING else b"12345678"
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def every_kind() -> list[KeyValue]:
    """An attribute of each kind, the last of which holds all the others in an array in a map in an array."""
    values = [
        AnyValue(string_value="text"),
        AnyValue(string_value='{"role": "user"}'),
        AnyValue(bytes_value=b"text"),
        AnyValue(bytes_value=b"\xff\xfe"),
        AnyValue(int_value=1),
        AnyValue(double_value=1.0),
        AnyValue(bool_value=True),
        AnyValue(),
    ]
    whole = AnyValue()
    deeper = whole.array_value.values.add().kvlist_value.values.add(key="deep")
    deeper.value.array_value.values.extend(values)
    return [KeyValue(key=f"key.{number}", value=value) for number, value in enumerate([*values, whole])]


def string_fields(kind: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """`Message.field` of every string that a message can hold at any depth."""
    if kind.full_name in seen:
        return
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield f"{kind.name}.{field.name}"
        elif field.message_type is not None:
            yield from string_fields(field.message_type, seen | {kind.full_name})


def leaks(stored: bytes) -> list[bytes]:
    """Those forms of what was planted that are in the bytes."""
    number = CARD
    varint = bytearray()
    while number:
        varint.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
    domain = DOMAIN.encode()
    shifted = [base64.b64encode(b"x" * shift + domain)[4:-4] for shift in range(3)]
    numbers = [str(CARD).encode(), bytes(varint), struct.pack("<q", CARD), struct.pack("<d", float(CARD))]
    return [form for form in (domain, b"planted", *shifted, *numbers) if form in stored]
