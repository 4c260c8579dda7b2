"""A database file made anew from the Parquet files that hold its rows: `spanmill rebuild-duckdb`."""

import time
from collections.abc import Mapping
from pathlib import Path

import duckdb

from spanmill.config.storage import Compaction
from spanmill.disk import Disk, make_directories
from spanmill.errors import SpanmillError
from spanmill.exporters.duckdb.catalogue import Snapshot, foreign_tables, publish
from spanmill.exporters.duckdb.database import Database, directory_of
from spanmill.lock import DirectoryInUse, DirectoryLock
from spanmill.schema import TABLES
from spanmill.storage.commits import read_state
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.upkeep import Policy


class CannotRebuild(SpanmillError):  # noqa: N818 - says what is the matter
    """The file cannot be made, or must not be replaced. The text says why, and what to do."""


def rebuild(path: Path, source: Path | None = None) -> Mapping[str, int]:
    """Make the file at `path` anew; the number of rows in each table.

    Without `source` it is that of a duckdb exporter, whose rows are in `<path>.d`. `source` is a directory that a
    parquet exporter writes; the file then shows the rows that are there now. Raises `CannotRebuild`, `CorruptLog`,
    `OSError`.
    """
    path = path.absolute()
    _refuse_foreign_file(path, damaged_may_go=source is None)
    if source is None:
        _rebuild_own(path)
    else:
        _show(path, source.absolute())
    with duckdb.connect(str(path), read_only=True) as connection:
        return {name: connection.table(name).count("*").fetchall()[0][0] for name in _names()}


def _names() -> list[str]:
    return [table.name for table in TABLES.values()]


def _rebuild_own(path: Path) -> None:
    directory = directory_of(path)
    if not any((directory / name).is_dir() for name in _names()):
        hint = "expected the data of a duckdb exporter there. For what a parquet exporter writes give --from"
        raise CannotRebuild(f"{directory}: there are no tables; {hint}")
    database = Database(path, FileOptions(), Policy(Compaction()), time.time, Disk())
    lock = DirectoryLock(database.directory)
    try:
        lock.acquire()
    except DirectoryInUse as error:
        hint = "It keeps the file itself: delete it, and it is there again after the exporter's `compaction.interval`"
        raise CannotRebuild(f"{str(error).partition(';')[0]}. {hint}") from None
    try:
        for table in database.tables.values():
            table.open()
        database.publish()
    finally:
        lock.release()


def _show(path: Path, source: Path) -> None:
    if directory_of(path).is_dir():
        raise CannotRebuild(f"{path}: belongs to a duckdb exporter, as {directory_of(path).name} says; choose another")
    if not any((source / name).is_dir() for name in _names()):
        expected = f"expected what a parquet exporter writes, with {', '.join(f'{name}/' for name in _names())}"
        raise CannotRebuild(f"{source}: there are no tables; {expected}")
    shown = [
        Snapshot(table, [source / table.name / file for file in read_state(source / table.name).files])
        for table in TABLES.values()
    ]
    make_directories(Disk(), path.parent)
    publish(Disk(), path, shown)


def _refuse_foreign_file(path: Path, *, damaged_may_go: bool) -> None:
    try:
        tables = foreign_tables(path)
    except duckdb.Error as error:
        if damaged_may_go and directory_of(path).is_dir():
            return
        raise CannotRebuild(f"{path}: is there, and cannot be read as a catalogue: {error}") from None
    if tables:
        held = ", ".join(tables[:5])
        raise CannotRebuild(f"{path}: holds tables of its own ({held}), which would be lost; choose another path")
