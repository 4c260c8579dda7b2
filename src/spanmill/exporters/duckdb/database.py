"""The three tables behind one catalogue, and their upkeep.

x.duckdb                the catalogue
x.duckdb.d/<table>/     tail/, guard/ and settled/ of each table
"""

import threading
from collections.abc import Callable
from pathlib import Path

from spanmill.disk import Disk
from spanmill.exporters.duckdb.catalogue import View, publish
from spanmill.exporters.duckdb.live_table import LiveTable
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.storage.parquet_file import SCHEMA_VERSION, FileOptions
from spanmill.storage.upkeep import Policy, UpkeepReport


class Database:
    """The writing side; one for each directory, under the lock that `lock.py` takes."""

    def __init__(
        self, path: Path, options: FileOptions, policy: Policy, clock: Callable[[], float], disk: Disk
    ) -> None:
        self.path = path
        self.directory = directory_of(path)
        self.tables = {
            signal: LiveTable(self.directory / table.name, table, options, clock, disk)
            for signal, table in TABLES.items()
        }
        self._policy, self._clock, self._disk = policy, clock, disk
        self._published: dict[Signal, int] = {}
        """The commit of each settled store that the catalogue shows."""
        self._published_bytes = 0
        self._due: list[tuple[float, Signal, int]] = []
        """When which table's tail may be deleted, up to which file."""

    def publish(self) -> None:
        """Make the catalogue show what is settled now. Raises `OSError`; then the old one stays, and stays right."""
        numbers = self._numbers()
        publish(self._disk, self.path, [view_of(table) for table in self.tables.values()])
        self._published, self._published_bytes = numbers, self.path.stat().st_size
        due = self._clock() + self._policy.compaction.grace
        for signal, table in self.tables.items():
            number = table.settled_up_to
            waiting = any(entry[1:] == (signal, number) for entry in self._due)
            if not waiting and table.tail.covered(number):
                self._due.append((due, signal, number))

    def tend(self, stop: threading.Event) -> UpkeepReport:
        """One pass; blocks. Raises `OSError`, `Interrupted`; what is done by then stays done."""
        self._publish_if_due()  # nothing that an unpublished change took away may be deleted
        report = UpkeepReport(deleted=self._delete_due())
        compaction = self._policy.compaction
        for table in self.tables.values():
            if compaction.enabled or self._policy.retention_seconds:
                moved = table.settle(
                    stop, min_files=compaction.min_files, target_bytes=compaction.target_size_mib << 20
                )
                report += UpkeepReport(merged=moved)
            report += self._policy.tend(table.settled, self._clock(), stop)
        self._publish_if_due()
        return report

    def _publish_if_due(self) -> None:
        """When the tables have changed, or somebody has deleted the file or cut it short."""
        if self._published != self._numbers() or not self._is_there():
            self.publish()

    def _is_there(self) -> bool:
        try:
            return self.path.stat().st_size >= self._published_bytes
        except FileNotFoundError:
            return False

    def _numbers(self) -> dict[Signal, int]:
        return {signal: table.settled.state.number for signal, table in self.tables.items()}

    def _delete_due(self) -> int:
        now, deleted = self._clock(), 0
        due, self._due = [d for d in self._due if d[0] <= now], [d for d in self._due if d[0] > now]
        for _, signal, number in due:
            deleted += self.tables[signal].tail.delete(number)
        return deleted


def directory_of(path: Path) -> Path:
    """The directory that holds the data of the database at `path`."""
    return path.with_name(path.name + ".d")


def view_of(table: LiveTable) -> View:
    """What a catalogue made now shows of a table."""
    state, tail, settled = table.settled.state, table.tail, table.settled_up_to
    return View(
        table.table,
        [table.settled.directory / path for path in state.files],
        tail.directory,
        tail.path(settled),
        tail.guard(settled),
        any(file.schema != SCHEMA_VERSION for file in state.files.values()),
        any(file.schema != SCHEMA_VERSION for file in tail.files),
        tail.path(0),
    )
