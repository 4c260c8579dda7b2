"""Batches to a database that other processes query meanwhile, each row exactly once."""

import asyncio
import errno
import os
from pathlib import Path

import duckdb

from spanmill.component import BatchPreference, Host, Settings
from spanmill.disk import Disk
from spanmill.errors import StartError
from spanmill.exporters.duckdb.catalogue import foreign_tables
from spanmill.exporters.duckdb.config import DuckdbExporterConfig
from spanmill.exporters.duckdb.database import Database
from spanmill.storage.component import StoreExporter
from spanmill.storage.exporter import StoreWriter
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.upkeep import Clock, Policy, SystemClock, Upkeep

_MOST_BYTES = 32 << 20
"""A file of the tail holds no more Arrow data; at full speed it is written before `max_age`."""


class DuckdbExporter(StoreExporter):
    """Writes a file of the tail for each batch. The database file is a catalogue of views, replaced now and then."""

    def __init__(
        self, config: DuckdbExporterConfig, settings: Settings, *, disk: Disk | None = None, clock: Clock | None = None
    ) -> None:
        options = FileOptions()
        self._name, self._log = f"{settings.kind.singular} {settings.id}", settings.log
        clock, disk = clock or SystemClock(), disk or Disk()
        self._database = Database(
            Path(config.path).absolute(), options, Policy(config.compaction, config.retention), clock.now, disk
        )
        super().__init__(
            BatchPreference(min_bytes=_MOST_BYTES, max_bytes=_MOST_BYTES, max_age_seconds=config.max_age),
            StoreWriter(self._database.directory, self._database.tables, settings, disk),
            Upkeep(self._database.tend, config.compaction.interval, clock, settings.log),
            options,
        )

    async def start(self, host: Host) -> None:
        await asyncio.to_thread(self._refuse_foreign_file)
        await super().start(host)

    async def opened(self) -> None:
        path = self._database.path
        try:
            await asyncio.to_thread(self._database.publish)
        except OSError as error:
            if not _is_full(error):
                raise StartError(self._name, f"{path}: {error.strerror or error}") from error
            # The catalogue that is there stays right, and one that is not will be written once there is room.
            self._log.warning("the disk is full: the catalogue is written later", path=str(path), reason=str(error))

    def _refuse_foreign_file(self) -> None:
        path, ours = self._database.path, self._database.directory.is_dir()
        try:
            tables = foreign_tables(path)
        except duckdb.Error as error:
            if ours:  # somebody has our catalogue open to write, or it is damaged: it is replaced in any case
                return
            raise StartError(self._name, f"{path} is there and is no catalogue of Spanmill's: {error}") from None
        if tables or (path.exists() and not ours):
            held = f"holds tables of its own ({', '.join(tables[:5])})" if tables else "was not made by Spanmill"
            raise StartError(self._name, f"{path} {held} and would be replaced; give the exporter another `path`")


def _is_full(error: OSError) -> bool:
    """DuckDB's own errors carry no number."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT} or os.strerror(errno.ENOSPC) in str(error)
