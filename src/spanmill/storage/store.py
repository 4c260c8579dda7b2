"""A store: one table's directory of Hive-partitioned Parquet files under a commit log.

    spans/date=2025-01-31/hour=13/part-<journal>-<first>-<last>.parquet    as they came
    spans/date=2025-01-31/hour=13/merged-<inputs>.parquet                  put together later
    spans/_commits/000000000042.json                                       which of them count

A batch is in the store from the moment its commit record has its name on disk, with every file of it, and not before.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from spanmill.component import Position
from spanmill.disk import Directories, Disk, is_temporary, walk
from spanmill.schema import Table
from spanmill.storage.commits import DIRECTORY, Commit, CommitLog, DataFile, InDoubt, Span, State
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.writer import PartitionedWriter

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Store:
    """The writing side: one for each directory, under the lock that `lock.py` takes. Safe for several threads."""

    def __init__(
        self, directory: Path, table: Table, options: FileOptions, clock: Callable[[], float], disk: Disk | None = None
    ) -> None:
        self.directory, self.table, self.options = directory, table, options
        self._clock = clock
        self._disk = disk or Disk()
        self._directories = Directories(self._disk, directory)
        self._log = CommitLog(directory, self._disk)
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """What the store is made of now. Immutable."""
        return self._log.state

    def open(self) -> None:
        """Read the log and remove every file that it does not name: what a crash left half done.

        Raises `CorruptLog`, `OSError`.
        """
        self._directories.ensure(self.directory)
        self._log.open()
        self._log.tidy()
        for path in walk(self._disk, self.directory):
            name = path.relative_to(self.directory).as_posix()
            if name.startswith(f"{DIRECTORY}/"):
                continue
            if is_temporary(path.name) or (path.suffix == ".parquet" and not self._names(name)):
                self._disk.unlink(path)

    def committed(self, journal: str) -> int | None:
        """The last record of the journal whose rows are in the store."""
        return self.state.positions.get(journal)

    def append(self, parts: Iterable[pa.Table], *positions: Position) -> None:
        """Add rows that the records in `positions` hold. On return they are on the disk, and never twice.

        `parts` are worked on one after the other; each becomes a row group. Records that are held already are not
        added again. Raises `OSError`: nothing was added.
        """
        if not new_positions(self.committed, positions):
            return
        spans = {p.journal: Span(p.first, p.last) for p in positions}
        self.rewrite(parts, file_name("part", positions), positions=spans)

    def rewrite(
        self,
        parts: Iterable[pa.Table],
        name: str,
        *,
        removed: Sequence[DataFile] = (),
        positions: dict[str, Span] | None = None,
    ) -> None:
        """Add rows as `<partition>/<name>` and take files away, in one step. Raises `OSError`: nothing has changed."""
        writer = PartitionedWriter(self._disk, self._directories, self.directory, self.table, self.options, name)
        try:
            for rows in parts:
                writer.write(rows)
            now = self._clock()
            added = tuple(writer.finish(now))
            gone = tuple(file.path for file in removed)
            self._commit(Commit(added, gone, positions=positions or {}, time=now))
        except InDoubt:
            raise
        except BaseException:
            writer.abort()
            raise

    def remove(self, files: Sequence[DataFile]) -> None:
        """Take files away. They stay on disk until `delete_removed`."""
        if files:
            self._commit(Commit(removed=tuple(file.path for file in files), time=self._clock()))

    def delete_removed(self, grace_seconds: float) -> int:
        """Delete the files that were taken away so long ago, and partitions left empty. Gives how many."""
        due = [path for path, since in self.state.removed.items() if since + grace_seconds <= self._clock()]
        for path in due:
            self._disk.unlink(self.directory / path)
            for parent in (self.directory / path).parents[:2]:
                self._directories.remove(parent)
        if due:
            self._commit(Commit(deleted=tuple(due), time=self._clock()))
        return len(due)

    def _commit(self, commit: Commit) -> None:
        with self._lock:
            self._log.append(commit)
            self._log.checkpoint_if_due()

    def _names(self, path: str) -> bool:
        return path in self.state.files or path in self.state.removed


def new_positions(committed: Callable[[str], int | None], positions: Sequence[Position]) -> bool:
    """Whether the records are all new; False when all are held already. Raises `ValueError` for some of each."""
    held = [committed(p.journal) for p in positions]
    if all(last is not None and p.last <= last for p, last in zip(positions, held, strict=True)):
        return False
    if any(last is not None and p.first <= last for p, last in zip(positions, held, strict=True)):
        raise ValueError(f"records {positions} overlap what the store holds, up to {held}")
    return True


def file_name(kind: str, positions: Sequence[Position]) -> str:
    """`<kind>-<journal>-<first>-<last>.parquet`: the same records always have the same name."""
    journal, first, last = positions[0]
    if not _PLAIN.fullmatch(journal):
        journal = hashlib.sha256(journal.encode()).hexdigest()[:16]
    return f"{kind}-{journal}-{first:012d}-{last:012d}.parquet"
