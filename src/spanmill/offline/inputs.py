"""Rows from files: a store of Spanmill, Parquet files, a DuckDB file, JSON lines; users' SQL over them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from spanmill.exporters.duckdb.catalogue import quoted, quoted_name
from spanmill.exporters.duckdb.database import directory_of
from spanmill.offline.mistakes import Mistake, unknown
from spanmill.query.session import open_session
from spanmill.schema import TABLES

JSON_LINES: Final = (".jsonl", ".ndjson")
_DUCKDB: Final = (".duckdb", ".db", ".ddb")
_NOTHING_ELSE: Final = "SET enable_external_access = false; SET lock_configuration = true"
_ROWS: Final = "rows_of_files"
_KINDS: Final = "a directory that a parquet or duckdb exporter writes, *.parquet, *.duckdb, or *.jsonl"


@dataclass(frozen=True, slots=True)
class Opened:
    """One input. Good for as long as `opened` has it open."""

    path: Path
    connection: Any
    table: str
    """The table of its rows, an SQL name."""
    columns: tuple[str, ...]
    tables: frozenset[str]
    """All that there are, if it is a store or a database."""

    @property
    def spans(self) -> bool:
        """Whether its rows are spans, as a store's are. Lines of JSON have not the types."""
        return {"trace_id", "span_id", "start_time"} <= set(self.columns) and self.path.suffix not in JSON_LINES

    def select(self, columns: str, where: str = "", rest: str = "") -> pa.Table:
        """Rows for which `where`, a user's SQL, is true. Raises `Mistake`."""
        with self._said():
            return self._relation(self.table, columns, where, rest).to_arrow_table()

    def reader(self, columns: str, where: str, rest: str, rows_at_once: int) -> Iterator[pa.RecordBatch]:
        """The same, some rows at a time."""
        with self._said():
            yield from self._relation(self.table, columns, where, rest).to_arrow_reader(rows_at_once)

    def other(self, table: str, columns: str, where: str, rest: str = "") -> pa.Table:
        """Rows of another table of a store."""
        with self._said():
            return self._relation(quoted_name(table), columns, where, rest).to_arrow_table()

    def _relation(self, table: str, columns: str, where: str, rest: str) -> Any:
        condition = f"WHERE ({_one_expression(where)}\n)" if where else ""
        return self.connection.sql(f"SELECT {columns} FROM {table} {condition} {rest}")  # noqa: S608 - the user's own

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            hint = f" Columns: {', '.join(self.columns)}." if "not found" in str(error) else ""
            raise Mistake(f"{self.path}: {_first_line(error)}{hint}") from None

    def column(self, name: str) -> str:
        """An SQL name of a column that must be there. Raises `Mistake`."""
        if name not in self.columns:
            raise unknown(self.path, "column", name, self.columns)
        return quoted_name(name)

    def optional(self, name: str, kind: str) -> str:
        """A column cast to an SQL type, or nulls where there is no such column."""
        return f"try_cast({quoted_name(name)} AS {kind})" if name in self.columns else f"CAST(NULL AS {kind})"


@contextmanager
def opened(path: Path, table: str) -> Iterator[Opened]:
    """`table`: which of a store's tables is meant, `spans` or `evaluations`. Raises `Mistake`."""
    store = _store(path)
    if store is not None:
        connection = open_session(store, progress=False)
    else:
        connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        if store is None:
            connection.execute("SET TimeZone = 'UTC'")
            _load(connection, path)
        tables = frozenset(
            name for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        )
        name = _ROWS if _ROWS in tables else table
        if name not in tables:
            raise unknown(path, "table", name, sorted(tables))
        columns = tuple(row[0] for row in connection.execute(f"DESCRIBE {quoted_name(name)}").fetchall())
        yield Opened(path, connection, quoted_name(name), columns, tables - {_ROWS})
    except duckdb.Error as error:
        raise Mistake(f"{path}: {_first_line(error)}") from None
    finally:
        connection.close()


def _store(path: Path) -> Path | None:
    """The directory of a store, if it is one."""
    if not path.exists() and not directory_of(path).is_dir():
        raise Mistake(f"{path}: there is no such file or directory; expected {_KINDS}")
    directory = path if path.is_dir() else directory_of(path)
    return directory if any((directory / table.name).is_dir() for table in TABLES.values()) else None


def _load(connection: Any, path: Path) -> None:
    """Makes the rows of files the view `_ROWS`; a database's tables are there as they are."""
    if path.suffix in JSON_LINES:
        connection.register(_ROWS, json_lines(path))
        connection.execute(_NOTHING_ELSE)
        return
    if path.suffix in _DUCKDB and path.is_file():
        # Its views may read Parquet files anywhere: files are not shut off here.
        connection.execute(f"ATTACH {quoted(path)} AS source (READ_ONLY); USE source")
        return
    files = _parquet_files(path)
    source = f"read_parquet([{', '.join(map(quoted, files))}], union_by_name = true, hive_partitioning = false)"
    connection.execute(f"SET allowed_paths = [{', '.join(map(quoted, files))}]")
    connection.execute(f"CREATE VIEW {_ROWS} AS SELECT * FROM {source}")  # noqa: S608 - all is quoted
    connection.execute(_NOTHING_ELSE)


def _parquet_files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        files = sorted(file.absolute() for file in path.rglob("*.parquet"))
        if not files:
            raise Mistake(f"{path}: there is no Parquet file in it; expected {_KINDS}")
        return files
    if path.suffix != ".parquet":
        raise Mistake(f"{path}: not a kind of file that is known; expected {_KINDS}")
    return [path.absolute()]


def json_lines(path: Path) -> pa.Table:
    """A file with an object in each line. A column is numbers, booleans or text as all of its values are; if they
    differ, or are lists and objects, they are JSON. Raises `Mistake`, with the line."""
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise Mistake(f"{path}:{number}: not JSON: {error.msg}; expected one object in each line") from None
            if not isinstance(row, dict):
                raise Mistake(f"{path}:{number}: not an object; expected one object in each line")
            rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names} or {"empty": pa.nulls(0)})


def _column(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = (value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values)
    return pa.array(list(texts), pa.string())


def _one_expression(sql: str) -> str:
    """The SQL, if it is one expression. Raises `Mistake`."""
    try:
        statements = duckdb.extract_statements(f"SELECT ({sql}\n)")
    except duckdb.Error as error:
        raise Mistake(f"--where: {_first_line(error)}") from None
    if len(statements) != 1:
        raise Mistake("--where: expected one condition such as status_code = 'error'")
    return sql


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip()
