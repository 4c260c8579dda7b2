"""A crash or an error at every single operation of every step: afterwards all of a batch is there or none of it.

Enumerated, not sampled: the step is run once to count its operations, then once for each of them and each way to fail.
"""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from spanmill.component import Position
from spanmill.config.storage import Compaction
from spanmill.disk import Disk
from spanmill.exporters.duckdb.database import Database
from spanmill.schema import SPANS
from spanmill.signal import Signal
from spanmill.storage.commits import InDoubt, read_state
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store
from spanmill.storage.upkeep import Policy
from tests.storage.harness import BrokenDisk, Crash, ManualClock, batch_at, files_in

HOUR = 3_600_000_000_000
TWO_HOURS = [HOUR * 10 + 1, HOUR * 11 + 1]
"""Start times in two partitions, so that a batch is two files."""
EAGER = Policy(Compaction.model_validate({"min_files": 2, "grace": "0s"}))
LONG = pytest.mark.torture
pytestmark = pytest.mark.timeout(600)
Failure = Callable[[int], BrokenDisk]

FAILURES: dict[str, Failure] = {
    "crash before": lambda at: BrokenDisk(at, crash="before"),
    "crash after": lambda at: BrokenDisk(at, crash="after"),
    "full disk once": BrokenDisk,
    "full disk from then on": lambda at: BrokenDisk(at, last=10**9),
}


def ways(*quick: str) -> list[Any]:
    """Every way to fail; those not named are left to the long suite."""
    return [name if name in quick else pytest.param(name, marks=LONG) for name in FAILURES]


def open_store(directory: Path, disk: Disk | None = None) -> Store:
    store = Store(directory, SPANS, FileOptions(), ManualClock().now, disk)
    store.open()
    return store


def append(store: Store, number: int) -> None:
    store.append(iter([batch_at(TWO_HOURS).stored()]), Position("j", number, number))


def rows_in(directory: Path) -> int:
    """What a reader who goes by the log finds; every file it names must be whole."""
    return sum(pq.read_metadata(directory / path).num_rows for path in read_state(directory).files)


def outcomes(
    tmp_path: Path, prepare: Callable[[Path], None], step: Callable[[BrokenDisk, Path], None], failure: Failure
) -> Iterator[tuple[Path, BaseException | None]]:
    """The directory after the step failed at its first operation, its second, ..., and what the step raised."""
    directory, prepared = tmp_path / "data", tmp_path / "prepared"
    prepare(directory)
    shutil.copytree(directory, prepared)
    counting = BrokenDisk()
    step(counting, directory)
    assert counting.count
    for at in range(counting.count):
        shutil.rmtree(directory)
        shutil.copytree(prepared, directory)
        error: BaseException | None = None
        try:
            step(failure(at), directory)
        except (Crash, OSError) as raised:
            error = raised
        yield directory, error


