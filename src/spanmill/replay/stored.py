"""Stored rows as a source: Parquet files, of a store or by themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spanmill.batch import Batch
from spanmill.query.source import stored_files
from spanmill.replay.options import ReplayError, Selection
from spanmill.replay.piece import Piece
from spanmill.schema import TABLES, Table
from spanmill.signal import Signal


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One Parquet file."""

    path: Path
    signal: Signal


class StoredFiles:
    """Parquet files, a piece for each row group. Implements `Source`."""

    letters = False
    journal = False

    def __init__(self, files: Sequence[StoredFile]) -> None:
        self._files = files

    def pieces(self, selection: Selection) -> Iterator[Piece]:
        timed = selection.since is not None or selection.until is not None
        for file in self._files:
            if file.signal not in selection.signals:
                continue
            metadata = _metadata(file.path)
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group).num_rows
                load = partial(_load, file, group, selection)
                if rows:
                    yield Piece(f"{file.path} row group {group}", file.signal, rows, load, exact=not timed)


def files_of_store(directory: Path) -> list[StoredFile]:
    """The files that count in what a parquet exporter, or a duckdb exporter (`x.duckdb.d`), writes."""
    return [StoredFile(path, signal) for signal, table in TABLES.items() for path in stored_files(directory, table)]


def single_file(path: Path) -> StoredFile:
    """A file by itself. Raises `ReplayError` when it is not one that Spanmill wrote."""
    metadata = _metadata(path)
    name = (metadata.metadata or {}).get(b"spanmill.table", b"").decode(errors="replace")
    columns = set(metadata.schema.to_arrow_schema().names)
    for signal, table in TABLES.items():
        if table.name == name or (not name and columns >= _first_columns(table)):
            return StoredFile(path, signal)
    raise ReplayError(f"{path}: not a file of spans, logs or metrics that Spanmill wrote")


def _first_columns(table: Table) -> set[str]:
    """The columns by which a file is known whose metadata somebody has dropped."""
    return {column.name for column in table.columns if column.compute is not None}


def _metadata(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except pa.ArrowInvalid:
        raise ReplayError(f"{path}: not a Parquet file, or damaged") from None
    except FileNotFoundError:
        raise ReplayError(f"{path}: the file is gone; it was put together with others meanwhile. Start again") from None


def _load(file: StoredFile, group: int, selection: Selection) -> Batch:
    table = TABLES[file.signal]
    with pq.ParquetFile(file.path, memory_map=False) as parquet:
        kept = _selected(parquet.read_row_group(group, [table.time_column], use_threads=False), selection)
        if kept is None:
            rows = parquet.read_row_group(group, use_threads=False)
        elif pc.any(kept).as_py():
            rows = parquet.read_row_group(group, use_threads=False).filter(kept)
        else:
            rows = table.stored_schema.empty_table()
    try:
        return Batch(file.signal, table.records(rows))
    except ValueError as error:
        raise ReplayError(f"its column otlp is damaged: {error}") from None


def _selected(rows: pa.Table, selection: Selection) -> pa.ChunkedArray | None:
    """Which rows are within the bounds of time; None when there are none. A row without a time is outside."""
    kept = None
    for bound, keeps in ((selection.since, pc.greater_equal), (selection.until, pc.less)):
        if bound is not None:
            edge = pa.scalar(round(bound * 1e9), pa.int64()).cast(pa.timestamp("ns"))
            within = keeps(rows.column(0), edge)
            kept = within if kept is None else pc.and_(kept, within)
    return kept
