"""Laws of storage: rows in are rows out, in every column; the log folds the same however it is cut."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from spanmill.component import Position
from spanmill.disk import Disk
from spanmill.exporters.duckdb.catalogue import View
from spanmill.exporters.duckdb.live_table import LiveTable
from spanmill.schema import SPANS, TABLES
from spanmill.signal import Signal
from spanmill.storage.commits import Commit, DataFile, Span, State
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.partitions import NANOSECONDS_PER_HOUR, by_hour, directory_of, hour_of
from spanmill.storage.store import Store
from tests.data import batch_of
from tests.storage.harness import ManualClock
from tests.strategies import REQUESTS

SIGNALS = st.sampled_from(list(Signal))
TIMES = st.integers(-(2**63), 2**63 - 1) | st.none() | st.integers(0, 3 * NANOSECONDS_PER_HOUR)


def as_text(connection: Any, rows: pa.Table) -> Counter[str]:
    """The rows as a multiset, each as DuckDB renders it: nanoseconds and decimals with every digit."""
    connection.register("rows", rows)
    return Counter(text for (text,) in connection.execute("select to_json(r)::text from rows r").fetchall())


@given(data=st.data(), signal=SIGNALS)
def test_what_the_codec_decoded_is_what_parquet_and_duckdb_give_back_in_every_column(
    data: st.DataObject, signal: Signal
) -> None:
    batch = batch_of(data.draw(REQUESTS[signal]), signal)
    table, rows = TABLES[signal], batch.stored()
    with TemporaryDirectory() as name, duckdb.connect(config={"threads": 1}) as connection:
        clock = ManualClock()
        store = Store(Path(name) / "store", table, FileOptions(), clock.now)
        store.open()
        store.append(iter([rows]), Position("j", 0, 0))
        files = [pq.ParquetFile(store.directory / path).read() for path in store.state.files]
        back = pa.concat_tables(files) if files else table.stored_schema.empty_table()
        assert back.schema.equals(table.stored_schema)
        assert as_text(connection, back) == as_text(connection, rows)

        live = LiveTable(Path(name) / "live", table, FileOptions(), clock.now, Disk())
        live.open()
        live.append(iter([rows]), Position("j", 0, 0))
        view = View(table, [], live.tail.directory, live.tail.path(0), live.tail.guard(0))
        seen = connection.sql(view.sql()).to_arrow_table()
        assert as_text(connection, seen) == as_text(connection, batch.table())


@given(st.lists(TIMES, max_size=60))
def test_every_row_is_in_the_partition_of_its_hour_and_in_no_other(times: list[int | None]) -> None:
    rows = pa.table({"time": pa.array(times, pa.timestamp("ns")), "row": pa.array(range(len(times)), pa.int64())})
    found: dict[int, Any] = {}
    for hour, part in by_hour(rows, "time"):
        assert hour_of(directory_of(hour)) == hour
        assert part.column("row").to_pylist() == sorted(part.column("row").to_pylist())
        found |= dict.fromkeys(part.column("row").to_pylist(), hour)
    assert found == {n: None if t is None else t // NANOSECONDS_PER_HOUR for n, t in enumerate(times)}


FILES = st.builds(
    DataFile,
    path=st.sampled_from([f"date=2025-01-01/hour=00/{n}.parquet" for n in range(6)]),
    rows=st.integers(0, 9),
    bytes=st.integers(0, 9),
    min_time=st.none(),
    max_time=st.none(),
    written=st.just(0.0),
)
COMMITS = st.builds(
    Commit,
    added=st.lists(FILES, max_size=3).map(tuple),
    removed=st.lists(FILES.map(lambda f: f.path), max_size=2).map(tuple),
    deleted=st.lists(FILES.map(lambda f: f.path), max_size=2).map(tuple),
    positions=st.dictionaries(st.sampled_from("ab"), st.builds(Span, first=st.just(0), last=st.integers(0, 99))),
    time=st.just(1.0),
)


@given(st.lists(COMMITS, max_size=8), st.integers(0, 8))
def test_the_log_folds_the_same_from_a_checkpoint_as_from_the_beginning(commits: list[Commit], cut: int) -> None:
    whole = State().after(commits)
    assert State().after(commits[:cut]).after(commits[cut:]) == whole
    assert whole.number == len(commits)
    assert not set(whole.files) & set(whole.removed)


@given(st.lists(COMMITS, max_size=8))
def test_positions_never_go_back(commits: list[Commit]) -> None:
    state = State()
    for commit in commits:
        after = state.after([commit])
        assert all(after.positions[journal] >= last for journal, last in state.positions.items())
        state = after


def test_a_checkpoint_and_the_records_after_it_read_back_equal(tmp_path: Path) -> None:
    store = Store(tmp_path, SPANS, FileOptions(), ManualClock().now)
    store.open()
    for number in range(600):
        store.append(iter([]), Position("j", number, number))
    again = Store(tmp_path, SPANS, FileOptions(), ManualClock().now)
    again.open()
    assert again.state == store.state
    assert again.committed("j") == 599
    assert len(list((tmp_path / "_commits").iterdir())) < 300
