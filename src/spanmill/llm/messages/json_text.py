"""JSON text to values and back, such as telemetry holds it: cut off, doubly encoded, with what JSON does not allow."""

import json
from base64 import b64encode
from typing import Any

import orjson

MAX_DEPTH = 100
"""Levels of lists and objects in each other that are looked into; orjson writes 254 of them at most."""
_MAX_INT_BITS = 4096
"""Python refuses to write an int of more than 4,300 digits."""


class TooDeepError(ValueError):
    """A value is nested deeper than `MAX_DEPTH` levels: keep the text that it came from."""


def loads(text: str) -> Any:
    """The value of a JSON text; raises `ValueError` when it is none.

    NaN, Infinity and lone halves of surrogate pairs pass: Python's json module writes them, orjson does not read them.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if not ("NaN" in text or "Infinity" in text or "\\ud" in text or "\\uD" in text):
            raise
    try:
        return json.loads(text)
    except RecursionError as error:
        raise TooDeepError(str(error)) from None


def dumps(value: object) -> str:
    """Compact JSON text, always valid UTF-8.

    What JSON has no word for is replaced, never an error: NaN by null, half a surrogate pair by U+FFFD, ints beyond
    4,096 bits by their hexadecimal digits as text, bytes by base64, other objects by their `str`.
    """
    try:
        return orjson.dumps(value).decode()
    except (TypeError, RecursionError):
        return _written(value)


def without_surrogates(text: str) -> str:
    """The text with U+FFFD where it has half a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Token(str):
    """A piece of JSON that is written as it stands."""

    __slots__ = ()


def _written(value: object) -> str:
    """Without recursion, so that depth does not matter."""
    pieces: list[str] = []
    waiting: list[object] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Token):
            pieces.append(item)
        elif isinstance(item, dict):
            pieces.append("{")
            waiting.append(_Token("}"))
            for number, (key, entry) in enumerate(reversed(item.items()), 1):
                waiting += (entry, _Token(("," if number < len(item) else "") + _scalar(str(key)) + ":"))
        elif isinstance(item, list | tuple):
            pieces.append("[")
            waiting.append(_Token("]"))
            for number, entry in enumerate(reversed(item), 1):
                waiting += (entry, _Token(",")) if number < len(item) else (entry,)
        else:
            pieces.append(_scalar(item))
    return "".join(pieces)


def _scalar(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value) if value.bit_length() <= _MAX_INT_BITS else f'"{value:#x}"'
    if value is None or isinstance(value, bool | float):
        return orjson.dumps(value).decode()
    text = b64encode(value).decode() if isinstance(value, bytes) else str(value)
    return orjson.dumps(without_surrogates(text)).decode()
