"""What was acknowledged against what is stored, item by item."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from spanmill.exporters.duckdb.database import directory_of
from spanmill.query.source import stored_files
from spanmill.schema import TABLES, Table
from tests.delivery.crashes.ledger import load_ledger

_SHOWN = 5
_TWICE = {
    "spans": "span_id",
    "metrics": "format('{:016x}', value_int)",
    "logs": "body",
}
"""Where an item has its id for the second time: columns of different items must not get mixed."""


class End(NamedTuple):
    """When a run of the collector was cut short, seconds since 1970. Answers may be heard until it is over."""

    began: float
    over: float


def before_an_end(moment: float, ends: Sequence[End]) -> tuple[int, float] | None:
    """In which run (from 1) something happened, and how many seconds before its end; None for the last, uncut one."""
    for number, end in enumerate(ends, start=1):
        if moment <= end.over:
            return number, max(0.0, end.began - moment)
    return None


@dataclass(frozen=True, slots=True)
class Fault:
    """One item that is not where it must be, or is where it must not be."""

    kind: str
    """`lost`, `duplicated`, `unknown` (nobody sent it) or `damaged` (its columns are of different items)."""
    store: str
    table: str
    key: str
    acknowledged_at: float | None = None
    """Seconds since 1970; None if it never was."""
    detail: str = ""


@dataclass(slots=True)
class Verdict:
    """What an experiment came to."""

    acknowledged: int = 0
    """Items that were acknowledged, over all tables."""
    unacknowledged_stored: int = 0
    """Items that nobody was told about and that are stored nevertheless, as they may be; over all tables and stores."""
    resent: int = 0
    """Requests that took more than one attempt."""
    refusals: list[str] = field(default_factory=list)
    """What the collector said to those that it told never to come back. Nobody deserves that here."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def lost(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind == "lost"]

    @property
    def clean(self) -> bool:
        """Every acknowledged item is stored once everywhere, every other one once or not at all."""
        return self.acknowledged > 0 and not self.faults and not self.refusals

    def report(self, ends: Sequence[End] = ()) -> str:
        """For people. `ends`: of each run of the collector but the last."""
        lines = [
            f"{self.acknowledged} items acknowledged, {len(self.faults)} faults",
            f"{self.resent} requests sent again, {self.unacknowledged_stored} items stored that nobody was told about",
        ]
        lines += [f"refused for good: {refusal}" for refusal in self.refusals[:_SHOWN]]
        groups: dict[tuple[str, str, str], list[Fault]] = {}
        for fault in self.faults:
            groups.setdefault((fault.kind, fault.store, fault.table), []).append(fault)
        for (kind, store, table), faults in groups.items():
            lines.append(f"{kind}: {len(faults)} {table} in {store}, among them")
            # One of each request: its items share one fate.
            requests = {(fault.acknowledged_at, fault.detail): fault for fault in reversed(faults)}
            shown = sorted(requests.values(), key=lambda fault: fault.acknowledged_at or 0.0)[:_SHOWN]
            lines += [f"    {f.key} {f.detail} {_when(f.acknowledged_at, ends)}" for f in shown]
        return "\n".join(lines)


def _when(moment: float | None, ends: Sequence[End]) -> str:
    if moment is None:
        return "(never acknowledged)"
    place = before_an_end(moment, ends)
    if place is None:
        return "(acknowledged in the last run)"
    return f"(acknowledged {place[1] * 1000:.1f} ms before the end of run {place[0]})"


def judge(ledger: Path, parquet: Path, database: Path) -> Verdict:
    """Compare the ledger with a parquet exporter's directory and a duckdb exporter's database, while nobody writes."""
    with duckdb.connect() as connection:
        load_ledger(connection, ledger)
        verdict = _counted(connection)
        for table in TABLES.values():
            files = stored_files(parquet, table)
            connection.register("stored", _from_files(files, table))
            _compare(connection, "parquet", table, files, verdict)
            connection.register("stored", _from_database(database, table))
            _compare(connection, "duckdb", table, stored_files(directory_of(database), table), verdict)
        return verdict


def _counted(connection: Any) -> Verdict:
    acknowledged, resent = connection.execute("""
        SELECT coalesce(sum(count) FILTER (acknowledged_at IS NOT NULL), 0)::BIGINT, count(*) FILTER (attempts > 1)
        FROM requests""").fetchone()
    refusals = connection.execute("SELECT DISTINCT refused FROM requests WHERE refused IS NOT NULL").fetchall()
    return Verdict(acknowledged, 0, resent, [text for (text,) in refusals])


def _columns(table: Table) -> str:
    return f"attributes['id'] AS key, {_TWICE[table.name]} AS again"


def _from_files(files: Sequence[Path], table: Table) -> pa.Table:
    if not files:
        return pa.table({"key": pa.array([], pa.string()), "again": pa.array([], pa.string())})
    with duckdb.connect() as connection:
        return connection.sql(f"SELECT {_columns(table)} FROM {_read(files)}").to_arrow_table()


def _read(files: Sequence[Path]) -> str:
    return f"read_parquet({[str(file) for file in files]}, filename = true, union_by_name = true)"


def _from_database(path: Path, table: Table) -> pa.Table:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(f"SELECT {_columns(table)} FROM {table.name}").to_arrow_table()


def _compare(connection: Any, store: str, table: Table, files: Sequence[Path], verdict: Verdict) -> None:
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE wanted AS FROM expected WHERE "table" = '{table.name}'""")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE held AS SELECT key, count(*) AS rows, bool_and(again = key) AS whole "
        "FROM stored GROUP BY key"
    )
    (silent,) = connection.execute(
        "SELECT count(*) FROM held JOIN wanted USING (key) WHERE acknowledged_at IS NULL"
    ).fetchone()
    verdict.unacknowledged_stored += silent
    found = connection.execute("""
        SELECT 'lost', key, acknowledged_at, format('sent by {} in {} attempts', client, attempts)
        FROM wanted ANTI JOIN held USING (key) WHERE acknowledged_at IS NOT NULL
        UNION ALL
        SELECT 'duplicated', key, acknowledged_at, format('{} rows, sent by {} in {} attempts', rows, client, attempts)
        FROM held JOIN wanted USING (key) WHERE rows > 1
        UNION ALL
        SELECT 'damaged', key, NULL, '' FROM held WHERE NOT whole
        UNION ALL
        SELECT 'unknown', key, NULL, '' FROM held ANTI JOIN wanted USING (key)
        ORDER BY 1, 2""").fetchall()
    where = _places(files, [key for kind, key, *_ in found if kind != "lost"][:100])
    for kind, key, moment, detail in found:
        verdict.faults.append(Fault(kind, store, table.name, key, moment, " ".join([detail, *where.get(key, ())])))


def _places(files: Sequence[Path], keys: Sequence[str]) -> dict[str, list[str]]:
    """The files that hold the items; their names say which records of which journal they were made of."""
    if not keys:
        return {}
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT attributes['id'], list('in ' || parse_filename(filename)) FROM {_read(files)} "
            "WHERE attributes['id'] IN (SELECT unnest(?)) GROUP BY 1",
            [list(keys)],
        ).fetchall()
    return dict(rows)
