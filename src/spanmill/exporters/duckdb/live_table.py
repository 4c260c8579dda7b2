"""A table that can be read while it is written: a settled store, and the live tail in front of it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from spanmill.component import Position
from spanmill.disk import Disk
from spanmill.exporters.duckdb.tail import Tail, TailFile
from spanmill.schema import Table
from spanmill.storage.commits import Span
from spanmill.storage.merge import read_row_groups
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.store import Store, new_positions

SETTLED = "settled"
TAIL_JOURNAL = "@tail"
"""Under this name the settled store remembers up to which file of the tail it holds the rows."""


class LiveTable:
    """Exports go to the tail; `settle` moves them on. The tail is to the settled store what a journal is to a store."""

    def __init__(
        self, directory: Path, table: Table, options: FileOptions, clock: Callable[[], float], disk: Disk
    ) -> None:
        self.table = table
        self.settled = Store(directory / SETTLED, table, options, clock, disk)
        self.tail = Tail(directory, table, options, disk)
        self._options = options

    def open(self) -> None:
        """Remove what a crash left half done. Raises `CorruptLog`, `OSError`."""
        self.settled.open()
        self.tail.open(self.settled_up_to)

    @property
    def settled_up_to(self) -> int:
        """The last file of the tail whose rows are settled; 0 before there is one."""
        return self.settled.committed(TAIL_JOURNAL) or 0

    def committed(self, journal: str) -> int | None:
        """The last record of the journal whose rows are in the table."""
        # The tail first: what leaves it meanwhile is in the settled store before.
        held = [last for part in (self.tail, self.settled) if (last := part.committed(journal)) is not None]
        return max(held, default=None)

    def append(self, parts: Iterator[pa.Table], *positions: Position) -> None:
        """Add rows, once, as `Store.append` does. On return they can be read. Raises `OSError`."""
        if new_positions(self.committed, positions):
            self.tail.append(parts, positions)

    def settle(self, stop: threading.Event, *, min_files: int, target_bytes: int) -> int:
        """Move the tail's rows on into partitions, if it has so many files. Gives the number of files moved.

        The files stay where they are for those who read them; `Tail.delete` removes them.
        """
        files = self.tail.files
        if len(files) < min_files:
            return 0
        for group in _groups(files, target_bytes):
            first, last = group[0].number, group[-1].number
            positions = {TAIL_JOURNAL: Span(first, last)}
            for position in (p for file in group for p in file.positions):
                known = positions.get(position.journal, Span(position.first, position.last))
                positions[position.journal] = Span(min(known.first, position.first), max(known.last, position.last))
            paths = [self.tail.path(file.number) for file in group]
            rows = read_row_groups(paths, self.table, self._options, stop)
            self.settled.rewrite(rows, f"settled-{first:012d}-{last:012d}.parquet", positions=positions)
            self.tail.forget(last)
        return len(files)


def _groups(files: tuple[TailFile, ...], target_bytes: int) -> Iterator[list[TailFile]]:
    group: list[TailFile] = []
    for file in files:
        if group and sum(f.bytes for f in group) + file.bytes > target_bytes:
            yield group
            group = []
        group.append(file)
    yield group
