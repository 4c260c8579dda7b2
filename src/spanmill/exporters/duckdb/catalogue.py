"""The DuckDB file that users open: views over Parquet files, and nothing else.

DuckDB locks a file against every other process while one has it open to write. So nobody writes to this one: a new
catalogue is built beside it and takes its name in one step. Whoever has the old one open keeps it, and it stays right:

    spans = the settled files, named one by one
            union all  every file of the tail whose name comes after the last settled one
            union all  the guard, which has no rows

An export is in the tail as soon as its file has its name, so that an open connection sees it at the next query. When
files of the tail are settled, the next catalogue names the settled file and begins its tail later; the old one goes on
with the tail's files, which stay for a while. When they go, the guard goes first: the old catalogue then answers with
an error, never with rows missing. The guard comes last, because DuckDB looks for files in the order of the query.

Whoever opens the file opens it twice: DuckDB reads the headers, closes it, and opens it again for the rest. Another
catalogue may have taken its name between. So the headers of all catalogues are the same, byte for byte: each is filled
up with a comment until its last part lies in the last place but one of a block of 256 KiB. Only a catalogue that needs
one block more than the one before, once in some thousand settled files, has other headers.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from spanmill.disk import Disk, temporary
from spanmill.schema import DERIVED, Derived, Table

_STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that shall be able to open a catalogue."""

_PART_BYTES = 4096 - 8
"""What DuckDB puts of a catalogue into one part of a block; the other 8 bytes say where it goes on."""
_PARTS = 64
"""Parts in a block."""
_FREE_PARTS = 1
"""Parts that are left over in the last block of every catalogue."""
_ATTEMPTS = 4
"""Two are usual, three where the length of the filling takes a byte more."""


@dataclass(frozen=True, slots=True)
class View:
    """What one view reads. All paths are absolute."""

    table: Table
    settled: Sequence[Path]
    tail: Path
    """Directory of the tail."""
    after: Path
    """The last settled file of the tail: the view reads those whose name comes after it."""
    guard: Path
    mixed: bool = False
    """Whether settled files are of different versions of the schema."""
    tail_mixed: bool = False
    """Whether files of the tail are of different versions."""
    empty: Path | None = None
    """A file without rows of the present schema."""

    def sql(self) -> str:
        """The view's query."""
        columns = ", ".join(quoted_name(name) for name in self.table.schema.names)
        by_name = ", union_by_name = true" if self.tail_mixed else ""
        tail = f"read_parquet({quoted(self.tail / '*.parquet')}, filename = true{by_name})"
        parts = [f"{tail} WHERE filename > {quoted(self.after)}", f"read_parquet({quoted(self.guard)})"]
        if self.settled:
            parts.insert(0, read_files(self.settled, self.empty if self.mixed else None))
        return " UNION ALL ".join(f"SELECT {columns} FROM {part}" for part in parts)  # noqa: S608 - all is quoted


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A view of exactly these files, which stay as they are."""

    table: Table
    files: Sequence[Path]

    def sql(self) -> str:
        """The view's query. Columns that a file lacks, as those of earlier versions do, are null."""
        nothing = ", ".join(f"NULL::{kind} AS {quoted_name(name)}" for name, kind in _sql_types(self.table))
        sql = f"SELECT {nothing} WHERE false"
        if self.files:
            rows = f"{read_files(self.files)[:-1]}, union_by_name = true)"
            columns = ", ".join(quoted_name(name) for name in self.table.schema.names)
            sql = f"SELECT {columns} FROM ({sql} UNION ALL BY NAME FROM {rows})"  # noqa: S608 - all is quoted
        return sql


class Viewed(Protocol):
    """What a catalogue's view is made of."""

    @property
    def table(self) -> Table: ...

    def sql(self) -> str: ...


def derived_sql(derived: Derived, source: str) -> str:
    """The query of a view that takes its rows from `source`: the name of a table, or a query in brackets."""
    columns = ", ".join(f"{quoted_name(held)} AS {quoted_name(name)}" for name, held in derived.columns.items())
    chosen = f"{quoted_name(derived.where_set)} IS NOT NULL"
    return f"SELECT {columns} FROM {source} WHERE {chosen}"  # noqa: S608 - all is quoted


