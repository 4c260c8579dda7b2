"""A journal, the Parquet and the DuckDB exporter and their deliveries on one disk, and what is stored in the end."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from spanmill.component import BatchPreference, Settings
from spanmill.delivery import Delivery
from spanmill.errors import Busy
from spanmill.exporter_node import ExporterNode
from spanmill.exporters.duckdb.config import DuckdbExporterConfig
from spanmill.exporters.duckdb.exporter import DuckdbExporter
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.exporters.parquet.exporter import ParquetExporter
from spanmill.names import ComponentId, Kind
from spanmill.storage.commits import read_state
from spanmill.telemetry.logs import component_log
from tests.deliveries import QUICK
from tests.journal.harness import TRACES, FaultyDisk, Opened, packed, request
from tests.storage.harness import NO_HOST

_PREFERENCE = BatchPreference(max_items=2)


class Collector:
    """What is acknowledged must be in both stores exactly once, whatever the disk did."""

    def __init__(self, directory: Path, disk: FaultyDisk) -> None:
        self.directory = directory
        self.acknowledged: set[int] = set()
        self.faults: list[BaseException] = []
        self.it = Opened(directory / "journal", disk, consumers=())
        self._exporters = [
            ParquetExporter(
                ParquetExporterConfig(directory=str(directory / "lake")), self._settings("parquet"), disk=disk
            ),
            DuckdbExporter(
                DuckdbExporterConfig(path=str(directory / "db" / "x.duckdb")), self._settings("duckdb"), disk=disk
            ),
        ]
        self._deliveries = [
            Delivery(
                TRACES, self.it.journal, ExporterNode(ComponentId(type(exporter).__name__), exporter, QUICK),
                _PREFERENCE, metrics=self.it.metrics, log=self.it.log, fatal=self.faults.append,
            )
            for exporter in self._exporters
        ]  # fmt: skip

    def _settings(self, name: str) -> Settings:
        return Settings(Kind.EXPORTERS, ComponentId(name), component_log("exporter", name), self.it.metrics)

    async def start(self) -> None:
        for exporter in self._exporters:
            await exporter.start(NO_HOST)
        await self.it.start()
        for delivery in self._deliveries:
            await delivery.start()

    async def send(self, numbers: Iterable[int]) -> None:
        """As a patient sender does."""
        for number in numbers:
            while number not in self.acknowledged:
                try:
                    if not self.it.journal.holds(request(number)):
                        await self.it.journal.append(packed(number))
                    self.acknowledged.add(number)
                except Busy:
                    await asyncio.sleep(0.001)

    async def delivered(self) -> None:
        """Wait until both exporters have everything."""
        while any(delivery._reader.held_items for delivery in self._deliveries):
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        await asyncio.gather(*(delivery.drain() for delivery in self._deliveries))
        await self.it.journal.stop()
        for exporter in self._exporters:
            await exporter.stop()

    async def abandon(self) -> None:
        """The process has died."""
        for delivery in self._deliveries:
            if delivery._task is not None:
                delivery._task.cancel()
                with suppress(BaseException):
                    await delivery._task
        await self.it.abandon()
        for exporter in self._exporters:
            with suppress(BaseException):
                await exporter.stop()
            exporter._writer.close()


def in_parquet(directory: Path) -> Counter[int]:
    """How often each id is in the files that count."""
    store = directory / "lake" / "spans"
    files = read_state(store).files
    ids = (pq.read_table(store / path, columns=["span_id"], partitioning=None).column(0).to_pylist() for path in files)
    return Counter(int(text, 16) for file in ids for text in file)


def in_duckdb(directory: Path) -> Counter[int]:
    """How often each id is in the database."""
    with duckdb.connect(str(directory / "db" / "x.duckdb"), read_only=True) as connection:
        return Counter(int(row[0], 16) for row in connection.execute("select span_id from spans").fetchall())
