"""OTLP's values as a person reads them: the parts that the debug exporter's verbosities share."""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_NAMES = {
    "string_value": "Str",
    "bool_value": "Bool",
    "int_value": "Int",
    "double_value": "Double",
    "bytes_value": "Bytes",
    "array_value": "Slice",
    "kvlist_value": "Map",
}


def value(message: AnyValue) -> str:
    """The type and the value: `Str(shop)`, `Slice(["a",1])`, `Empty()`."""
    kind = message.WhichOneof("value")
    if kind not in _NAMES:
        return "Empty()"
    return f"{_NAMES[kind]}({bare_value(message)})"


def bare_value(message: AnyValue) -> str:
    """The value alone: texts as they are, anything else as JSON."""
    plain = _plain(message)
    if isinstance(plain, str):
        return plain
    return orjson.dumps(plain).decode() if isinstance(plain, list | dict | bool | None) else repr(plain)


def _plain(message: AnyValue) -> Any:
    kind = message.WhichOneof("value")
    if kind == "array_value":
        return [_plain(element) for element in message.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: _plain(entry.value) for entry in message.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(message.bytes_value).decode()
    return getattr(message, kind) if kind in _NAMES else None


def time(nanoseconds: int) -> str:
    """UTC to the nanosecond: `2025-10-09 08:53:20.000000001 +0000 UTC`."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return f"{nanoseconds} ns after 1970"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{fraction:09d} +0000 UTC"


def attribute_lines(attributes: Iterable[KeyValue], indent: str = "") -> Iterator[str]:
    """A line for each attribute: `     -> key: Str(value)`."""
    for attribute in attributes:
        yield f"{indent}     -> {attribute.key}: {value(attribute.value)}"


def attribute_words(attributes: Iterable[KeyValue]) -> str:
    """All attributes in one line: `key=value key=value`."""
    return " ".join(f"{attribute.key}={bare_value(attribute.value)}" for attribute in attributes)


def enum_name(number: int, names: tuple[str, ...]) -> str:
    """The name of an enumeration's number; the number itself when it has none."""
    return names[number] if 0 <= number < len(names) else str(number)
