"""Another process queries the database while it is written and compacted at full speed. Neither may ever fail."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spanmill.component import Position
from tests.data import spans
from tests.exporters.duckdb.test_duckdb_exporter import running

READER = """
import json, sys, duckdb
path, mode = sys.argv[1:]
kept = duckdb.connect(path, read_only=True) if mode == "kept" else None
for line in sys.stdin:
    connection = kept or duckdb.connect(path, read_only=mode != "read-write")
    rows, ids, newest = connection.execute(
        "select count(*), count(distinct span_id), max(span_id) from spans").fetchall()[0]
    empty = connection.execute("select (select count(*) from logs) + (select count(*) from metrics)").fetchall()
    if kept is None:
        connection.close()
    print(json.dumps([rows, ids, int(newest or "0", 16), empty[0][0]]), flush=True)
"""
ROWS, EXPORTS = 50, 60


class Reader:
    """The second process. Each `look` is one query there."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.looks = 0

    async def look(self) -> tuple[int, int, int]:
        """Rows, distinct rows and the newest one's id."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"\n")
        line = await stdout.readline()
        if not line:
            raise AssertionError((await self._process.communicate(b""))[1].decode())
        rows, ids, newest, others = json.loads(line)
        assert others == 0
        self.looks += 1
        return rows, ids, newest


@asynccontextmanager
async def reading(path: Path, mode: str) -> AsyncIterator[Reader]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, str(path), mode,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Reader(process)
    finally:
        await process.communicate(b"")


@pytest.mark.parametrize("mode", ["fresh", "kept", "read-write"])
async def test_a_second_process_sees_every_acknowledged_row_once_while_rows_are_written_and_compacted(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "x.duckdb"
    acknowledged, writing = 0, True

    async with running(path) as exporter, reading(path, mode) as reader:

        async def write() -> None:
            nonlocal acknowledged, writing
            for number in range(EXPORTS):
                await exporter.export(spans(ROWS, first=number * ROWS + 1), Position("j", number, number))
                acknowledged = (number + 1) * ROWS
            writing = False

        async def compact() -> int:
            passes = 0
            while writing:
                await exporter.tend()
                passes += 1
            return passes

        async def watch() -> None:
            seen = 0
            while writing:
                before = acknowledged
                rows, ids, newest = await reader.look()
                assert rows == ids == newest  # no row twice, none missing in the middle
                assert rows >= max(before, seen)  # what was acknowledged is visible at once, and stays
                seen = rows

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            compactor = group.create_task(compact())
            group.create_task(watch())
        assert (await reader.look())[0] == ROWS * EXPORTS
        assert compactor.result() > 1
        assert reader.looks > 1
