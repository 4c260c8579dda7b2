"""From the text of a value to the value that a column holds."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa

from spanmill.llm.dialect import Scalar, Source

NANOSECONDS_PER_MS = pa.scalar(1e6, pa.float64())
_LARGEST = 1 << 62
_COUNTS_BELOW = 1e15
"""No count of tokens is larger; a number that is says nothing."""
_USD_BELOW = Decimal(10) ** 9
_UNITS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000))
"""Epoch numbers from this on are nanoseconds, microseconds, milliseconds; below they are seconds."""

Parser = Callable[[str], Any]


def parser(kind: pa.DataType, source: Source) -> Parser:
    """What makes a value of type `kind` out of a text, as the source says; None where that is not possible."""
    if source.as_ is not None:
        return epoch_nanoseconds
    convert = _list(source.split) if pa.types.is_list(kind) else _PARSERS[kind]
    if source.values or source.otherwise is not None:
        return _meaning({_written(value): meaning for value, meaning in source.values.items()}, source, convert)
    if source.times is not None:
        factor = source.times
        return lambda text: None if (number := _number(text)) is None else _PARSERS[kind](repr(number * factor))
    return convert


def epoch_nanoseconds(text: str) -> int | None:
    """A time in ISO 8601 (without an offset: UTC) or as a number, also in quotes, as nanoseconds since 1970."""
    text = text.strip().strip('"')
    number = _number(text)
    if number is not None:
        factor = next((factor for least, factor in _UNITS if number >= least), 1_000_000_000)
        # A double holds no more than 256 nanoseconds' precision of a time of our days.
        nanoseconds = int(text) * factor if text.isascii() and text.isdigit() else int(number * factor)
        return nanoseconds if 0 < nanoseconds < _LARGEST else None
    try:
        time = datetime.fromisoformat(text)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return int(time.timestamp()) * 1_000_000_000 + time.microsecond * 1_000
    except (ValueError, OverflowError):
        return None


def _meaning(values: dict[str, Scalar], source: Source, convert: Parser) -> Parser:
    def mean(text: str) -> Any:
        meaning = values.get(text)
        if meaning is None:
            meaning = text if source.otherwise == "keep" else source.otherwise
        return None if meaning is None else convert(_written(meaning))

    return mean


def _written(value: Scalar) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _text(text: str) -> str | None:
    """The text; null for the empty one. Without the quotes of JSON."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            text = orjson.loads(text)
        except ValueError:
            return text
    return text or None


def _number(text: str) -> float | None:
    try:
        number = float(text.strip('"'))
    except ValueError:
        return None
    return number if abs(number) < _LARGEST else None


def _count(text: str) -> int | None:
    number = _number(text)
    return int(number) if number is not None and 0 <= number < _COUNTS_BELOW else None


def _usd(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip('"'))
    except InvalidOperation:
        return None
    return round(amount, 9) if amount.is_finite() and abs(amount) < _USD_BELOW else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False, "1": True, "0": False}.get(text.strip('"').lower())


def _list(split: str | None) -> Parser:
    def parse(text: str) -> list[str] | None:
        value: object = text
        if text[:1] in ("[", '"'):
            try:
                value = orjson.loads(text)
            except ValueError:
                value = text
        if isinstance(value, str):
            value = [part.strip() for part in value.split(split)] if split else [value]
        if not isinstance(value, list):
            return None
        return [_element(element) for element in value if element not in (None, "")] or None

    return parse


def _element(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


_PARSERS: dict[pa.DataType, Parser] = {
    pa.string(): _text,
    pa.int64(): _count,
    pa.float64(): _number,
    pa.bool_(): _boolean,
    pa.decimal128(18, 9): _usd,
}
