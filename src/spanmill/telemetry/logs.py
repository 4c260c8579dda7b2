"""The daemon's log: one door for structlog and for libraries that use the standard library's logging.

Like the Collector's: `time TAB level TAB message TAB {fields}` or JSON lines, and a limit on how often a message is
repeated. Nothing that comes in can start a line of its own: control characters are escaped.
"""

import io
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from spanmill.errors import StartError
from spanmill.names import ComponentId, Kind

Encoding = Literal["console", "json"]

REPEATS: Final = 10
"""So many lines of one message are written in a window, then one of `THEREAFTER`."""
THEREAFTER: Final = 100
WINDOW_SECONDS: Final = 10.0
_MAX_MESSAGES: Final = 4096
"""Distinct messages counted in a window; beyond them messages share one count, so that memory stays bounded."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES: Final = {"warning": "warn", "critical": "error", "exception": "error"}
_KEY: Final = "_repeats_of"
LINES: Final = "_lines"
"""Field of an event: texts that follow it, on lines of their own in the console and as the field `lines` in JSON."""
UNLIMITED: Final = "_unlimited"
"""Field of an event: true where the component limits itself, so that repetitions are not left out."""

# C0 and C1 controls, line and paragraph separators, and the marks that reorder text on a screen.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Logs:
    """The log as configured. `close` gives back what was changed in the process."""

    def __init__(self, sink: "_Sink", handler: logging.Handler, previous_level: int) -> None:
        self._sink = sink
        self._handler = handler
        self._previous_level = previous_level

    def flush(self) -> None:
        """Say what was left out so far. Called at the end of the daemon's life."""
        self._sink.report()

    def close(self) -> None:
        """Flush, and put back structlog's and logging's own settings. Safe twice."""
        self.flush()
        root = logging.getLogger()
        if self._handler in root.handlers:
            root.removeHandler(self._handler)
            root.setLevel(self._previous_level)
            logging.captureWarnings(False)
            structlog.reset_defaults()
            self._sink.close()


