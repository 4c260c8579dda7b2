"""A DuckDB in memory that can read the stored rows and touch nothing else."""

from pathlib import Path
from typing import Any

import duckdb

from spanmill.exporters.duckdb.catalogue import Snapshot, derived_sql, quoted, quoted_name, read_files
from spanmill.query.source import holds_older_versions, stored_files
from spanmill.schema import DERIVED, TABLES, Table


def open_session(directory: Path, *, progress: bool) -> Any:
    """A connection with the tables as views over exactly the files that count now.

    No other file can be read or written, nothing can be attached or installed, and no statement can change that.
    Times are UTC. `progress`: draw a progress bar when a query takes longer than a second.
    """
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    if progress:
        connection.execute("SET enable_progress_bar = true; SET progress_bar_time = 1000")
    connection.execute(f"SET allowed_directories = [{quoted(str(directory.absolute()) + '/')}]")
    for table in TABLES.values():
        connection.register(f"no_{table.name}", table.schema.empty_table())
        connection.execute(f"CREATE VIEW {quoted_name(table.name)} AS {_view(directory, table)}")
    for derived in DERIVED:
        sql = derived_sql(derived, quoted_name(derived.of.name))
        connection.execute(f"CREATE VIEW {quoted_name(derived.name)} AS {sql}")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _view(directory: Path, table: Table) -> str:
    columns = ", ".join(quoted_name(name) for name in table.schema.names)
    files = [path.absolute() for path in stored_files(directory, table)]
    if holds_older_versions(directory, table):
        return Snapshot(table, files).sql()
    source = read_files(files) if files else quoted_name(f"no_{table.name}")
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - all is quoted
