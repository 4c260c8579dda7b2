"""`spanmill rebuild-duckdb`: the file is made anew from Parquet, and nothing of somebody else's is replaced."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from spanmill.component import Position
from spanmill.exit_codes import ExitCode
from spanmill.exporters.duckdb.command import run_rebuild
from spanmill.exporters.duckdb.rebuild import rebuild
from spanmill.schema import TABLES
from tests.data import spans
from tests.exporters.duckdb.test_duckdb_exporter import count, running
from tests.replay.making import parquet_store
from tests.storage.harness import files_in


async def database(path: Path) -> Path:
    """A duckdb exporter's file with five settled spans and five in the tail; the exporter is gone."""
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 0, 0))
        await exporter.tend()
        await exporter.export(spans(5), Position("j", 1, 1))
    return path


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:5_000]),
    "overwritten": lambda path: path.write_bytes(b"hello" * 10_000),
    "as it was": lambda path: path,
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_a_lost_file_is_made_anew_with_every_row(lose: Callable[[Path], object], tmp_path: Path) -> None:
    path = await database(tmp_path / "x.duckdb")
    lose(path)
    assert rebuild(path) == {"spans": 10, "metrics": 0, "logs": 0}
    assert count(path) == 10
    async with running(path) as exporter:
        await exporter.export(spans(5), Position("j", 2, 2))
        assert count(path) == 15


async def test_a_database_that_was_moved_works_again(tmp_path: Path) -> None:
    await database(tmp_path / "a" / "x.duckdb")
    moved = (tmp_path / "a").rename(tmp_path / "b's") / "x.duckdb"
    assert rebuild(moved)["spans"] == 10
    assert count(moved) == 10


async def test_while_an_exporter_has_it_the_answer_is_what_to_do_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        before = files_in(tmp_path)
        assert run_rebuild(path, None) == ExitCode.USAGE
        assert files_in(tmp_path) == before
        said = capsys.readouterr().err
        assert said.startswith(f"{path}.d is in use by another collector or component (process ")
        assert said.endswith("delete it, and it is there again after the exporter's `compaction.interval`\n")
        path.unlink()
        await exporter.tend()
        assert count(path) == 0


def test_a_file_over_a_parquet_exporters_directory_shows_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, path = parquet_store(tmp_path, spans(5), spans(3)), tmp_path / "new" / "x.duckdb"
    for _ in range(2):
        assert run_rebuild(path, source) == ExitCode.OK
        assert capsys.readouterr().out == f"{path}: 8 spans, 0 metrics, 0 logs\n"
    with duckdb.connect(str(path), read_only=True) as connection:
        for table in TABLES.values():
            assert connection.table(table.name).columns == table.schema.names
        assert connection.table("logs").types == connection.table("logs").limit(0).types
        assert connection.execute("select typeof(time), typeof(attributes) from logs").fetchall() == []
        assert connection.execute("select distinct typeof(start_time) from spans").fetchall() == [("TIMESTAMP_NS",)]


def mine(directory: Path) -> Path:
    with duckdb.connect(str(directory / "mine.duckdb")) as connection:
        connection.execute("create table precious(i int)")
    return directory / "mine.duckdb"


def test_a_file_with_tables_of_its_own_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, source = mine(tmp_path), parquet_store(tmp_path, spans(1))
    assert run_rebuild(path, source) == ExitCode.USAGE
    assert "holds tables of its own (precious), which would be lost" in capsys.readouterr().err
    text = tmp_path / "text"
    text.write_text("hello")
    assert run_rebuild(text, source) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(f"{text}: is there, and cannot be read as a catalogue: ")
    assert text.read_text() == "hello"


def test_what_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.duckdb"
    assert run_rebuild(path, None) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(f"{path}.d: there are no tables; expected the data of a duckdb exporter")
    assert run_rebuild(path, tmp_path) == ExitCode.USAGE
    expected = f"{tmp_path}: there are no tables; expected what a parquet exporter writes"
    assert capsys.readouterr().err.startswith(expected)
    assert list(tmp_path.iterdir()) == []


async def test_an_exporters_file_is_not_replaced_by_one_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = await database(tmp_path / "x.duckdb")
    assert run_rebuild(path, parquet_store(tmp_path, spans(1))) == ExitCode.USAGE
    assert "belongs to a duckdb exporter, as x.duckdb.d says" in capsys.readouterr().err
    assert count(path) == 10
