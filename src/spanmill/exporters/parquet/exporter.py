"""Batches to Hive-partitioned Parquet files, each row exactly once."""

import threading
from pathlib import Path

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.storage.disk import Disk
from spanmill.storage.exporter import StoreWriter
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store
from spanmill.storage.upkeep import Clock, Policy, SystemClock, Upkeep, UpkeepReport


class ParquetExporter:
    """Writes a file for each partition that a batch touches, and one commit record. Keeps nothing between batches."""

    def __init__(
        self, config: ParquetExporterConfig, settings: Settings, *, disk: Disk | None = None, clock: Clock | None = None
    ) -> None:
        size = config.target_size_mib << 20
        self._preference = BatchPreference(min_bytes=size, max_bytes=size, max_age_seconds=config.max_age)
        self._options = FileOptions(config.compression, config.compression_level, config.row_group_rows)
        self._policy = Policy(config.compaction, config.retention)
        self._clock = clock or SystemClock()
        disk, directory = disk or Disk(), Path(config.directory)
        self._stores = {
            signal: Store(directory / table.name, table, self._options, self._clock.now, disk)
            for signal, table in TABLES.items()
        }
        self._writer = StoreWriter(directory, self._stores, settings, disk)
        self._upkeep = Upkeep(self._tend, config.compaction.interval, self._clock, settings.log)

    def preference(self, signal: Signal) -> BatchPreference:
        return self._preference

    async def start(self, host: Host) -> None:
        await self._writer.open()
        self._upkeep.start()

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self._writer.committed(journal, signal)

    async def export(self, batch: Batch, position: Position) -> None:
        await self._writer.append(batch, position, self._options)

    async def tend(self) -> UpkeepReport:
        """Put small files together and delete what is due, now rather than at the next interval."""
        return await self._upkeep.tend()

    async def stop(self) -> None:
        await self._upkeep.stop()
        self._writer.close()

    def _tend(self, stop: threading.Event) -> UpkeepReport:
        reports = [self._policy.tend(store, self._clock.now(), stop) for store in self._stores.values()]
        return sum(reports, UpkeepReport())
