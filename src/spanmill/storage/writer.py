"""Rows to files, one for each partition they fall into, all or none of them."""

from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.disk import Directories, Disk, temporary
from spanmill.schema import Table
from spanmill.storage.commits import DataFile
from spanmill.storage.parquet_file import SCHEMA_VERSION, FileOptions, open_writer
from spanmill.storage.partitions import Hour, by_hour, directory_of

MOST_PARTITIONS = 48
"""Files written at once. Rows of further hours go where rows without a time go: a sender with a wild clock must not
cost a synced file for each of its rows."""


class PartitionedWriter:
    """Writes `<partition>/<name>` for each partition. Use it once: `write`..., then `finish` or `abort`."""

    def __init__(
        self, disk: Disk, directories: Directories, root: Path, table: Table, options: FileOptions, name: str
    ) -> None:
        self._directories = directories
        self._disk, self._root, self._table, self._options, self._name = disk, root, table, options, name
        self._files: dict[Hour, _PartitionFile] = {}
        self._finished: list[_PartitionFile] = []

    def write(self, rows: pa.Table) -> None:
        """Add rows: a row group in the file of each partition they belong to."""
        for hour, part in by_hour(rows, self._table.time_column):
            scattered = hour not in self._files and len(self._files) >= MOST_PARTITIONS
            self._file(None if scattered else hour, part).write(part)

    def finish(self, written: float) -> list[DataFile]:
        """Put every file on the disk under its name. `written`: the time now, seconds since 1970."""
        for file in self._files.values():
            file.close()
        for file in self._files.values():
            self._finished.append(file)
            self._disk.rename(temporary(file.path), file.path)
        for directory in {file.path.parent for file in self._files.values()}:
            self._disk.sync_directory(directory)
        return [file.describe(self._root, written) for file in self._files.values()]

    def abort(self) -> None:
        """Remove what was written, as far as the disk allows; what stays is removed when the store is next opened."""
        for file in self._files.values():
            file.abandon()
        for file in self._files.values():
            with suppress(OSError):
                self._disk.unlink(temporary(file.path))
        for file in self._finished:
            with suppress(OSError):
                self._disk.unlink(file.path)

    def _file(self, hour: Hour, first: pa.Table) -> "_PartitionFile":
        file = self._files.get(hour)
        if file is None:
            path = self._root / directory_of(hour) / self._name
            self._directories.ensure(path.parent)
            file = self._files[hour] = _PartitionFile(self._disk, path, self._table, self._options, first)
        return file


class _PartitionFile:
    def __init__(self, disk: Disk, path: Path, table: Table, options: FileOptions, first: pa.Table) -> None:
        self.path = path
        self._disk, self._time_column = disk, table.time_column
        self._rows, self._bytes = 0, 0
        self._min: int | None = None
        self._max: int | None = None
        self._file: BinaryIO = disk.create(temporary(path))
        self._writer: Any = None
        try:
            self._writer = open_writer(self._file, table, options, first, {})
        except BaseException:
            self.abandon()
            raise
        self._row_group_rows = options.row_group_rows

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows, row_group_size=self._row_group_rows)
        self._rows += len(rows)
        times = pc.min_max(rows.column(self._time_column).cast(pa.int64())).as_py()
        if times["min"] is not None:
            self._min = times["min"] if self._min is None else min(self._min, times["min"])
            self._max = times["max"] if self._max is None else max(self._max, times["max"])

    def close(self) -> None:
        self._writer.close()
        self._disk.sync(self._file)
        self._bytes = self._file.tell()
        self._file.close()

    def abandon(self) -> None:
        """Close it, whatever state it is in. Its temporary file stays."""
        with suppress(Exception):  # closing writes the footer, which may fail as the writing did
            if self._writer is not None:
                self._writer.close()
        with suppress(OSError):
            self._file.close()

    def describe(self, root: Path, written: float) -> DataFile:
        relative = self.path.relative_to(root).as_posix()
        return DataFile(relative, self._rows, self._bytes, self._min, self._max, written, SCHEMA_VERSION)
