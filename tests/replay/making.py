"""Things to replay, each made by the code that makes them in a collector; and replays against real servers."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.dead_letters import DeadLetters, Letter
from spanmill.disk import Disk
from spanmill.exporters.duckdb.live_table import LiveTable
from spanmill.replay import Options, run_replay
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store
from tests.exporters.peers import Received
from tests.journal.harness import Opened
from tests.storage.harness import ManualClock

GIVEN_UP = 1_760_000_000.0
"""When the first dead letter was given up; each of the others came an hour after the one before."""


def letters(directory: Path, *batches: Batch, exporter: str = "otlp_http/vendor") -> Path:
    """A directory of dead letters, one for each batch."""
    kept = DeadLetters(directory / "dead_letters", 1 << 30, Disk())
    for number, batch in enumerate(batches, 1):
        time = GIVEN_UP + 3_600 * (number - 1)
        letter = Letter("traces", exporter, batch.signal, "HTTP 401", len(batch), len(batch), "j", number, number, time)
        assert kept.put(batch, letter) == []
    return directory / "dead_letters"


def parquet_store(directory: Path, *batches: Batch) -> Path:
    """What a parquet exporter writes, a file for each batch."""
    stores = {
        signal: Store(directory / "parquet" / table.name, table, FileOptions(), ManualClock().now)
        for signal, table in TABLES.items()
    }
    for store in stores.values():
        store.open()
    for number, batch in enumerate(batches, 1):
        stores[batch.signal].append(iter([batch.stored()]), Position("j", number, number))
    return directory / "parquet"


def duckdb_store(directory: Path, *batches: Batch) -> Path:
    """What a duckdb exporter writes for spans, without the catalogue: the path that its file would have."""
    table = LiveTable(
        directory / "x.duckdb.d" / "spans", TABLES[Signal.TRACES], FileOptions(), ManualClock().now, Disk()
    )
    table.open()
    for number, batch in enumerate(batches, 1):
        table.append(iter([batch.stored()]), Position("j", number, number))
    return directory / "x.duckdb"


async def journal(directory: Path, *numbers: int) -> Path:
    """The journal of the pipeline `traces`: a record for each number, a span of that id; as it is after a stop."""
    async with Opened(directory / "journal" / "traces", Disk()) as opened:
        await opened.append(*numbers)
    return directory / "journal"


@dataclass
class Replayed:
    """How a replay ended, and what it said."""

    code: int
    out: str
    err: str


class Replays:
    """Runs replays as the command line does: blocking, in a thread of its own, beside servers on the event loop."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    async def __call__(self, *sources: Path, **options: Any) -> Replayed:
        self._capture.readouterr()
        code = await asyncio.to_thread(run_replay, Options(sources, **options))
        said = self._capture.readouterr()
        return Replayed(code, said.out, said.err)


def received_ids(received: list[Received]) -> list[int]:
    """The ids of the spans that a peer was sent, in order."""
    return [
        int.from_bytes(span.span_id, "big")
        for request in received
        for resource in request.message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
