"""The fields of one piece of feedback: what each may hold. Every function raises `Wrong`."""

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from spanmill.config.problems import describe

MAX_NAME_CHARACTERS: Final = 100
"""Of names, labels and categories: they become labels of metrics and groups of reports."""
MAX_ID_CHARACTERS: Final = 256
"""Of users and sessions."""
MAX_COMMENT_CHARACTERS: Final = 10_000
MAX_METADATA_ENTRIES: Final = 32
MAX_METADATA_CHARACTERS: Final = 1000
"""Of one text."""
MAX_AHEAD_NANOSECONDS: Final = 300 * 10**9
"""Clocks differ, though not by more than five minutes."""

_TRACE_DIGITS, _SPAN_DIGITS = 32, 16
_HEX = re.compile(r"[0-9a-f]+")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.DOTALL)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EXPECTED_TIME = 'a date and time with its zone, such as "2026-01-31T12:30:00Z" (RFC 3339)'
_INT64 = range(-(2**63), 2**63)


class Wrong(Exception):  # noqa: N818 - a finding about the sender's data
    """What a field holds cannot be taken."""

    def __init__(self, message: str, expected: str = "", found: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.found = found
        self.hint = hint


def trace_place(value: Any) -> tuple[str, str | None]:
    """Trace and span id in lower case, out of a trace id (which says nothing of a span) or a W3C `traceparent`."""
    expected = f"{_TRACE_DIGITS} hex digits in quotes, or a W3C traceparent"
    text = _id_text(value, expected)
    parent = _TRACEPARENT.fullmatch(text)
    if parent is None:
        return _id(text, _TRACE_DIGITS, expected), None
    version, trace, span, more = parent.groups()
    if version == "ff" or (version == "00" and more):
        raise Wrong("not a valid traceparent", expected, describe(value))
    return _id(trace, _TRACE_DIGITS, expected), _id(span, _SPAN_DIGITS, expected)


def traceparent(value: Any) -> tuple[str, str]:
    """Trace and span id in lower case."""
    trace, span = trace_place(value)
    if span is None:
        raise Wrong("not a traceparent", 'one such as "00-<trace id>-<span id>-01"', describe(value))
    return trace, span


def span_id(value: Any) -> str:
    """In lower case."""
    expected = f"{_SPAN_DIGITS} hex digits in quotes"
    return _id(_id_text(value, expected), _SPAN_DIGITS, expected)


def _id_text(value: Any, expected: str) -> str:
    if not isinstance(value, str):
        raise Wrong("an id is text", expected, describe(value))
    return value.strip().lower()


def _id(text: str, digits: int, expected: str) -> str:
    if not _HEX.fullmatch(text):
        hint = "Leave out the dashes." if _HEX.fullmatch(text.replace("-", "")) else ""
        raise Wrong("the id is not hex", expected, describe(text), hint)
    if len(text) != digits:
        is_span = len(text) == _SPAN_DIGITS
        raise Wrong("the id has the wrong length", expected, f"{len(text)} digits", "Is it a span id?" * is_span)
    if not text.strip("0"):
        raise Wrong("the id is all zeros, which stands for none", expected)
    return text


def name(value: Any) -> str:
    """What is rated, or a label: short and printable."""
    text = _text(value, MAX_NAME_CHARACTERS).strip()
    if not text:
        raise Wrong("the text is empty", "a text")
    if not text.isprintable():
        raise Wrong("the text holds characters that cannot be printed", "one line of plain text")
    return text


def identity(value: Any) -> str:
    """A user or a session."""
    return _text(value, MAX_ID_CHARACTERS)


def comment(value: Any) -> str:
    return _text(value, MAX_COMMENT_CHARACTERS)


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str):
        hint = "Put it in quotes." if isinstance(value, int | float) else ""
        raise Wrong("not text", "a text", describe(value), hint)
    if len(value) > most:
        raise Wrong("the text is too long", f"at most {most} characters", f"{len(value)}")
    return value


def time_nanoseconds(value: Any, now: int) -> int:
    """Nanoseconds since 1970. `now`: likewise; what lies further ahead than clocks differ is refused."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        hint = "A number could be seconds or milliseconds." if isinstance(value, int | float) else ""
        raise Wrong("not a time", _EXPECTED_TIME, describe(value), hint)
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone.upper()}")
        whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        raise Wrong("there is no such time", _EXPECTED_TIME, describe(value)) from None
    nanoseconds = (whole.days * 86_400 + whole.seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))
    if nanoseconds <= 0:
        raise Wrong("the time lies before 1970", _EXPECTED_TIME, describe(value))
    if nanoseconds > now + MAX_AHEAD_NANOSECONDS:
        hint = "Without `time` it is the time at which the collector received it."
        raise Wrong("the time lies in the future", "a time that has come", describe(value), hint)
    return nanoseconds


def metadata(value: Any) -> dict[str, str | bool | int | float]:
    """Flat; entries that are null are left out."""
    if not isinstance(value, dict):
        raise Wrong("not an object", "an object of texts, numbers and booleans", describe(value))
    if len(value) > MAX_METADATA_ENTRIES:
        raise Wrong("there are too many entries", f"at most {MAX_METADATA_ENTRIES}", f"{len(value)}")
    return {_key(key): _scalar(key, item) for key, item in value.items() if item is not None}


def _key(key: str) -> str:
    if not key or len(key) > MAX_NAME_CHARACTERS or not key.isprintable():
        raise Wrong("a name cannot be used", f"1 to {MAX_NAME_CHARACTERS} printable characters", describe(key))
    return key


def _scalar(key: str, value: Any) -> str | bool | int | float:
    if isinstance(value, str) and len(value) > MAX_METADATA_CHARACTERS:
        found = f"{len(value)} in {describe(key)}"
        raise Wrong("a text is too long", f"at most {MAX_METADATA_CHARACTERS} characters", found)
    if isinstance(value, int) and value not in _INT64:
        return float(value)
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise Wrong(
        "an entry is not a single value", "a text, a number or a boolean", f"{describe(value)} in {describe(key)}"
    )