def read_files(paths: Iterable[Path], empty: Path | None = None) -> str:
    """A table function call over exactly these files; with `empty`, a file of the present schema, also older ones."""
    if empty is not None:
        paths = [empty, *paths]
    by_name = ", union_by_name = true" if empty is not None else ""
    return f"read_parquet([{', '.join(quoted(path) for path in paths)}], hive_partitioning = false{by_name})"


def publish(disk: Disk, path: Path, views: Sequence[Viewed]) -> None:
    """Put a new catalogue in the place of the one at `path`. Raises `OSError`: then the old one is still there."""
    unfinished = temporary(path)
    disk.unlink(unfinished)
    disk.unlink(unfinished.with_name(unfinished.name + ".wal"))
    try:
        _build(unfinished, views)
        with unfinished.open("rb+") as file:
            disk.sync(file)
        disk.rename(unfinished, path)
    except duckdb.Error as error:
        raise OSError(f"the catalogue {path} was not written: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    disk.sync_directory(path.parent)


def _sql_types(table: Table) -> list[tuple[str, str]]:
    """DuckDB's type of each column."""
    with duckdb.connect() as connection:
        relation = connection.from_arrow(table.schema.empty_table())
        return list(zip(relation.columns, map(str, relation.types), strict=True))


def foreign_tables(path: Path) -> list[str]:
    """Tables in the file that is at `path`: a catalogue has none, and putting one there would destroy them.

    Raises `duckdb.Error` when it is not a DuckDB file, or is locked.
    """
    if not path.exists():
        return []
    with duckdb.connect(str(path), read_only=True) as connection:
        return [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]


def quoted(text: object) -> str:
    """An SQL text literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _build(path: Path, views: Sequence[Viewed]) -> None:
    """Write the catalogue, and again with what it takes to fill it up.

    One that does not come out right soon is good enough: its headers matter only to who opens it at that moment.
    """
    filling = 2 * _PART_BYTES
    for _ in range(_ATTEMPTS):
        path.unlink(missing_ok=True)
        lacking = _write(path, views, filling)
        if lacking == 0:
            return
        filling += lacking * _PART_BYTES if lacking > 0 else -_PART_BYTES // 2


def _create(connection: Any, name: str, sql: str, docs: Mapping[str, str]) -> None:
    """Create one view and say what its columns are."""
    view = f"catalogue.main.{quoted_name(name)}"
    connection.execute(f"CREATE VIEW {view} AS {sql}")
    for column, doc in docs.items():
        connection.execute(f"COMMENT ON COLUMN {view}.{quoted_name(column)} IS {quoted(doc)}")


def _write(path: Path, views: Iterable[Viewed], filling: int) -> int:
    """Write a catalogue with so many bytes of filling. Gives the number of parts to add until it is full.

    It is -1 if the filling's own length, whose size varies, was the byte too many.
    """
    config: dict[str, Any] = {"threads": 1, "autoload_known_extensions": False, "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as connection:
        connection.execute(f"ATTACH {quoted(path)} AS catalogue (STORAGE_VERSION {quoted(_STORAGE_VERSION)})")
        connection.execute("BEGIN")
        for view in views:
            sql = view.sql()
            _create(connection, view.table.name, sql, {column.name: column.doc for column in view.table.columns})
            for derived in (derived for derived in DERIVED if derived.of is view.table):
                # Not by the other view's name, which a catalogue that is attached to another does not find.
                _create(connection, derived.name, derived_sql(derived, f"({sql})"), derived.docs())
        connection.execute("CREATE MACRO catalogue.main.spanmill_filling() AS NULL")
        connection.execute(f"COMMENT ON MACRO catalogue.main.spanmill_filling IS {quoted('.' * filling)}")
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT catalogue")
        free = connection.execute("SELECT sum(free_blocks) FROM pragma_metadata_info('catalogue')").fetchall()[0][0]
        connection.execute("DETACH catalogue")
    return (int(free) - _FREE_PARTS + 1) % _PARTS - 1
