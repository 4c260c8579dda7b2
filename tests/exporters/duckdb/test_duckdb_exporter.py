"""The duckdb exporter: what a second process sees, and what survives."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import pytest

from spanmill.component import Position, Settings
from spanmill.disk import Disk
from spanmill.errors import Busy, StartError
from spanmill.exporters.duckdb.config import DuckdbExporterConfig
from spanmill.exporters.duckdb.exporter import DuckdbExporter
from spanmill.names import ComponentId, Kind
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.data import spans
from tests.storage.harness import NO_HOST, BrokenDisk, ManualClock, files_in

EAGER = {"min_files": 1, "grace": "10m"}


def settings() -> Settings:
    return Settings(Kind.EXPORTERS, ComponentId("duckdb"), component_log("test", "test"), Metrics())


def build(path: Path, clock: ManualClock | None = None, disk: Disk | None = None, **config: object) -> DuckdbExporter:
    whole = {"path": str(path), "compaction": EAGER} | config
    return DuckdbExporter(DuckdbExporterConfig.model_validate(whole), settings(), disk=disk, clock=clock)


@asynccontextmanager
async def running(path: Path, clock: ManualClock | None = None, **config: object) -> AsyncIterator[DuckdbExporter]:
    exporter = build(path, clock, None, **config)
    await exporter.start(NO_HOST)
    try:
        yield exporter
    finally:
        await exporter.stop()


def count(path: Path, *, read_only: bool = True) -> int:
    with duckdb.connect(str(path), read_only=read_only) as connection:
        return int(connection.execute("select count(*) from spans").fetchall()[0][0])


async def test_a_fresh_database_has_all_three_tables_with_every_column_and_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.duckdb"
    async with running(path):
        with duckdb.connect(str(path), read_only=True) as connection:
            for table in TABLES.values():
                relation = connection.sql(f"from {table.name}")
                assert relation.columns == table.schema.names
                assert relation.fetchall() == []


async def test_an_exported_batch_is_in_the_next_query_of_a_connection_that_is_already_open(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        with duckdb.connect(str(path), read_only=True) as connection:
            for number in range(1, 4):
                await exporter.export(spans(10), Position("j", number, number))
                assert connection.execute("select count(*) from spans").fetchall() == [(10 * number,)]


async def test_nanoseconds_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        await exporter.export(spans(1, first=7), Position("j", 0, 0))
        for _ in ("in the tail", "settled"):
            with duckdb.connect(str(path), read_only=True) as connection:
                row = connection.execute("select start_time::text, typeof(start_time) from spans").fetchall()
            assert row == [("2025-10-09 08:53:20.000000007", "TIMESTAMP_NS")]
            await exporter.tend()


async def test_settling_neither_hides_nor_repeats_a_row_for_old_and_new_connections(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    async with running(path, clock) as exporter:
        await exporter.export(spans(10), Position("j", 0, 0))
        with duckdb.connect(str(path), read_only=True) as old:
            report = await exporter.tend()
            assert report.merged == 1
            assert old.execute("select count(*) from spans").fetchall() == [(10,)]
        assert count(path) == 10
        await exporter.export(spans(10), Position("j", 1, 1))
        assert count(path) == 20


async def test_a_connection_older_than_the_grace_gets_an_error_and_never_a_wrong_count(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    async with running(path, clock) as exporter:
        await exporter.export(spans(10), Position("j", 0, 0))
        with duckdb.connect(str(path), read_only=True) as old:
            assert old.execute("select count(*) from spans").fetchall() == [(10,)]
            await exporter.tend()
            clock.advance(599)
            await exporter.tend()
            assert old.execute("select count(*) from spans").fetchall() == [(10,)]
            clock.advance(2)
            assert (await exporter.tend()).deleted == 1
            with pytest.raises(duckdb.IOException, match="No files found"):
                old.execute("select count(*) from spans")
        assert count(path) == 10
    assert [p.name for p in files_in(tmp_path, "tail/*.parquet") if "/spans/" in str(p)] == [f"{0:020d}.parquet"]


async def test_positions_survive_restarts_settling_and_deletion(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    for number in range(4):
        async with running(path, clock) as exporter:
            assert await exporter.committed("j", Signal.TRACES) == (number - 1 if number else None)
            await exporter.export(spans(5), Position("j", number, number))
            await exporter.export(spans(5), Position("j", number, number))
            assert await exporter.committed("j", Signal.TRACES) == number
            if number % 2:
                await exporter.tend()
            clock.advance(1_000)
            await exporter.tend()
            assert await exporter.committed("j", Signal.TRACES) == number
            assert count(path) == 5 * (number + 1)


async def test_the_database_may_be_opened_to_write_while_it_is_exported_to(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        with duckdb.connect(str(path)) as connection:
            await exporter.export(spans(5), Position("j", 0, 0))
            await exporter.tend()
            assert connection.execute("select count(*) from spans").fetchall() == [(5,)]
        assert count(path, read_only=False) == 5


async def test_old_rows_go_with_the_retention(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    async with running(path, clock, retention="24h") as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
        await exporter.tend()
        assert count(path) == 5
        clock.advance(25 * 3600)
        await exporter.tend()
        assert count(path) == 0
        assert await exporter.committed("j", Signal.TRACES) == 0


async def test_a_full_disk_is_answered_busy_and_the_database_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    disk = BrokenDisk(fail_at=1)
    exporter = build(path, disk=disk)
    await exporter.start(NO_HOST)
    disk.arm()
    with pytest.raises(Busy, match="No space left"):
        await exporter.export(spans(5), Position("j", 0, 0))
    assert count(path) == 0
    await exporter.export(spans(5), Position("j", 0, 0))
    assert count(path) == 5
    await exporter.stop()


async def test_a_database_with_tables_of_its_own_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mine.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table precious(i int)")
    with pytest.raises(StartError, match=r"holds tables of its own \(precious\) and would be replaced"):
        async with running(path):
            pass
    (tmp_path / "text.duckdb").write_text("not a database")
    with pytest.raises(StartError, match="is no catalogue of Spanmill's"):
        async with running(tmp_path / "text.duckdb"):
            pass


async def test_a_second_exporter_on_the_database_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "x.duckdb"):
        with pytest.raises(StartError, match="in use by another"):
            async with running(tmp_path / "x.duckdb"):
                pass


async def test_a_deleted_catalogue_is_back_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
    Path.unlink(path)
    async with running(path):
        assert count(path) == 5


@pytest.mark.parametrize("content", [b"", b"hello" * 1000, None], ids=["empty", "garbage", "cut short"])
async def test_a_damaged_catalogue_is_replaced_at_the_start(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
    path.write_bytes(path.read_bytes()[:5_000] if content is None else content)
    async with running(path):
        assert count(path) == 5


@pytest.mark.parametrize("kept_bytes", [None, 0, 5_000], ids=["deleted", "emptied", "cut short"])
async def test_a_catalogue_that_goes_while_it_is_in_use_is_back_at_the_next_upkeep(
    kept_bytes: int | None, tmp_path: Path
) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    async with running(path, clock, compaction=None) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
        if kept_bytes is None:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:kept_bytes])
        await exporter.tend()
        assert count(path) == 5


async def test_a_full_disk_at_the_start_leaves_the_old_catalogue_and_makes_the_new_one_later(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
    for there in (True, False):
        if not there:
            path.unlink()
        disk = BrokenDisk()
        disk.arm()
        exporter = build(path, disk=disk)
        await exporter.start(NO_HOST)
        await exporter.stop()
        first = disk.steps.index(next(step for step in disk.steps if "x.duckdb.tmp" in step))
        if not there:
            path.unlink()
        disk = BrokenDisk(fail_at=first, last=10_000)
        disk.arm()
        exporter = build(path, disk=disk)
        await exporter.start(NO_HOST)
        assert path.exists() == there
        assert not there or count(path) == 5
        disk.fail_at = None
        await exporter.tend()
        assert count(path) == 5
        await exporter.stop()


async def test_the_whole_database_can_be_copied_into_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
        with duckdb.connect(str(tmp_path / "copy.duckdb")) as connection:
            connection.execute(f"attach '{path}' as live (read_only)")
            connection.execute("create table spans as from live.spans")
            assert connection.execute("select count(*) from spans").fetchall() == [(5,)]


async def test_upkeep_runs_every_interval_and_stops_with_the_exporter(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.duckdb", ManualClock()
    async with running(path, clock) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
        await clock.pass_interval()
        await clock.pass_interval()
        assert files_in(tmp_path, "settled-*.parquet")
    assert threading.active_count() < 20
