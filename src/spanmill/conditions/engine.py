"""The DuckDB that parses and runs conditions: in memory, without files, network, extensions or settings.

One database for the process and a connection for each thread: a connection is not to be used by two at once.
"""

import json
import threading
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # the calling thread; also keeps rows in their order
    "memory_limit": "512MB",
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    # It works out what several expressions share before them, and so outside of a TRY around each.
    "disabled_optimizers": "common_subexpressions",
}
_MACROS = frozenset({"nullif", "split_part", "if", "fmod", "fdiv", "date_add", "days_in_month", "map_contains_value"})
"""Functions that DuckDB defines by SQL and that are about their arguments only; and those named `list_`, `array_`."""

RANDOM = frozenset({"reservoir_quantile"})
"""Aggregates that draw a sample."""

_thread = threading.local()


@cache
def _database() -> Any:
    database = duckdb.connect(":memory:", config=_CONFIG)
    database.execute("SET lock_configuration = true")
    return database


def connection() -> Any:
    """The connection of this thread."""
    held = getattr(_thread, "connection", None)
    if held is None:
        held = _thread.connection = _database().cursor()
    return held


def parse(sql: str) -> dict[str, Any]:
    """The syntax tree of statements as DuckDB's JSON: `{"error": ..., "statements": [{"node": ...}]}`."""
    row = connection().execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0]
    tree: dict[str, Any] = json.loads(row[0])
    return tree


def unparse(tree: dict[str, Any]) -> str:
    """The SQL of a syntax tree."""
    return str(connection().execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()[0][0])


def run(sql: str, table: str, rows: pa.Table) -> pa.ChunkedArray:
    """The only column of a query over `rows`, which it calls `table`; in their order. Raises `duckdb.Error`."""
    here = connection()
    here.register(table, rows)
    try:
        return here.sql(sql).to_arrow_table().column(0)
    finally:
        here.unregister(table)


def truths(sql: str, table: str, rows: pa.Table) -> np.ndarray:
    """Where the only column of a query, a boolean, is true. The cheapest way out of DuckDB for a column of booleans."""
    here = connection()
    here.register(table, rows)
    try:
        (column,) = here.execute(sql).fetchnumpy().values()
    finally:
        here.unregister(table)
    return np.ma.filled(column, False).astype(bool)


def columns(sql: str, table: str, rows: pa.Table) -> dict[str, np.ndarray]:
    """All columns of a query, which must be of numbers and booleans without nulls. Raises `duckdb.Error`."""
    here = connection()
    here.register(table, rows)
    try:
        found: dict[str, np.ndarray] = here.execute(sql).fetchnumpy()
    finally:
        here.unregister(table)
    return {name: np.ma.getdata(values) for name, values in found.items()}


@cache
def aggregates() -> frozenset[str]:
    """The functions that give one value from those of many rows, and the same one every time."""
    rows = connection().execute("SELECT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'")
    return frozenset(row[0] for row in rows.fetchall()) - RANDOM


@cache
def functions() -> frozenset[str]:
    """The functions that give one row's value from that row's values, and the same one every time."""
    rows = connection().execute(
        "SELECT DISTINCT function_name FROM duckdb_functions()"
        " WHERE function_type = 'scalar' AND stability = 'CONSISTENT'"
        " OR function_type = 'macro' AND regexp_matches(function_name, '^(list|array)_')"
    )
    return frozenset(row[0] for row in rows.fetchall()) | _MACROS
