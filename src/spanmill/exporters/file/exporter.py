"""The file exporter: OTLP requests, one record after another, in a file of any of the three signals or of all."""

import asyncio
import threading
from pathlib import Path

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.errors import Busy, StartError
from spanmill.exporters.file.config import FileExporterConfig
from spanmill.exporters.file.records import record
from spanmill.exporters.file.sink import Sink
from spanmill.otlp.codec import encode
from spanmill.signal import Signal

_MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Gathered to about so much, so that readers, which hold a record at a time, need little memory."""


class FileExporter:
    """Writes each batch as one record. What `export` returned from is with the operating system."""

    def __init__(self, config: FileExporterConfig, settings: Settings) -> None:
        self._config = config
        self._name = f"{settings.kind.singular} {settings.id}"
        self._log = settings.log
        self._sink: Sink | None = None
        self._writing = threading.Lock()
        """Signals are exported at the same time."""
        self._syncing: asyncio.Task[None] | None = None

    def preference(self, signal: Signal) -> BatchPreference:
        return BatchPreference(max_bytes=_MAX_RECORD_BYTES)

    async def start(self, host: Host) -> None:
        try:
            self._sink = await asyncio.to_thread(self._open)
        except OSError as error:
            hint = "" if self._config.create_directory else "; set `create_directory: true` to have directories made"
            missing = hint if isinstance(error, FileNotFoundError) else ""
            raise StartError(self._name, f"cannot write {error.filename}: {error.strerror}{missing}") from None
        if self._config.flush_interval:
            self._syncing = asyncio.create_task(self._sync_regularly(), name=f"{self._name} sync")

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        try:
            await asyncio.to_thread(self._write, batch)
        except OSError as error:
            raise Busy(f"cannot write {self._config.path}: {error.strerror}", 0.0) from None

    async def stop(self) -> None:
        task, self._syncing = self._syncing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(self._close)

    def _open(self) -> Sink:
        config, path = self._config, Path(self._config.path)
        if config.create_directory:
            path.parent.mkdir(mode=int(config.directory_permissions, 8), parents=True, exist_ok=True)
        return Sink(path, config.rotation, empty=not config.append and config.rotation is None)

    def _write(self, batch: Batch) -> None:
        config = self._config
        request = encode(batch.signal, batch.records)
        entry = record(batch.signal, request, config.format, compressed=config.compression is not None)
        with self._writing:
            assert self._sink is not None
            self._sink.append(entry)
            if not config.flush_interval:
                self._sink.sync()

    async def _sync_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_interval)
            try:
                await asyncio.to_thread(self._sync)
            except OSError as error:
                self._log.error("cannot force the file to the disk", path=self._config.path, reason=error.strerror)

    def _sync(self) -> None:
        with self._writing:
            if self._sink is not None:
                self._sink.sync()

    def _close(self) -> None:
        with self._writing:
            sink, self._sink = self._sink, None
            if sink is not None:
                sink.close()