@pytest.mark.parametrize("name", ways("crash after", "full disk once"))
def test_a_batch_is_in_the_store_once_or_not_at_all_and_goes_in_when_tried_again(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        append(open_store(directory), 0)

    def step(disk: BrokenDisk, directory: Path) -> None:
        store = open_store(directory, disk)
        disk.arm()
        append(store, 1)

    for directory, error in outcomes(tmp_path, prepare, step, FAILURES[name]):
        stored = rows_in(directory)
        assert stored == 4 if error is None else stored in {2, 4}
        if isinstance(error, OSError) and not isinstance(error, InDoubt):
            assert stored == 2  # who is told no finds nothing
        store = open_store(directory)
        assert store.committed("j") == (1 if stored == 4 else 0)
        assert {p.relative_to(directory).as_posix() for p in files_in(directory, "*.parquet")} == set(store.state.files)
        assert not files_in(directory, "*.tmp")
        append(store, 1)
        append(store, 2)
        assert rows_in(directory) == 6


@pytest.mark.parametrize("name", ["full disk once", pytest.param("full disk from then on", marks=LONG)])
def test_after_an_error_the_same_store_takes_the_batch_as_soon_as_the_disk_does(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        append(open_store(directory), 0)

    def step(disk: BrokenDisk, directory: Path) -> None:
        store = open_store(directory, disk)
        disk.arm()
        with contextlib.suppress(OSError):
            append(store, 1)
        disk.last = -1
        append(store, 2)
        append(store, 2)
        assert rows_in(directory) in {4, 6}

    for directory, error in outcomes(tmp_path, prepare, step, FAILURES[name]):
        assert error is None
        store = open_store(directory)
        assert sum(file.rows for file in store.state.files.values()) == rows_in(directory)


@pytest.mark.parametrize("name", ways("crash after"))
def test_upkeep_that_fails_anywhere_loses_and_repeats_no_row(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        store = open_store(directory)
        for number in range(4):
            append(store, number)
        EAGER.tend(store, ManualClock().now(), threading.Event())
        for number in range(4, 7):
            append(store, number)

    def step(disk: BrokenDisk, directory: Path) -> None:
        store = open_store(directory, disk)
        disk.arm()
        EAGER.tend(store, ManualClock().now(), threading.Event())

    for directory, _ in outcomes(tmp_path, prepare, step, FAILURES[name]):
        assert rows_in(directory) == 14
        store = open_store(directory)
        assert store.committed("j") == 6
        EAGER.tend(store, ManualClock().now(), threading.Event())
        EAGER.tend(store, ManualClock().now(), threading.Event())
        assert rows_in(directory) == 14
        assert len(files_in(directory, "*.parquet")) == 2


@pytest.mark.parametrize("name", ways(*FAILURES))
def test_a_checkpoint_that_fails_anywhere_leaves_a_log_that_reads_the_same(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        store = open_store(directory)
        for number in range(3):
            append(store, number)
        store._log.checkpoint()
        append(store, 3)

    def step(disk: BrokenDisk, directory: Path) -> None:
        store = open_store(directory, disk)
        disk.arm()
        store._log.checkpoint()

    prepare(tmp_path / "expected")
    expected = read_state(tmp_path / "expected")
    for directory, _ in outcomes(tmp_path, prepare, step, FAILURES[name]):
        assert read_state(directory) == expected
        store = open_store(directory)
        append(store, 4)
        assert rows_in(directory) == 10


def open_database(directory: Path, disk: Disk | None = None) -> Database:
    directory.mkdir(parents=True, exist_ok=True)
    database = Database(directory / "x.duckdb", FileOptions(), EAGER, ManualClock().now, disk or Disk())
    for table in database.tables.values():
        table.open()
    database.publish()
    return database


def insert(database: Database, number: int) -> None:
    database.tables[Signal.TRACES].append(iter([batch_at(TWO_HOURS).stored()]), Position("j", number, number))


def rows_in_duckdb(directory: Path) -> int:
    with duckdb.connect(str(directory / "x.duckdb"), read_only=True) as connection:
        return int(connection.execute("select count(*) from spans").fetchall()[0][0])


@pytest.mark.parametrize("name", ways("crash after"))
def test_a_batch_is_in_the_database_once_or_not_at_all_and_goes_in_when_tried_again(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        insert(open_database(directory), 0)

    def step(disk: BrokenDisk, directory: Path) -> None:
        database = open_database(directory, disk)
        disk.arm()
        insert(database, 1)

    for directory, error in outcomes(tmp_path, prepare, step, FAILURES[name]):
        stored = rows_in_duckdb(directory)
        assert stored == 4 if error is None else stored in {2, 4}
        database = open_database(directory)
        assert database.tables[Signal.TRACES].committed("j") == (1 if stored == 4 else 0)
        insert(database, 1)
        insert(database, 2)
        assert rows_in_duckdb(directory) == 6


@pytest.mark.parametrize("name", ways())
def test_upkeep_of_the_database_that_fails_anywhere_loses_and_repeats_no_row(tmp_path: Path, name: str) -> None:
    def prepare(directory: Path) -> None:
        database = open_database(directory)
        for number in range(3):
            insert(database, number)
        database.tend(threading.Event())
        for number in range(3, 6):
            insert(database, number)

    def step(disk: BrokenDisk, directory: Path) -> None:
        database = open_database(directory, disk)
        disk.arm()
        database.tend(threading.Event())

    for directory, _ in outcomes(tmp_path, prepare, step, FAILURES[name]):
        assert rows_in_duckdb(directory) == 12
        database = open_database(directory)
        assert rows_in_duckdb(directory) == 12
        assert database.tables[Signal.TRACES].committed("j") == 5
        database.tend(threading.Event())
        database.tend(threading.Event())
        assert rows_in_duckdb(directory) == 12
        insert(database, 6)
        assert rows_in_duckdb(directory) == 14
