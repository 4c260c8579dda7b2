"""Batches to Hive-partitioned Parquet files, each row exactly once."""

import time
from collections.abc import Callable
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

_MOST_ITEMS = 1_000_000
"""Rows of a batch, however small they are."""


class ParquetExporter:
    """Writes a file for each partition that a batch touches, and one commit record. Keeps nothing between batches."""

    def __init__(
        self,
        config: ParquetExporterConfig,
        settings: Settings,
        *,
        disk: Disk | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._options = FileOptions(config.compression, config.compression_level, config.row_group_rows)
        disk = disk or Disk()
        directory = Path(config.directory)
        self._stores = {
            signal: Store(directory / table.name, table, self._options, now, disk) for signal, table in TABLES.items()
        }
        self._writer = StoreWriter(directory, self._stores, settings, disk)

    def preference(self, signal: Signal) -> BatchPreference:  # noqa: ARG002 - the same for all
        config = self._config
        return BatchPreference(
            min_items=_MOST_ITEMS,
            min_bytes=config.target_size_mib << 20,
            max_age_seconds=config.max_age,
        )

    async def start(self, host: Host) -> None:  # noqa: ARG002 - nothing is asked of the engine
        await self._writer.open()

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self._writer.committed(journal, signal)

    async def export(self, batch: Batch, position: Position) -> None:
        await self._writer.append(batch, position, self._options)

    async def stop(self) -> None:
        self._writer.close()
