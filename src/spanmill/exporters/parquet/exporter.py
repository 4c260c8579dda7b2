"""Batches to Hive-partitioned Parquet files, each row exactly once."""

import threading
from pathlib import Path

from spanmill.component import BatchPreference, Settings
from spanmill.disk import Disk
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.schema import TABLES
from spanmill.storage.component import StoreExporter
from spanmill.storage.exporter import StoreWriter
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store
from spanmill.storage.upkeep import Clock, Policy, SystemClock, Upkeep, UpkeepReport


class ParquetExporter(StoreExporter):
    """Writes a file for each partition that a batch touches, and one commit record. Keeps nothing between batches."""

    def __init__(
        self, config: ParquetExporterConfig, settings: Settings, *, disk: Disk | None = None, clock: Clock | None = None
    ) -> None:
        size = config.target_size_mib << 20
        options = FileOptions(config.compression, config.compression_level, config.row_group_rows)
        self._policy = Policy(config.compaction, config.retention)
        self._clock = clock or SystemClock()
        disk, directory = disk or Disk(), Path(config.directory)
        self._stores = {
            signal: Store(directory / table.name, table, options, self._clock.now, disk)
            for signal, table in TABLES.items()
        }
        super().__init__(
            BatchPreference(min_bytes=size, max_bytes=size, max_age_seconds=config.max_age),
            StoreWriter(directory, self._stores, settings, disk),
            Upkeep(self._tend, config.compaction.interval, self._clock, settings.log),
            options,
        )

    def _tend(self, stop: threading.Event) -> UpkeepReport:
        reports = [self._policy.tend(store, self._clock.now(), stop) for store in self._stores.values()]
        return sum(reports, UpkeepReport())
