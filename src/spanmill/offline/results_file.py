"""The file that `evaluate` writes: whole at every moment, and continued when it is there already.

Verdicts go to a file beside it first, `.NAME.partial`, a line each as soon as it is there. At the end, also when it
comes early, old and new are put together and take the name in one step. What a crash left beside is read at the next
start. The run that writes holds a lock on it, so that two do not write one output.
"""

import fcntl
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from spanmill.disk import temporary
from spanmill.offline.inputs import JSON_LINES, json_lines
from spanmill.offline.mistakes import Mistake, writable
from spanmill.offline.results import SCHEMA, SCORED
from spanmill.query.values import plain_values

Verdict = Mapping[str, Any]
"""A row, by columns of `results.SCHEMA`: the time as ISO 8601 text, money as a float."""
_SUFFIXES: Final = (*JSON_LINES, ".parquet")


class ResultsFile:
    """A context manager: its beginning reads what is there, at its end the file is written, whatever happened."""

    def __init__(self, path: Path) -> None:
        """Raises `Mistake`."""
        if path.suffix not in _SUFFIXES:
            raise Mistake(f"{path}: expected a name that ends in {' or '.join(_SUFFIXES)}")
        self._path = writable(path)
        self._partial = path.with_name(f".{path.name}.partial")
        self._rows: dict[tuple[str, str], Verdict] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Raises `Mistake` and `OSError`."""
        self._file = self._locked()
        try:
            for row in [*_read(self._path), *_unfinished(self._partial)]:
                self._keep(row)
        except BaseException:
            with self._file:
                if not self._partial.stat().st_size:
                    self._partial.unlink()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._file is not None
        with self._file:  # which holds the lock
            if self._rows:
                _write(self._path, list(self._rows.values()))
            self._partial.unlink()

    def _locked(self) -> BinaryIO:
        """The file beside, which no other run writes; the operating system lets go of it however this one ends."""
        while True:
            file = self._partial.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise Mistake(
                    f"{self._path}: another `spanmill evaluate` writes it now; wait for its end, or give another name"
                ) from None
            if _is_at(file, self._partial):
                return file
            file.close()  # another run has just ended, and removed it

    @property
    def rows(self) -> list[Verdict]:
        """The verdicts there are, of this run and earlier ones."""
        return list(self._rows.values())

    def has(self, row_id: str, evaluator: str, template_hash: str, model: str) -> bool:
        """Whether there is a score of this row, by this version of the evaluator and this judge."""
        held = self._rows.get((row_id, evaluator))
        if held is None or held.get("outcome") != SCORED:
            return False
        return bool(held.get("template_hash") == template_hash and held.get("judge_model") == model)

    def add(self, row: Verdict) -> None:
        """It is kept, and takes the place of an earlier one on the same row by the same evaluator."""
        assert self._file is not None, "not entered"
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
        self._keep(row)

    def _keep(self, row: Verdict) -> None:
        self._rows[str(row["id"]), str(row["name"])] = row


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(path: Path) -> list[Verdict]:
    if not path.exists():
        return []
    if path.suffix in JSON_LINES:
        table = json_lines(path)
    else:
        try:
            table = pq.read_table(path, partitioning=None)
        except pa.ArrowInvalid:
            raise Mistake(f"{path}: is there and not a Parquet file; expected a new name, or results") from None
    if len(table) and not {"id", "name", "score", "outcome"} <= set(table.column_names):
        raise Mistake(f"{path}: is there and has no results to continue; expected a new name, or results")
    names = [name for name in SCHEMA.names if name in table.column_names]
    columns = [plain_values(table.column(name).combine_chunks()) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return [row | {"cost_usd": None if row.get("cost_usd") is None else float(row["cost_usd"])} for row in rows]


def _unfinished(path: Path) -> list[Verdict]:
    """What a run that was killed has left; its last line may be torn."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return rows


def _write(path: Path, rows: list[Verdict]) -> None:
    unfinished = temporary(path)
    try:
        if path.suffix in JSON_LINES:
            whole = ({name: row.get(name) for name in SCHEMA.names} for row in rows)
            unfinished.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in whole))
        else:
            pq.write_table(_table(rows), unfinished, compression="zstd")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _table(rows: list[Verdict]) -> pa.Table:
    columns = []
    for field in SCHEMA:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_decimal(field.type):
            values = [None if value is None else Decimal(f"{value:.9f}") for value in values]
        if pa.types.is_timestamp(field.type):
            columns.append(pa.array(values, pa.string()).cast(pa.timestamp("ns", "UTC")).cast(field.type))
        else:
            columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)
