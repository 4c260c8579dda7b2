"""The live tail of a table: one small Parquet file for each export, numbered, visible from the moment it has its name.

    tail/00000000000000000000.parquet    no rows, always there: a pattern that matches no file is an error in DuckDB
    tail/00000000000000000042.parquet    the rows of one export; its metadata says which journal records they are
    guard/00000000000000000041.parquet   no rows; there as long as every file above 41 is

Files are taken away from the front, when their rows are settled. Before they go, the guards of everybody who still
reads them go, so that such a reader fails rather than misses rows.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from spanmill.component import Position
from spanmill.disk import Directories, Disk, is_temporary, write_whole
from spanmill.schema import Table
from spanmill.storage.commits import CorruptLog
from spanmill.storage.parquet_file import SCHEMA_VERSION, FileOptions, open_writer, schema_version

_POSITIONS = b"spanmill.positions"
TAIL, GUARD = "tail", "guard"


@dataclass(frozen=True, slots=True)
class TailFile:
    """One export."""

    number: int
    bytes: int
    positions: tuple[Position, ...]
    schema: int
    """Version of the table's schema."""


def tail_name(number: int) -> str:
    """The file name; names sort as numbers do, which is how a view says where its tail begins."""
    return f"{number:020d}.parquet"


def tail_numbers(names: Iterable[str]) -> list[int]:
    """The numbers of finished files, ascending; 0 is the one without rows."""
    return sorted(int(stem) for name in names if (stem := name.removesuffix(".parquet")).isdigit() and stem != name)


class Tail:
    """The writing side of one table's tail. One export at a time; the rest may run beside it."""

    def __init__(self, directory: Path, table: Table, options: FileOptions, disk: Disk) -> None:
        self.directory = directory / TAIL
        self._guards = directory / GUARD
        self._table, self._options, self._disk = table, options, disk
        self._directories = Directories(disk, directory)
        self._lock = threading.Lock()
        self.files: tuple[TailFile, ...] = ()
        """Exports that are not settled, oldest first."""
        self._next = 1

    def open(self, settled: int) -> None:
        """See what is there. `settled`: the number up to which rows are in the settled store.

        Raises `CorruptLog`, `OSError`.
        """
        for directory in (self.directory, self._guards):
            self._directories.ensure(directory)
            for name in self._disk.list(directory):
                if is_temporary(name):
                    self._disk.unlink(directory / name)
        # A file may have been seen under its name without being there for good; now it is.
        self._disk.sync_directory(self.directory)
        self._ensure_empty(self.directory / tail_name(0))
        self._renew_empty([self.path(0), *(self._guards / name for name in self._disk.list(self._guards))])
        numbers = tail_numbers(self._disk.list(self.directory))
        self.files = tuple(self._describe(number) for number in numbers if number > settled)
        self._next = max(numbers[-1], settled) + 1

    def committed(self, journal: str) -> int | None:
        """The last record of the journal in a file that is not settled."""
        return max((p.last for file in self.files for p in file.positions if p.journal == journal), default=None)

    def append(self, parts: Iterator[pa.Table], positions: Sequence[Position]) -> None:
        """Add one file. On return its rows can be read and are on the disk. Raises `OSError`: then try again."""
        path = self.path(self._next)
        write_whole(self._disk, path, lambda file: self._write(file, parts, positions))
        added = TailFile(self._next, path.stat().st_size, tuple(positions), SCHEMA_VERSION)
        with self._lock:
            self.files = (*self.files, added)
        self._next += 1

    def path(self, number: int) -> Path:
        """Where the file of that number is."""
        return self.directory / tail_name(number)

    def guard(self, number: int) -> Path:
        """The guard of readers whose tail begins after `number`; made if it is not there."""
        path = self._guards / tail_name(number)
        self._ensure_empty(path)
        return path

    def forget(self, settled: int) -> None:
        """Count files up to `settled` no longer. They stay on disk until `delete`."""
        with self._lock:
            self.files = tuple(file for file in self.files if file.number > settled)

    def covered(self, settled: int) -> bool:
        """Whether files up to `settled` are still on disk."""
        return any(0 < number <= settled for number in tail_numbers(self._disk.list(self.directory)))

    def delete(self, settled: int) -> int:
        """Delete the files up to `settled`, after the guards of those who may still read them. Gives how many."""
        for number in tail_numbers(self._disk.list(self._guards)):
            if number < settled:
                self._disk.unlink(self._guards / tail_name(number))
        # On the disk before the files go: after a power cut no guard may be there without what it guards.
        self._disk.sync_directory(self._guards)
        due = [n for n in tail_numbers(self._disk.list(self.directory)) if 0 < n <= settled]
        for number in due:
            self._disk.unlink(self.path(number))
        return len(due)

    def _write(self, file: BinaryIO, parts: Iterator[pa.Table], positions: Sequence[Position]) -> None:
        first = next(parts, self._table.stored_schema.empty_table())
        metadata = {_POSITIONS.decode(): orjson.dumps([list(p) for p in positions]).decode()}
        with open_writer(file, self._table, self._options, first, metadata) as writer:
            writer.write_table(first, row_group_size=self._options.row_group_rows)
            for rows in parts:
                writer.write_table(rows, row_group_size=self._options.row_group_rows)

    def _ensure_empty(self, path: Path) -> None:
        if not path.exists():
            write_whole(self._disk, path, lambda file: self._write(file, iter(()), ()))

    def _renew_empty(self, paths: Iterable[Path]) -> None:
        """Have the present schema in files without rows, as those of an earlier version lack columns."""
        for path in paths:
            if schema_version(path) != SCHEMA_VERSION:
                write_whole(self._disk, path, lambda file: self._write(file, iter(()), ()))

    def _describe(self, number: int) -> TailFile:
        path = self.path(number)
        try:
            metadata = pq.read_metadata(path).metadata or {}
            positions = tuple(Position(*p) for p in orjson.loads(metadata[_POSITIONS]))
        except (pa.ArrowException, KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise CorruptLog(
                f"{path}: not a file that this exporter wrote, or damaged: {error}; move it away"
            ) from error
        return TailFile(number, path.stat().st_size, positions, schema_version(path))
