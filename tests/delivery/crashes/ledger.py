"""What clients sent and what they were answered, on a disk that does not crash: one line for each event.

    event    table    client    first    count    attempts    time    reason

`first` and `count` say which items the request held: ids are whole numbers, and no two items of a table share one.
An event is `sent` (before the first attempt), `acknowledged`, `abandoned` (the client gave up) or `refused` (the
collector said that it never wants this).
"""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

Event = Literal["sent", "acknowledged", "abandoned", "refused"]
COLUMNS = {
    "event": "VARCHAR",
    "table": "VARCHAR",
    "client": "VARCHAR",
    "first": "BIGINT",
    "count": "BIGINT",
    "attempts": "BIGINT",
    "time": "DOUBLE",
    "reason": "VARCHAR",
}


def text_of(identity: int) -> str:
    """An id as it stands in the attribute `id` of every item, and in the span ids."""
    return f"{identity:016x}"


class Ledger:
    """The writing side, for any number of threads: a line is one `write`, and is with the kernel when that returns."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, event: Event, table: str, client: str, ids: range, attempts: int, reason: str = "") -> None:
        """Add a line; `time` is now, in seconds since 1970."""
        fields = (event, table, client, ids.start, len(ids), attempts, f"{time.time():.6f}", " ".join(reason.split()))
        os.write(self._descriptor, ("\t".join(map(str, fields)) + "\n").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def load_ledger(connection: Any, path: Path) -> None:
    """Make the DuckDB tables `requests` (one row for each request) and `expected` (one row for each item).

    `acknowledged_at` is null in both for what was never acknowledged; `key` is the item's id as stored.
    """
    connection.execute(
        f"CREATE TABLE events AS FROM read_csv(?, delim = '\t', header = false, quote = '', columns = {COLUMNS})",
        [str(path)],
    )
    connection.execute("""
        CREATE TABLE requests AS
        SELECT "table", client, first, any_value(count) AS count, max(attempts) AS attempts,
            max(time) FILTER (event = 'acknowledged') AS acknowledged_at,
            max(reason) FILTER (event = 'refused') AS refused
        FROM events GROUP BY "table", client, first""")
    connection.execute("""
        CREATE TABLE expected AS
        SELECT * EXCLUDE (number), format('{:016x}', number) AS key
        FROM (SELECT * EXCLUDE (first, count), first + unnest(range(count)) AS number FROM requests)""")
