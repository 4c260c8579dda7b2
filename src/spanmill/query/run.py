"""One query from beginning to end: open, ask, write, or say what was wrong."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb

from spanmill.errors import SpanmillError
from spanmill.exit_codes import ExitCode
from spanmill.query.output import write_csv, write_json, write_table
from spanmill.query.session import open_session
from spanmill.query.source import NothingStored, directory_to_query
from spanmill.schema import DERIVED, TABLES
from spanmill.storage.commits import CorruptLog

_ROWS_AT_ONCE = 1_000


class Output(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class QueryError(SpanmillError):
    """The SQL cannot be run. The text says where and what there is instead."""


def run_query(
    sql: str,
    directory: Path | None = None,
    output: Output = Output.TABLE,
    *,
    sources: Sequence[str] = (),
    limit: int | None = None,
) -> int:
    """Run SQL over the stored rows and write the result to standard output; gives the exit code.

    `sources`: configurations, as of `--config`, that say where the rows are when `directory` does not.
    What the user can put right is said on standard error. Raises `ConfigError`.
    """
    try:
        _run(sql, directory_to_query(directory, sources), output, limit)
    except (QueryError, NothingStored, CorruptLog) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    except BrokenPipeError:  # `spanmill query ... | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - so that the interpreter's last flush finds a reader
    return ExitCode.OK


def _run(sql: str, directory: Path, output: Output, limit: int | None) -> None:
    on_terminal = sys.stdout.isatty()
    with open_session(directory, progress=on_terminal) as connection:
        try:
            relation = connection.sql(sql)
            if relation is None:  # a statement without a result
                return
            result = relation.to_arrow_reader(_ROWS_AT_ONCE)
            if output is Output.TABLE:
                write_table(result, limit, shutil.get_terminal_size().columns if on_terminal else None)
            else:
                (write_csv if output is Output.CSV else write_json)(result, limit, sys.stdout)
        except duckdb.Error as error:
            raise QueryError(explain(_with_position(connection, sql, str(error)), sql)) from None


def _with_position(connection: Any, sql: str, message: str) -> str:
    """DuckDB leaves out where the mistake is when a result is asked for as Arrow data; without that it says so."""
    if "LINE " not in message:
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            return str(error)
    return message


def explain(message: str, sql: str) -> str:
    """DuckDB's message, which points into the SQL, and the columns that there are when one was not found."""
    lines = [message]
    if "not found" in message or "does not have a column" in message:
        used = {name: columns for name, columns in _columns().items() if re.search(rf"\b{name}\b", sql, re.IGNORECASE)}
        lines += [f"Columns of {name}: {', '.join(columns)}." for name, columns in used.items()]
    elif "with name" in message and "does not exist" in message:
        lines.append(f"Tables: {', '.join(sorted(_columns()))}.")
    elif "file system operations are disabled" in message:
        lines.append("A query reads the stored tables only; it opens no other file and writes none.")
    return "\n".join(lines)


def _columns() -> dict[str, list[str]]:
    """The columns of each table that a query may name."""
    tables = {table.name: table.schema.names for table in TABLES.values()}
    return tables | {derived.name: list(derived.columns) for derived in DERIVED}
