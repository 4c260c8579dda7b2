"""One row in, its LLM columns out: what the tests of mapping files share."""

from typing import Any

import orjson

from spanmill.batch import Batch
from spanmill.llm.dialect import COLUMN_TYPES, CONTENT_COLUMNS
from spanmill.llm.normaliser import Normaliser, Options
from tests.llm.rows import Row, Value, logs, spans

Columns = dict[str, Any]


def of_span(attributes: dict[str, Value], **row: Any) -> Columns:
    """The columns of a span that have a value; content as lists."""
    return _columns(spans(Row(attributes, **row)))[0]


def of_record(attributes: dict[str, Value], **row: Any) -> Columns:
    """The same of a log record."""
    return _columns(logs(Row(attributes, **row)))[0]


def of_spans(*rows: Row) -> list[Columns]:
    """The same of several spans in one batch."""
    return _columns(spans(*rows))


def text(role: str, content: str, **more: Any) -> Columns:
    """A message of one text."""
    return {"role": role, "parts": [{"type": "text", "content": content}], **more}


def _columns(batch: Batch) -> list[Columns]:
    unreadable: dict[str, int] = {}
    table = Normaliser(Options(), unreadable.__setitem__)(batch).table()
    assert unreadable == {}
    rows = [{name: row[name] for name in COLUMN_TYPES if row.get(name) is not None} for row in table.to_pylist()]
    return [
        {name: orjson.loads(value) if name in CONTENT_COLUMNS else value for name, value in row.items()} for row in rows
    ]
