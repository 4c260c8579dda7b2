"""Files of the schema's first version, which had no column `otlp`, beside those of today."""

import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from spanmill.component import Position
from spanmill.disk import Disk
from spanmill.exporters.duckdb.catalogue import publish
from spanmill.exporters.duckdb.database import view_of
from spanmill.exporters.duckdb.live_table import LiveTable
from spanmill.llm.evaluations import batch_of
from spanmill.query.session import open_session
from spanmill.schema import LOGS, SPANS
from spanmill.schema.evaluations import EVALUATION_COLUMNS
from spanmill.storage.merge import read_row_groups
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store
from tests.data import START, span_ids, spans
from tests.llm.evaluations import judged
from tests.storage.harness import ManualClock, files_in

QUERY = "select attributes['gen_ai.usage.input_tokens'] from spans order by span_id"


def age(file: Path) -> None:
    """Make it what the first version wrote."""
    rows = pq.ParquetFile(file).read()
    metadata = {**(rows.schema.metadata or {}), b"spanmill.schema": b"1"}
    pq.write_table(rows.drop_columns(["otlp"]).replace_schema_metadata(metadata), file)


def store_of_both(directory: Path) -> Store:
    """Three files, the first of them old."""
    store = Store(directory / "spans", SPANS, FileOptions(), ManualClock().now)
    store.open()
    for number in (1, 2, 3):
        store.append(iter([spans(2, first=number * 10).stored()]), Position("j", number, number))
    age(files_in(directory, "part-j-000000000001*.parquet")[0])
    return store


def test_old_and_new_files_are_queried_and_merged_together(tmp_path: Path) -> None:
    store = store_of_both(tmp_path)
    with open_session(tmp_path, progress=False) as session:
        expected = session.execute(QUERY).fetchall()
    assert [value for (value,) in expected] == ["10", "11", "20", "21", "30", "31"]
    paths = [store.directory / path for path in store.state.files]
    merged = list(read_row_groups(paths, SPANS, FileOptions(), threading.Event()))
    store.rewrite(iter(merged), "merged.parquet", removed=list(store.state.files.values()))
    with open_session(tmp_path, progress=False) as session:
        assert session.execute(QUERY).fetchall() == expected
    [file] = store.state.files
    rows = pq.ParquetFile(store.directory / file).read()
    assert [row is None for row in rows.column("otlp").to_pylist()] == [True, True, False, False, False, False]
    assert (
        SPANS.records(rows).column("attributes").to_pylist()
        == spans(2, 10).concat([spans(2, 10), spans(2, 20), spans(2, 30)]).records.column("attributes").to_pylist()
    )


def test_a_catalogue_shows_old_and_new_files_and_not_the_column_for_replaying(tmp_path: Path) -> None:
    clock = ManualClock()
    table = LiveTable(tmp_path / "x.duckdb.d" / "spans", SPANS, FileOptions(), clock.now, Disk())
    table.open()
    for number in (1, 2, 3):
        table.append(iter([spans(2, first=number * 10).stored()]), Position("j", number, number))
    for path in (table.tail.path(0), table.tail.path(1), table.tail.path(2)):
        age(path)
    publish(Disk(), tmp_path / "x.duckdb", [view_of(table)])
    before = rows_of(tmp_path / "x.duckdb")
    table.settle(threading.Event(), min_files=1, target_bytes=1 << 30)
    table.append(iter([spans(2, first=40).stored()]), Position("j", 4, 4))
    publish(Disk(), tmp_path / "x.duckdb", [view_of(table)])
    assert before == ["10", "11", "20", "21", "30", "31"]
    assert rows_of(tmp_path / "x.duckdb") == [*before, "40", "41"]


def rows_of(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        assert "otlp" not in connection.table("spans").columns
        return [value for (value,) in connection.execute(QUERY).fetchall()]


def test_records_of_a_store_are_those_that_were_appended(tmp_path: Path) -> None:
    store = Store(tmp_path, SPANS, FileOptions(), ManualClock().now)
    store.open()
    batch = spans(5)
    store.append(iter([batch.stored()]), Position("j", 1, 1))
    [file] = store.state.files
    records = SPANS.records(pq.ParquetFile(tmp_path / file).read())
    assert span_ids(type(batch)(batch.signal, records)) == [1, 2, 3, 4, 5]
    assert records.equals(batch.records)


LATER = [column.name for column in EVALUATION_COLUMNS]
"""Columns that version 3 of the table `logs` did not have."""
EVALUATED = "select name, score, source from evaluations order by time"


def evaluated(name: str) -> pa.Table:
    return batch_of([judged(name=name, time_unix_nano=START + ord(name))], resource_attributes={}).stored()


def make_version_3(file: Path) -> None:
    rows = pq.ParquetFile(file).read()
    metadata = {**(rows.schema.metadata or {}), b"spanmill.schema": b"3"}
    pq.write_table(rows.drop_columns(LATER).replace_schema_metadata(metadata), file)


def test_files_from_before_there_were_evaluations_are_queried_with_those_of_today(tmp_path: Path) -> None:
    store = Store(tmp_path / "logs", LOGS, FileOptions(), ManualClock().now)
    store.open()
    for number, name in enumerate("ab"):
        store.append(iter([evaluated(name)]), Position("j", number, number))
    make_version_3(files_in(tmp_path / "logs", "part-j-000000000000*.parquet")[0])
    log = next((tmp_path / "logs" / "_commits").glob("*0001.json"))
    log.write_bytes(log.read_bytes().replace(b'"schema":4', b'"schema":3'))
    with open_session(tmp_path, progress=False) as session:
        assert session.execute(EVALUATED).fetchall() == [("b", 0.25, "judge")]
        assert session.execute("select count(*) from logs").fetchall() == [(2,)]


def test_a_live_table_that_an_earlier_version_wrote_is_read_and_written_on(tmp_path: Path) -> None:
    directory = tmp_path / "x.duckdb.d"
    table = LiveTable(directory / "logs", LOGS, FileOptions(), ManualClock().now, Disk())
    table.open()
    table.append(iter([evaluated("a")]), Position("j", 1, 1))
    for path in (table.tail.path(0), table.tail.path(1), table.tail.guard(0)):
        make_version_3(path)
    table = LiveTable(directory / "logs", LOGS, FileOptions(), ManualClock().now, Disk())
    table.open()
    path = tmp_path / "x.duckdb"
    publish(Disk(), path, [view_of(table)])
    assert evaluations_in(path) == (1, [])
    table.append(iter([evaluated("b")]), Position("j", 2, 2))
    assert evaluations_in(path) == (2, [("b", 0.25, "judge")])
    with open_session(directory, progress=False) as session:
        assert session.execute(EVALUATED).fetchall() == [("b", 0.25, "judge")]
    table.settle(threading.Event(), min_files=1, target_bytes=1 << 30)
    publish(Disk(), path, [view_of(table)])
    assert evaluations_in(path) == (2, [("b", 0.25, "judge")])


def evaluations_in(path: Path) -> tuple[int, list[tuple[str, float, str]]]:
    """The number of log records, and the evaluations among them, for somebody who attached the file."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as other (read_only)")
        [(count,)] = connection.execute("select count(*) from other.logs").fetchall()
        return count, connection.execute(EVALUATED.replace("evaluations", "other.evaluations")).fetchall()
