"""Small files put together: which ones, and how, holding one row group in memory at a time."""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from spanmill.schema import Table
from spanmill.schema.table import conform
from spanmill.storage.commits import DataFile, State
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.partitions import Hour, hour_of

_SECONDS_PER_HOUR = 3_600


class Interrupted(Exception):  # noqa: N818 - not an error
    """The daemon stops; what was begun is undone."""


def partitions(state: State) -> dict[str, list[DataFile]]:
    """The files of each partition, by its directory."""
    found = defaultdict(list)
    for file in state.files.values():
        found[file.path.rpartition("/")[0]].append(file)
    return dict(found)


def choose(state: State, now: float, *, min_files: int, target_bytes: int) -> list[list[DataFile]]:
    """Groups of files to put together: of hours that are over, small ones, each group about `target_bytes`."""
    groups = []
    for directory, files in partitions(state).items():
        small = [file for file in files if file.bytes < target_bytes // 2]
        if len(small) >= min_files and is_over(hour_of(directory), now):
            groups += [group for group in _by_size(small, target_bytes) if len(group) > 1]
    return groups


def expired(state: State, before: float) -> list[DataFile]:
    """The files of partitions whose newest row is older than `before` (seconds since 1970).

    A row without a time is as old as its file.
    """
    found = []
    for files in partitions(state).values():
        if all(_newest(file) < before for file in files):
            found += files
    return found


def is_over(hour: Hour, now: float) -> bool:
    """Whether rows of that hour can only come late. Rows without a time are always late."""
    return hour is None or (hour + 1) * _SECONDS_PER_HOUR <= now


def merged_name(files: Sequence[DataFile]) -> str:
    """The same inputs always have the same output, so that a merge that is tried again overwrites its first attempt."""
    digest = hashlib.sha256("\n".join(file.path for file in files).encode()).hexdigest()
    return f"merged-{digest[:24]}.parquet"


def read_row_groups(
    paths: Iterable[Path], table: Table, options: FileOptions, stop: threading.Event
) -> Iterator[pa.Table]:
    """The rows of the files in order, in parts about as large as a row group.

    Raises `Interrupted` when `stop` is set.
    """
    held: list[pa.Table] = []
    rows = nbytes = 0
    for part in _row_groups(paths, table, stop):
        if rows and (rows + len(part) > options.row_group_rows or nbytes + part.nbytes > options.row_group_bytes):
            yield pa.concat_tables(held)
            held, rows, nbytes = [], 0, 0
        held.append(part)
        rows, nbytes = rows + len(part), nbytes + part.nbytes
    if rows:
        yield pa.concat_tables(held)


def _row_groups(paths: Iterable[Path], table: Table, stop: threading.Event) -> Iterator[pa.Table]:
    for path in paths:
        with pq.ParquetFile(path, memory_map=False) as file:
            for index in range(file.num_row_groups):
                if stop.is_set():
                    raise Interrupted
                yield conform(file.read_row_group(index, use_threads=False), table.stored_schema)


def _by_size(files: Iterable[DataFile], target_bytes: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    size = 0
    for file in files:
        if group and size + file.bytes > target_bytes:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.bytes
    if group:
        yield group


def _newest(file: DataFile) -> float:
    return file.written if file.max_time is None else file.max_time / 1e9
