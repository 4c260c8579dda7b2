"""How a line of the log is written: for people, or as JSON. Nothing that comes in can start a line of its own."""

import json
import re
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

# C0 and C1 controls, line and paragraph separators, and the marks that reorder text on a screen.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def render_trace(exc_info: Any) -> str | None:
    if not exc_info:
        return None
    error: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
    if isinstance(exc_info, BaseException):
        error = (type(exc_info), exc_info, exc_info.__traceback__)
    else:
        error = exc_info if isinstance(exc_info, tuple) else sys.exc_info()
    return "".join(traceback.format_exception(*error)).rstrip("\n") if error[1] is not None else None


def trace_without_message(error: BaseException) -> str:
    """The type of an error and where it was raised, without its words: they may quote what must be in no log."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join([type(error).__name__, *(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def console_line(level: str, message: str, fields: dict[str, Any], trace: str | None, lines: tuple[str, ...]) -> str:
    line = f"{_now()}\t{level}\t{_safe(message)}"
    if fields:
        line += f"\t{_object(fields)}"
    if trace is not None:
        lines += tuple(trace.split("\n"))
    return line + "".join(f"\n\t{_safe(part)}" for part in lines)


def json_line(level: str, message: str, fields: dict[str, Any], trace: str | None, lines: tuple[str, ...]) -> str:
    extra: dict[str, Any] = {} if trace is None else {"stacktrace": trace}
    if lines:
        extra["lines"] = lines
    return _object({"level": level, "ts": _now(), "msg": message} | fields | extra)


def _object(fields: dict[str, Any]) -> str:
    """JSON. What is not JSON is shown by its `str`, and a Secret's is not its text."""
    try:
        text = json.dumps(fields, ensure_ascii=False, default=str, separators=(", ", ": "))
    except (TypeError, ValueError):  # keys that are not text, or a value within itself
        text = json.dumps({str(key): str(value) for key, value in fields.items()}, ensure_ascii=False)
    return _safe(text)


def _safe(text: str) -> str:
    """Without control characters: a newline becomes the two characters `\\n`."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character, f"\\u{ord(character):04x}")
