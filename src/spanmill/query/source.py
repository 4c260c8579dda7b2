"""Where rows are stored, and in which files just now."""

import os
from collections.abc import Sequence
from pathlib import Path

from spanmill.config import read_configuration
from spanmill.disk import Disk
from spanmill.errors import SpanmillError
from spanmill.exporters.duckdb.database import directory_of
from spanmill.exporters.duckdb.live_table import SETTLED, TAIL_JOURNAL
from spanmill.exporters.duckdb.tail import TAIL, tail_name, tail_numbers
from spanmill.names import Kind
from spanmill.schema import Table
from spanmill.storage.commits import read_state
from spanmill.storage.parquet_file import SCHEMA_VERSION, schema_version

CONFIGURATIONS = ("config.yaml", "config.example.yaml")
"""Looked for in the working directory when nothing is said about where the rows are."""
DEFAULT_DIRECTORY = Path("data/parquet")


class NothingStored(SpanmillError):  # noqa: N818 - says what is the matter
    """There is no directory to query."""


def directory_to_query(directory: Path | None, sources: Sequence[str]) -> Path:
    """The directory asked for, or the one that the configuration writes: its first parquet, else duckdb, exporter.

    Raises `NothingStored`, `ConfigError`.
    """
    if directory is None:
        sources = sources or [name for name in CONFIGURATIONS if Path(name).is_file()][:1]
        directory = _configured(sources) if sources else DEFAULT_DIRECTORY
    if not directory.is_dir() and directory_of(directory).is_dir():
        directory = directory_of(directory)
    if not directory.is_dir():
        raise NothingStored(
            f"{directory}: there is no such directory; expected one that a parquet or duckdb exporter writes. "
            "Name it with --directory, or its configuration with --config"
        )
    return directory


def stored_files(directory: Path, table: Table) -> list[Path]:
    """The files that hold the table's rows, each row in one of them; none when nothing is stored yet.

    `directory`: of a parquet exporter, or `x.duckdb.d` of a duckdb exporter. Raises `CorruptLog`.
    """
    root = directory / table.name
    live = root / TAIL
    if not live.is_dir():
        return [root / path for path in read_state(root).files]
    settled = root / SETTLED
    state = read_state(settled)
    # Read before the tail is listed: what is settled in between is then read from the tail, where it stays for a while.
    covered = state.positions.get(TAIL_JOURNAL, 0)
    tail = [live / tail_name(number) for number in tail_numbers(Disk().list(live)) if number > covered]
    return [*(settled / path for path in state.files), *tail]


def holds_older_versions(directory: Path, table: Table) -> bool:
    """Whether some of these files may lack columns, because an earlier version wrote them."""
    root = directory / table.name
    live = root / TAIL
    if not live.is_dir():
        return _has_older(root)
    # The tail is written in order: no file is older than its first.
    first = next((number for number in tail_numbers(Disk().list(live)) if number), None)
    older_tail = first is not None and schema_version(live / tail_name(first)) != SCHEMA_VERSION
    return older_tail or _has_older(root / SETTLED)


def _has_older(store: Path) -> bool:
    return any(file.schema != SCHEMA_VERSION for file in read_state(store).files.values())


def _configured(sources: Sequence[str]) -> Path:
    exporters = read_configuration(list(sources), (), os.environ).components(Kind.EXPORTERS)
    for kind, key in (("parquet", "directory"), ("duckdb", "path")):
        for component, config in exporters.items():
            if component.type == kind:
                return Path(getattr(config, key))
    raise NothingStored(f"{', '.join(sources)}: no parquet or duckdb exporter; name a directory with --directory")
