"""The debug exporter: what came through, in the daemon's log or on an output of its own."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.errors import StartError
from spanmill.exporters.debug import detailed, normal
from spanmill.exporters.debug.config import DebugExporterConfig
from spanmill.otlp.codec import encode
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from spanmill.telemetry.logs import LINES, UNLIMITED

_TITLES = {Signal.TRACES: "Traces", Signal.METRICS: "Metrics", Signal.LOGS: "Logs"}
_LINES = {"basic": None, "normal": normal.lines, "detailed": detailed.lines}


class Sampler:
    """Lets the first messages of each second through, then every so-manieth."""

    def __init__(self, initial: int, thereafter: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._initial, self._thereafter, self._clock = initial, thereafter, clock
        self._second, self._seen = -1, 0

    def wants(self) -> bool:
        """Whether to show the message that has just come."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        return self._seen <= self._initial or (self._seen - self._initial) % self._thereafter == 0


class DebugExporter:
    """Shows every batch: counts (`basic`), a line for each item (`normal`), every field (`detailed`)."""

    def __init__(self, config: DebugExporterConfig, settings: Settings) -> None:
        self._config = config
        self._log = settings.log
        self._id = settings.id
        self._sampler = Sampler(config.sampling_initial, config.sampling_thereafter)
        self._outputs: list[TextIO] = []

    def preference(self, signal: Signal) -> BatchPreference:
        return BatchPreference()

    async def start(self, host: Host) -> None:
        if not self._config.use_internal_logger:
            self._outputs = await asyncio.to_thread(self._open)

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        if self._outputs:
            await asyncio.to_thread(self._write, batch)
        elif self._sampler.wants():
            lines = await asyncio.to_thread(self._lines, batch)
            self._log.info(_TITLES[batch.signal], **_counts(batch), **{LINES: lines, UNLIMITED: True})

    async def stop(self) -> None:
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            if output not in (sys.stdout, sys.stderr):
                output.close()

    def _open(self) -> list[TextIO]:
        streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        opened: list[TextIO] = []
        for path in self._config.output_paths:
            try:
                opened.append(streams.get(path) or Path(path).open("a", encoding="utf-8"))  # noqa: SIM115 - until stop
            except OSError as error:
                raise StartError(f"exporter {self._id}", f"cannot write to {path}: {error.strerror}") from None
        return opened

    def _write(self, batch: Batch) -> None:
        words = " ".join(f"{name}={count}" for name, count in _counts(batch).items())
        text = "\n".join((f"{_TITLES[batch.signal]} {words}", *self._lines(batch))) + "\n"
        for output in self._outputs:
            output.write(text)
            output.flush()

    def _lines(self, batch: Batch) -> list[str]:
        lines = _LINES[self._config.verbosity]
        if lines is None:
            return []
        return list(lines(batch.signal, SERVICES[batch.signal].request.FromString(encode(batch.signal, batch.records))))


def _counts(batch: Batch) -> dict[str, Any]:
    """What the basic verbosity shows: resources, for metrics the metrics, and items."""
    counts = {f"resource_{batch.signal.table}": _distinct(batch, "resource")}
    if batch.signal is Signal.METRICS:
        return counts | {"metrics": _distinct(batch, "metric"), "data_points": len(batch)}
    return counts | {batch.signal.item: len(batch)}


def _distinct(batch: Batch, envelope: str) -> int:
    return len(np.unique(batch.records.column(envelope).indices.to_numpy()))