def configure_logs(
    level: str = "info",
    encoding: Encoding = "console",
    stream: IO[str] | None = None,
    *,
    paths: Sequence[str] = ("stderr",),
    initial_fields: Mapping[str, Any] | None = None,
) -> Logs:
    """Send every log line of the process, from `level` (`debug`, `info`, `warn`, `error`) on, to `paths`, or `stream`.

    A path is `stderr`, `stdout` or a file, which is appended to. `initial_fields` go on every line. Raises `StartError`
    for a file that cannot be written. A level we do not know raises KeyError; the configuration's model has checked it.
    """
    threshold = _LEVELS[level.lower()]
    streams = [stream] if stream is not None else [_opened(path) for path in paths]
    sink = _Sink(streams, encoding, dict(initial_fields or {}))
    structlog.configure(
        processors=[sink.process],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    handler = _StandardLibrary(sink)
    root = logging.getLogger()
    previous = root.level
    root.addHandler(handler)
    # Libraries' debug lines are about the library (asyncio tells of its selector), not about the daemon.
    root.setLevel(max(threshold, logging.INFO))
    logging.captureWarnings(True)
    return Logs(sink, handler, previous)


def component_log(kind: Kind | str, component: ComponentId | str) -> FilteringBoundLogger:
    """The log of a component, for its `Settings`, or of a part of the daemon."""
    singular = kind.singular if isinstance(kind, Kind) else kind
    fields = {"otelcol.component.id": str(component), "otelcol.component.kind": singular}
    log: FilteringBoundLogger = structlog.get_logger(**fields)
    return log


class _Sink:
    """Counts repetitions, renders lines and writes them. Safe from any thread."""

    def __init__(self, streams: Sequence[IO[str]], encoding: Encoding, fields: dict[str, Any]) -> None:
        self._streams = streams
        self._render = _console if encoding == "console" else _json
        self._fields = fields
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], int] = {}
        self._left_out: dict[tuple[str, str, str], int] = {}
        self._window_ends = 0.0

    def process(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """structlog's only processor: writes the line here, so that there is nothing left for the logger to do."""
        self.write(_NAMES.get(method, method), dict(event))
        raise structlog.DropEvent

    def write(self, level: str, event: dict[str, Any]) -> None:
        message = str(event.pop("event", ""))
        key = (level, str(event.pop(_KEY, message)), str(event.get("otelcol.component.id", "")))
        trace = _trace(event.pop("exc_info", None))
        lines = tuple(event.pop(LINES, ()))
        unlimited = event.pop(UNLIMITED, False)
        with self._lock:
            if time.monotonic() >= self._window_ends:
                self._begin_window()
            if unlimited or self._may_pass(key):
                self._write(level, message, self._fields | event, trace, lines)

    def report(self) -> None:
        """Write how often each message was left out since the last report."""
        with self._lock:
            self._report()

    def _begin_window(self) -> None:
        self._report()
        self._counts.clear()
        self._window_ends = time.monotonic() + WINDOW_SECONDS

    def _may_pass(self, key: tuple[str, str, str]) -> bool:
        if key not in self._counts and len(self._counts) >= _MAX_MESSAGES:
            key = (key[0], "other messages", "")
        count = self._counts[key] = self._counts.get(key, 0) + 1
        passes = count <= REPEATS or (count - REPEATS) % THEREAFTER == 0
        if not passes:
            self._left_out[key] = self._left_out.get(key, 0) + 1
        return passes

    def _report(self) -> None:
        for (level, message, component), count in self._left_out.items():
            fields: dict[str, Any] = {"message": message, "left_out": count}
            if component:
                fields["otelcol.component.id"] = component
            self._write(level, "repeated lines were left out", self._fields | fields, None)
        self._left_out.clear()

    def _write(
        self, level: str, message: str, fields: dict[str, Any], trace: str | None, lines: tuple[str, ...] = ()
    ) -> None:
        rendered = self._render(level, message, fields, trace, lines) + "\n"
        for stream in self._streams:
            with suppress(OSError, ValueError):  # a closed stderr must not end the daemon
                stream.write(rendered)
                stream.flush()

    def close(self) -> None:
        """Close the files that were opened."""
        with self._lock:
            for stream in self._streams:
                if isinstance(stream, _LogFile):
                    stream.close()


class _StandardLibrary(logging.Handler):
    """Lines of libraries: aiohttp, grpc, asyncio, warnings."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's wrong call must not become ours
            message = str(record.msg)
        event = {"event": message, "logger": record.name, "exc_info": record.exc_info, _KEY: str(record.msg)}
        self._sink.write(_NAMES.get(record.levelname.lower(), record.levelname.lower()), event)


class _LogFile(io.TextIOWrapper):
    """A file that was opened here, and so is closed here."""


def _opened(path: str) -> IO[str]:
    if path in ("stderr", "stdout"):
        return sys.stderr if path == "stderr" else sys.stdout
    try:
        return _LogFile(Path(path).open("ab"), encoding="utf-8")
    except OSError as error:
        raise StartError("service.telemetry.logs", f"cannot write {path}: {error.strerror or error}") from None


def _trace(exc_info: Any) -> str | None:
    if not exc_info:
        return None
    error: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
    if isinstance(exc_info, BaseException):
        error = (type(exc_info), exc_info, exc_info.__traceback__)
    else:
        error = exc_info if isinstance(exc_info, tuple) else sys.exc_info()
    return "".join(traceback.format_exception(*error)).rstrip("\n") if error[1] is not None else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _console(level: str, message: str, fields: dict[str, Any], trace: str | None, lines: tuple[str, ...]) -> str:
    line = f"{_now()}\t{level}\t{_safe(message)}"
    if fields:
        line += f"\t{_object(fields)}"
    if trace is not None:
        lines += tuple(trace.split("\n"))
    return line + "".join(f"\n\t{_safe(part)}" for part in lines)


def _json(level: str, message: str, fields: dict[str, Any], trace: str | None, lines: tuple[str, ...]) -> str:
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
