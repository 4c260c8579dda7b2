"""Compaction, retention and the grace, by a clock that the tests turn."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from spanmill.component import Position
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.exporters.parquet.exporter import ParquetExporter
from spanmill.storage.commits import read_state
from spanmill.storage.upkeep import UpkeepReport
from tests.data import START
from tests.exporters.parquet.test_parquet_exporter import settings
from tests.storage.harness import NO_HOST, ManualClock, batch_at, files_in

SECOND, HOUR_SECONDS = 1_000_000_000, 3_600


def build(directory: Path, clock: ManualClock, **compaction: object) -> ParquetExporter:
    config = {"directory": str(directory), "retention": "48h", "compaction": {"min_files": 3} | compaction}
    return ParquetExporter(ParquetExporterConfig.model_validate(config), settings(), clock=clock)


async def fill(exporter: ParquetExporter, files: int, first: int = 0) -> None:
    for number in range(first, first + files):
        await exporter.export(batch_at([START + number * SECOND]), Position("j", number, number))


def committed_rows(directory: Path) -> list[int]:
    files = [str(directory / "spans" / path) for path in read_state(directory / "spans").files]
    with duckdb.connect() as connection:
        rows = connection.execute("select epoch_ns(start_time) from read_parquet($1) order by 1", [files]).fetchall()
    return [value for (value,) in rows]


async def test_small_files_of_an_hour_that_is_over_become_one_and_go_after_the_grace(tmp_path: Path) -> None:
    clock = ManualClock()
    exporter = build(tmp_path, clock)
    await exporter.start(NO_HOST)
    await fill(exporter, 4)
    before = committed_rows(tmp_path)

    assert await exporter.tend() == UpkeepReport(merged=4)
    [merged] = read_state(tmp_path / "spans").files
    assert Path(merged).name.startswith("merged-")
    assert committed_rows(tmp_path) == before
    assert len(files_in(tmp_path, "*.parquet")) == 5  # for queries under way

    clock.advance(601)
    assert await exporter.tend() == UpkeepReport(deleted=4)
    assert [p.name for p in files_in(tmp_path, "*.parquet")] == [Path(merged).name]
    assert committed_rows(tmp_path) == before
    assert await exporter.tend() == UpkeepReport()
    await exporter.stop()


async def test_an_hour_that_goes_on_and_an_hour_with_few_files_are_left_alone(tmp_path: Path) -> None:
    clock = ManualClock()
    exporter = build(tmp_path, clock)
    await exporter.start(NO_HOST)
    await fill(exporter, 2)
    assert await exporter.tend() == UpkeepReport()
    clock.time = START / 1e9 + 60
    await fill(exporter, 4, first=2)
    assert await exporter.tend() == UpkeepReport()
    await exporter.stop()


async def test_files_are_put_together_only_up_to_the_target_size(tmp_path: Path) -> None:
    clock = ManualClock()
    exporter = build(tmp_path, clock, target_size_mib=1)
    await exporter.start(NO_HOST)
    await fill(exporter, 5)
    await exporter.tend()
    [merged] = read_state(tmp_path / "spans").files
    assert pq.read_metadata(tmp_path / "spans" / merged).num_rows == 5
    await exporter.stop()


async def test_compaction_can_be_turned_off(tmp_path: Path) -> None:
    exporter = build(tmp_path, ManualClock(), enabled=False)
    await exporter.start(NO_HOST)
    await fill(exporter, 5)
    assert await exporter.tend() == UpkeepReport()
    await exporter.stop()


async def test_a_partition_goes_when_its_newest_row_is_older_than_the_retention(tmp_path: Path) -> None:
    clock = ManualClock()
    exporter = build(tmp_path, clock)
    await exporter.start(NO_HOST)
    await fill(exporter, 1)
    await exporter.export(batch_at([START + 2 * HOUR_SECONDS * SECOND]), Position("j", 1, 1))
    clock.time = START / 1e9 + 48 * HOUR_SECONDS + 1
    assert await exporter.tend() == UpkeepReport(expired=1)
    assert committed_rows(tmp_path) == [START + 2 * HOUR_SECONDS * SECOND]
    clock.advance(601)
    assert await exporter.tend() == UpkeepReport(deleted=1)
    assert not (tmp_path / "spans" / "date=2025-10-09" / "hour=08").exists()
    await exporter.stop()


async def test_export_and_upkeep_at_the_same_time_lose_and_repeat_no_row(tmp_path: Path) -> None:
    import asyncio

    exporter = build(tmp_path, ManualClock(), min_files=2, grace="0s")
    await exporter.start(NO_HOST)
    writing = asyncio.create_task(fill(exporter, 30))
    while not writing.done():
        await exporter.tend()
    await writing
    assert committed_rows(tmp_path) == [START + n * SECOND for n in range(30)]
    await exporter.stop()
