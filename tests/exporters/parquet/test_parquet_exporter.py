"""The parquet exporter against real directories, read back with DuckDB and pyarrow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from spanmill.batch import Batch
from spanmill.component import Position, Settings
from spanmill.errors import Busy, StartError
from spanmill.exporters.parquet.config import ParquetExporterConfig
from spanmill.exporters.parquet.exporter import ParquetExporter
from spanmill.names import ComponentId, Kind
from spanmill.signal import Signal
from spanmill.storage.commits import read_state
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.data import spans
from tests.storage.harness import NO_HOST, BrokenDisk, batch_at, files_in

HOUR = 3_600_000_000_000


def settings() -> Settings:
    return Settings(Kind.EXPORTERS, ComponentId("parquet", "lake"), component_log("test", "test"), Metrics())


@asynccontextmanager
async def running(directory: Path, **config: object) -> AsyncIterator[ParquetExporter]:
    exporter = ParquetExporter(ParquetExporterConfig(directory=str(directory), **config), settings())
    await exporter.start(NO_HOST)
    try:
        yield exporter
    finally:
        await exporter.stop()


def query(directory: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute(f"create view spans as from read_parquet('{directory}/spans/**/*.parquet')")
        return connection.execute(sql).fetchall()


async def test_an_exported_batch_can_be_read_at_once_by_anybody(tmp_path: Path) -> None:
    async with running(tmp_path / "a" / "b") as exporter:
        await exporter.export(spans(3), Position("j", 0, 2))
        assert query(tmp_path / "a" / "b", "select count(*), min(date)::text, min(hour)::int from spans") == [
            (3, "2025-10-09", 8)
        ]


async def test_what_is_read_back_equals_the_table_in_every_column(tmp_path: Path) -> None:
    batch = spans(100)
    async with running(tmp_path) as exporter:
        await exporter.export(batch, Position("j", 0, 0))
    [file] = files_in(tmp_path, "*.parquet")
    assert pq.ParquetFile(file).read().equals(batch.stored())


async def test_the_last_record_held_is_known_after_a_restart_for_each_journal_and_signal(tmp_path: Path) -> None:
    async with running(tmp_path) as exporter:
        assert await exporter.committed("j", Signal.TRACES) is None
        await exporter.export(spans(2), Position("j", 0, 4))
        await exporter.export(spans(2), Position("other", 0, 7))
    async with running(tmp_path) as exporter:
        assert await exporter.committed("j", Signal.TRACES) == 4
        assert await exporter.committed("other", Signal.TRACES) == 7
        assert await exporter.committed("j", Signal.LOGS) is None


async def test_the_same_records_exported_again_are_stored_once(tmp_path: Path) -> None:
    async with running(tmp_path) as exporter:
        for _ in range(2):
            await exporter.export(spans(5), Position("j", 0, 4))
    assert query(tmp_path, "select count(*) from spans") == [(5,)]


async def test_rows_go_to_the_hour_of_their_time_and_rows_without_one_to_the_null_partition(tmp_path: Path) -> None:
    async with running(tmp_path) as exporter:
        await exporter.export(batch_at([1, HOUR * 24 + 5, 0, 2**63 - 1, 2**64 - 1]), Position("j", 0, 0))
    rows = query(tmp_path, "select date::text, hour::int from spans order by all")
    assert rows == [("1970-01-01", 0), ("1970-01-02", 0), ("2262-04-11", 23), (None, None), (None, None)]


async def test_a_sender_with_a_wild_clock_costs_a_bounded_number_of_files(tmp_path: Path) -> None:
    async with running(tmp_path) as exporter:
        await exporter.export(batch_at([HOUR * n + 1 for n in range(1_000)]), Position("j", 0, 0))
    assert len(files_in(tmp_path, "*.parquet")) <= 50
    assert query(tmp_path, "select count(distinct start_time) from spans") == [(1_000,)]


async def test_a_full_disk_is_answered_busy_and_leaves_nothing_behind(tmp_path: Path) -> None:
    disk = BrokenDisk(fail_at=6)
    config = ParquetExporterConfig(directory=str(tmp_path))
    exporter = ParquetExporter(config, settings(), disk=disk)
    await exporter.start(NO_HOST)
    disk.arm()
    with pytest.raises(Busy, match="No space left"):
        await exporter.export(spans(5), Position("j", 0, 4))
    assert files_in(tmp_path) == [tmp_path / ".spanmill.lock"]
    await exporter.export(spans(5), Position("j", 0, 4))
    assert query(tmp_path, "select count(*) from spans") == [(5,)]
    await exporter.stop()


async def test_a_second_exporter_on_the_directory_is_refused_by_name_and_reason(tmp_path: Path) -> None:
    async with running(tmp_path):
        with pytest.raises(StartError, match=r"exporter parquet/lake: cannot start: .* is in use by another"):
            async with running(tmp_path):
                pass
    async with running(tmp_path):
        pass


async def test_a_directory_that_cannot_be_made_is_a_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="must be writable"):
        async with running(tmp_path / "file" / "sub"):
            pass


async def test_files_of_an_unfinished_export_are_gone_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 4))
    [file] = files_in(tmp_path, "*.parquet")
    (file.parent / "part-j-5-9.parquet").write_bytes(file.read_bytes())
    (file.parent / ".part-j-5-9.parquet.tmp").write_bytes(b"PAR1")
    async with running(tmp_path):
        assert files_in(tmp_path / "spans" / "date=2025-10-09") == [file]


async def test_each_codec_writes_files_that_duckdb_reads(tmp_path: Path) -> None:
    for number, codec in enumerate(("zstd", "snappy", "gzip", "lz4", "none")):
        async with running(tmp_path / codec, compression=codec, compression_level=3) as exporter:
            await exporter.export(spans(5), Position("j", number, number))
        assert query(
            tmp_path / codec, "select count(*) from spans where attributes['gen_ai.request.model'] = 'gpt-4o'"
        ) == [(5,)]


async def test_stop_is_safe_twice_and_without_start(tmp_path: Path) -> None:
    exporter = ParquetExporter(ParquetExporterConfig(directory=str(tmp_path)), settings())
    await exporter.stop()
    await exporter.start(NO_HOST)
    await exporter.stop()
    await exporter.stop()


async def test_an_empty_batch_moves_the_position_and_writes_no_file(tmp_path: Path) -> None:
    empty = Batch(Signal.TRACES, spans(1).records.slice(0, 0))
    async with running(tmp_path) as exporter:
        await exporter.export(empty, Position("j", 0, 0))
        assert await exporter.committed("j", Signal.TRACES) == 0
    assert not read_state(tmp_path / "spans").files


def test_building_touches_nothing(tmp_path: Path) -> None:
    ParquetExporter(ParquetExporterConfig(directory=str(tmp_path / "new")), settings())
    assert not (tmp_path / "new").exists()
