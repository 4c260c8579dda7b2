"""The daemon's log: one door for components and for libraries that use the standard library's logging.

Like the Collector's: `time TAB level TAB message TAB {fields}` or JSON lines, and a limit on how often a message is
repeated. Nothing that comes in can start a line of its own: control characters are escaped.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

from spanmill.errors import StartError
from spanmill.names import ComponentId, Kind
from spanmill.telemetry.lines import console_line, json_line, render_trace

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
_NAMES: Final = {"warning": "warn", "critical": "error"}
_KEY: Final = "_repeats_of"
LINES: Final = "_lines"
"""Field of an event: texts that follow it, on lines of their own in the console and as the field `lines` in JSON."""
UNLIMITED: Final = "_unlimited"
"""Field of an event: true where the component limits itself, so that repetitions are not left out."""


class Log:
    """Where a component says what happened: an event in words, and fields. Bound fields go on every line.

    `exc_info` takes an exception, whose traceback is written too.
    """

    __slots__ = ("_fields",)

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def bind(self, **fields: Any) -> "Log":
        """The same log with more fields."""
        return Log(**self._fields | fields)

    def debug(self, event: str, **fields: Any) -> None:
        """What only the author of a component wants to know."""
        self._say("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happened as it should, and seldom."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What an operator should look at when there is time."""
        self._say("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What an operator should look at now."""
        self._say("error", event, fields)

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] >= _door.threshold:
            sink = _door.sink or _Sink([sys.stderr], "console", {})
            sink.write(_NAMES.get(level, level), {"event": event} | self._fields | fields)


class Logs:
    """The log as configured. `close` gives back what was changed in the process."""

    def __init__(self, sink: "_Sink", handler: logging.Handler, previous_level: int, previous: "_Door") -> None:
        self._sink = sink
        self._previous = previous
        self._handler = handler
        self._previous_level = previous_level

    def flush(self) -> None:
        """Say what was left out so far. Called at the end of the daemon's life."""
        self._sink.report()

    def close(self) -> None:
        """Flush, and put back what was there before. Safe twice."""
        self.flush()
        root = logging.getLogger()
        if self._handler in root.handlers:
            root.removeHandler(self._handler)
            root.setLevel(self._previous_level)
            logging.captureWarnings(False)
            _door.sink, _door.threshold = self._previous.sink, self._previous.threshold
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
    before = _Door(_door.sink, _door.threshold)
    _door.sink, _door.threshold = sink, threshold
    handler = _StandardLibrary(sink)
    root = logging.getLogger()
    previous = root.level
    root.addHandler(handler)
    # Libraries' debug lines are about the library (asyncio tells of its selector), not about the daemon.
    root.setLevel(max(threshold, logging.INFO))
    logging.captureWarnings(True)
    return Logs(sink, handler, previous, before)


def component_log(kind: Kind | str, component: ComponentId | str) -> Log:
    """The log of a component, for its `Settings`, or of a part of the daemon."""
    singular = kind.singular if isinstance(kind, Kind) else kind
    return Log(**{"otelcol.component.id": str(component), "otelcol.component.kind": singular})


class _Sink:
    """Counts repetitions, renders lines and writes them. Safe from any thread."""

    def __init__(self, streams: Sequence[IO[str]], encoding: Encoding, fields: dict[str, Any]) -> None:
        self._streams = streams
        self._render = console_line if encoding == "console" else json_line
        self._fields = fields
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], int] = {}
        self._left_out: dict[tuple[str, str, str], int] = {}
        self._window_ends = 0.0

    def write(self, level: str, event: dict[str, Any]) -> None:
        message = str(event.pop("event", ""))
        key = (level, str(event.pop(_KEY, message)), str(event.get("otelcol.component.id", "")))
        trace = render_trace(event.pop("exc_info", None))
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


@dataclass(slots=True)
class _Door:
    """Where every line of the process goes."""

    sink: _Sink | None
    """None before `configure_logs`: then lines go to stderr."""
    threshold: int


_door = _Door(None, logging.INFO)


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
