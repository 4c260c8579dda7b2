"""Every kind of source is found by its path, and what it holds arrives as it was."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spanmill.batch import Batch
from spanmill.disk import Disk
from spanmill.exit_codes import ExitCode
from spanmill.otlp.messages import SERVICES
from spanmill.replay import Selection, Target
from spanmill.signal import Signal
from tests.data import batch_of, key_value, spans, traces
from tests.exporters.peers import grpc_peer
from tests.journal.harness import Opened
from tests.replay.making import (
    Replays,
    duckdb_store,
    journal,
    letters,
    parquet_store,
    received_ids,
)

Make = Callable[[Path], Awaitable[Path]]


async def _letters(directory: Path) -> Path:
    return letters(directory, spans(1, 1), spans(1, 2), spans(1, 3))


async def _letters_of_one_exporter(directory: Path) -> Path:
    return next((await _letters(directory)).iterdir())


async def _store(directory: Path) -> Path:
    return parquet_store(directory, spans(1, 1), spans(1, 2), spans(1, 3))


async def _table_of_store(directory: Path) -> Path:
    return await _store(directory) / "spans"


async def _database(directory: Path) -> Path:
    return duckdb_store(directory, spans(1, 1), spans(1, 2), spans(1, 3))


async def _data_of_database(directory: Path) -> Path:
    path = await _database(directory)
    return path.with_name(path.name + ".d")


async def _journals(directory: Path) -> Path:
    return await journal(directory, 1, 2, 3)


async def _journal_of_pipeline(directory: Path) -> Path:
    return await _journals(directory) / "traces"


SOURCES: dict[str, Make] = {
    "dead letters": _letters,
    "dead letters of one exporter": _letters_of_one_exporter,
    "a parquet exporter's directory": _store,
    "one table of it": _table_of_store,
    "a duckdb exporter's file": _database,
    "a duckdb exporter's data": _data_of_database,
    "journals": _journals,
    "a pipeline's journal": _journal_of_pipeline,
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
async def test_everything_in_a_source_is_sent_once(make: Make, tmp_path: Path, replay: Replays) -> None:
    source = await make(tmp_path)
    async with grpc_peer() as peer:
        done = await replay(source, target=Target(peer.endpoint))
    assert (done.code, done.out, done.err) == (ExitCode.OK, "3 items were sent: 3 spans.\n", "")
    assert sorted(received_ids(peer.received)) == [1, 2, 3]


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
async def test_the_same_source_makes_the_same_requests(make: Make, tmp_path: Path, replay: Replays) -> None:
    """So that a receiver that remembers requests takes them once."""
    source = await make(tmp_path)
    async with grpc_peer() as peer:
        await replay(source, target=Target(peer.endpoint))
        first = [request.body for request in peer.received]
        await replay(source, target=Target(peer.endpoint))
    assert [request.body for request in peer.received] == first * 2


async def test_one_file_of_each_kind_is_a_source(tmp_path: Path, replay: Replays) -> None:
    letter = next(letters(tmp_path, spans(1, 1)).rglob("*.arrow"))
    rows = next(parquet_store(tmp_path, spans(1, 2)).rglob("*.parquet"))
    plain = tmp_path / "rewritten.parquet"
    pq.write_table(pq.ParquetFile(rows).read().replace_schema_metadata(None), plain)
    async with grpc_peer() as peer:
        done = await replay(letter, rows, plain, target=Target(peer.endpoint))
    assert (done.code, received_ids(peer.received)) == (ExitCode.OK, [1, 2, 2])


def unusual() -> Any:
    request = traces(3)
    resource = request.resource_spans[0]
    resource.schema_url, resource.resource.dropped_attributes_count = "https://example.com/1", 2
    resource.scope_spans[0].scope.attributes.append(key_value("k", 1.5))
    resource.scope_spans[0].spans[1].links.add(trace_id=b"t" * 16, span_id=b"s" * 8, flags=0x100)
    resource.scope_spans[0].spans[2].attributes.append(key_value("k", True))
    return request


async def test_stored_rows_arrive_as_they_were_received(tmp_path: Path, replay: Replays) -> None:
    request = unusual()
    source = parquet_store(tmp_path, batch_of(request))
    async with grpc_peer() as peer:
        await replay(source, target=Target(peer.endpoint))
    assert [received.message for received in peer.received] == [request]


async def test_all_signals_of_a_store_are_sent_and_may_be_chosen(tmp_path: Path, replay: Replays) -> None:
    source = parquet_store(tmp_path, spans(1, 1), log_records(2), points(3))
    async with grpc_peer() as peer:
        done = await replay(source, target=Target(peer.endpoint))
        assert done.out == "6 items were sent: 1 spans, 3 metric points, 2 log records.\n"
        assert [received.signal for received in peer.received] == [Signal.TRACES, Signal.METRICS, Signal.LOGS]
        done = await replay(source, target=Target(peer.endpoint), selection=Selection(frozenset({Signal.LOGS})))
        assert done.out == "2 items were sent: 2 log records.\n"


def log_records(count: int) -> Batch:
    request = SERVICES[Signal.LOGS].request()
    records = request.resource_logs.add().scope_logs.add().log_records  # type: ignore[attr-defined]
    for number in range(count):
        records.add(time_unix_nano=number + 1)
    return batch_of(request, Signal.LOGS)


def points(count: int) -> Batch:
    request = SERVICES[Signal.METRICS].request()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")  # type: ignore[attr-defined]
    for number in range(count):
        metric.gauge.data_points.add(as_int=number, time_unix_nano=number + 1)
    return batch_of(request, Signal.METRICS)


async def test_a_journal_is_read_beside_the_collector_that_writes_it(tmp_path: Path, replay: Replays) -> None:
    async with Opened(tmp_path / "journal" / "traces", Disk()) as opened, grpc_peer() as peer:
        await opened.append(1, 2)

        async def goes_into_the_same_journal(_received: Any, _context: Any) -> bytes:
            await opened.append(9)
            return b""

        peer.answer = goes_into_the_same_journal
        done = await replay(tmp_path / "journal", target=Target(peer.endpoint))
        assert (done.code, received_ids(peer.received)) == (ExitCode.OK, [1, 2])
        peer.received.clear()
        await replay(tmp_path / "journal", target=Target(peer.endpoint), selection=Selection(first=2, last=3))
        assert received_ids(peer.received) == [2, 9]


async def test_a_damaged_letter_is_named_and_the_others_are_sent(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1, 1), spans(1, 2))
    bad = min(source.rglob("*.arrow"))
    bad.write_bytes(b"not arrow")
    async with grpc_peer() as peer:
        done = await replay(source, target=Target(peer.endpoint))
    assert (done.code, received_ids(peer.received)) == (ExitCode.UNDELIVERED, [2])
    assert done.err.startswith(f"{bad}: cannot be read: ")
    assert done.err.count("\n") == 1


async def test_a_damaged_record_of_a_journal_is_left_out(tmp_path: Path, replay: Replays) -> None:
    source = await journal(tmp_path, 1, 2, 3)
    segment = next((source / "traces").glob("*.segment"))
    data = bytearray(segment.read_bytes())
    data[len(data.rstrip(b"\x00")) - 50] ^= 0xFF  # in the last record, before the zeros of the preallocated room
    segment.write_bytes(data)
    async with grpc_peer() as peer:
        done = await replay(source, target=Target(peer.endpoint))
    assert received_ids(peer.received) == [1, 2]
    assert done.code == ExitCode.UNDELIVERED
    assert done.err.startswith(f"{source / 'traces'} record 3: cannot be read")


async def test_rows_whose_remainder_is_damaged_are_named_and_the_others_are_sent(
    tmp_path: Path, replay: Replays
) -> None:
    store = parquet_store(tmp_path, spans(1, 1), spans(1, 2))
    file = min(store.rglob("part-*.parquet"))
    rows = pq.ParquetFile(file).read()
    damaged = pa.array([{"types": None, "rest": b"\xff" * 20}], rows.schema.field("otlp").type)
    pq.write_table(rows.set_column(rows.schema.get_field_index("otlp"), rows.schema.field("otlp"), damaged), file)
    async with grpc_peer() as peer:
        done = await replay(store, target=Target(peer.endpoint))
    assert (done.code, received_ids(peer.received)) == (ExitCode.UNDELIVERED, [2])
    assert done.err.startswith(f"{file} row group 0: cannot be read: its column otlp is damaged: ")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing there": (lambda path: path, "there is no such file or directory"),
    "an empty directory": (lambda path: path.mkdir(), "nothing that can be replayed; expected dead letters"),
    "a text": (lambda path: path.write_text("hello"), "nothing that can be replayed; expected dead letters"),
}


@pytest.mark.parametrize(("make", "words"), WRONG.values(), ids=WRONG)
async def test_a_path_that_is_no_source_is_answered_with_what_would_be_one(
    make: Callable[[Path], object], words: str, tmp_path: Path, replay: Replays
) -> None:
    make(tmp_path / "here")
    done = await replay(tmp_path / "here", dry_run=True)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err.startswith(f"{tmp_path / 'here'}: {words}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"PAR1", b"no parquet"])
async def test_a_file_that_is_not_parquet_is_said_so(content: bytes, tmp_path: Path, replay: Replays) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    done = await replay(tmp_path / "x.parquet", dry_run=True)
    assert (done.code, done.err) == (ExitCode.USAGE, f"{tmp_path / 'x.parquet'}: not a Parquet file, or damaged\n")


async def test_a_file_of_somebody_else_is_not_sent(tmp_path: Path, replay: Replays) -> None:
    rows = next(parquet_store(tmp_path, spans(1)).rglob("*.parquet"))
    pq.write_table(pq.ParquetFile(rows).read(["name"]).replace_schema_metadata(None), tmp_path / "x.parquet")
    done = await replay(tmp_path / "x.parquet", dry_run=True)
    assert done.code == ExitCode.USAGE
    assert "not a file of spans, logs or metrics that Spanmill wrote" in done.err


async def test_an_empty_directory_of_dead_letters_is_nothing_to_do(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1))
    shutil.rmtree(next(source.iterdir()))
    done = await replay(source, target=Target("localhost:1"), delete=True)
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert done.err == f"nothing to replay: {source} has no items that are selected\n"
