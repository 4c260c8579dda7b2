"""A result as a table for people, as CSV, or as JSON."""

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TextIO

import orjson
import pyarrow as pa

from spanmill.query.values import plain_values

TABLE_LIMIT = 100
"""Rows of a table when no limit is asked for; CSV and JSON have none."""
_NARROWEST = 10
"""Characters below which a column of a table says nothing."""


def write_table(result: pa.RecordBatchReader, limit: int | None, width: int | None = None) -> None:
    """Draw the first rows for a terminal; values that are too wide end in `…`. `width`: characters, None for all."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    limit = TABLE_LIMIT if limit is None else limit
    rows = list(islice(_rows(result), limit + 1))
    names = result.schema.names
    shown = len(names) if width is None else max(1, min(len(names), width // (_NARROWEST + 3)))
    table = Table(show_lines=False)
    for field in list(result.schema)[:shown]:
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(Text(field.name), justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows[:limit]:
        table.add_row(*(Text(_cell(value)) for value in row[:shown]))
    console = Console(file=sys.stdout, width=width or _needed(names, rows[:limit]), highlight=False)
    console.print(table)
    console.print(Text(_footer(len(rows), limit, len(names) - shown)), soft_wrap=True)


def write_csv(result: pa.RecordBatchReader, limit: int | None, file: TextIO) -> None:
    """A line of names, then the rows. Null is empty; lists, maps and structs are JSON."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(result.schema.names)
    writer.writerows([_csv_cell(value) for value in row] for row in islice(_rows(result), limit))


def write_json(result: pa.RecordBatchReader, limit: int | None, file: TextIO) -> None:
    """An array with an object for each row, each on a line of its own."""
    names, before = _distinct(result.schema.names), "["
    for row in islice(_rows(result), limit):
        file.write(f"{before}\n{orjson.dumps(dict(zip(names, row, strict=True))).decode()}")
        before = ","
    file.write("[]\n" if before == "[" else "\n]\n")


def _rows(result: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in result:
        yield from zip(*(plain_values(column) for column in batch.columns), strict=True)


def _distinct(names: Sequence[str]) -> list[str]:
    """`select 1 as a, 2 as a` has two columns of one name, an object cannot."""
    return [name if names.index(name) == index else f"{name}_{index + 1}" for index, name in enumerate(names)]


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else _json(value)
    # What was received may hold anything, also sequences that steer a terminal.
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _csv_cell(value: Any) -> Any:
    return _json(value) if isinstance(value, bool | list | dict) else value


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _needed(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    widths = [max([len(name), *(len(_cell(row[index])) for row in rows)]) for index, name in enumerate(names)]
    return sum(2 * width + 3 for width in widths) + 10  # twice: some characters are two columns wide


def _footer(rows: int, limit: int, hidden: int) -> str:
    text = f"the first {limit} rows; more with --limit" if rows > limit else f"{rows} row{'s' * (rows != 1)}"
    return text + (f"; {hidden} more columns: name those you want, or --format json" if hidden > 0 else "")
