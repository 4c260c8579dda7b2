"""What a running collector stored, read back with DuckDB: as plain rows that can be compared."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]

_ENVELOPE = "service_name, scope_name, scope_version, resource_attributes, attributes"
_COLUMNS = {
    "spans": f"""
        trace_id, span_id, parent_span_id, trace_state, flags, name, kind, epoch_ns(start_time) AS start_time,
        epoch_ns(end_time) AS end_time, duration_ms, status_code, status_message, {_ENVELOPE},
        list_transform(
            events, lambda e: {{'time': epoch_ns(e.time), 'name': e.name, 'attributes': e.attributes}}
        ) AS events,
        links""",
    "metrics": f"""
        name, description, unit, type, temporality, is_monotonic, epoch_ns(start_time) AS start_time,
        epoch_ns(time) AS time, value, value_int, count, sum, min, max, explicit_bounds, bucket_counts, scale,
        zero_count, positive, negative, flags, {_ENVELOPE}""",
    "logs": f"""
        epoch_ns(time) AS time, epoch_ns(observed_time) AS observed_time, trace_id, span_id, flags, severity_number,
        severity_text, event_name, body, {_ENVELOPE}""",
}


def from_parquet(directory: Path) -> Callable[[str, str], list[Row]]:
    """Rows of a table that came from a service, out of the Parquet exporter's directory."""

    def read(table: str, service: str) -> list[Row]:
        files = [str(file) for file in directory.joinpath(table).rglob("*.parquet")]
        if not files:
            return []
        with duckdb.connect() as connection:
            return _rows(connection, f"read_parquet({files})", table, service)

    return read


def from_duckdb(path: Path) -> Callable[[str, str], list[Row]]:
    """The same, out of the DuckDB exporter's database, opened beside the running collector."""

    def read(table: str, service: str) -> list[Row]:
        if not path.exists():
            return []
        with duckdb.connect(str(path), read_only=True) as connection:
            return _rows(connection, table, table, service)

    return read


def _rows(connection: Any, source: str, table: str, service: str) -> list[Row]:
    query = f"SELECT {_COLUMNS[table]} FROM {source} WHERE service_name = ?"
    result = connection.execute(query, [service])
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def when(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something another process does has happened."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def differences(stored: Iterable[Row], sent: Iterable[Row]) -> list[str]:
    """What is not the same in the rows stored and the rows sent, whatever their order; empty when nothing is."""
    left, right = _in_order(stored), _in_order(sent)
    found = [] if len(left) == len(right) else [f"{len(left)} rows stored, {len(right)} rows sent"]
    for mine, theirs in zip(left, right, strict=False):
        found += [
            f"{theirs.get('name')}: {column}: stored {mine.get(column)!r}, sent {theirs.get(column)!r}"
            for column in mine.keys() | theirs.keys()
            if mine.get(column) != theirs.get(column)
        ]
    return found


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(
        rows, key=lambda row: [str(row.get(key)) for key in ("span_id", "name", "time", "start_time", "body")]
    )
