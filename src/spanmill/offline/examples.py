"""What rows are as examples: ids, input and output, what was retrieved, what people expect, how they were scored."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from spanmill.exporters.duckdb.catalogue import quoted_name
from spanmill.offline.inputs import Opened
from spanmill.offline.texts import parsed
from spanmill.query.values import plain_values

METADATA: Final = (
    *("start_time", "service_name", "name", "operation", "provider", "request_model", "response_model", "feature"),
    *("prompt_name", "prompt_version", "language", "environment", "release", "finish_reason", "status_code"),
    *("input_tokens", "output_tokens", "cost_usd", "duration_ms", "sample_weight"),
)
"""Columns that go along if none are named; none that says who the user is."""
_FIELDS: Final = ("id", "trace_id", "span_id", "input", "output", "context", "reference", "label")
REFERENCES: Final = ("spanmill.reference", "reference")
"""Attributes under which a span may have an answer that counts as right."""
ROWS_AT_ONCE: Final = 1_000

Example = dict[str, Any]


class Examples:
    """The examples of one input, in an order that is the same each time. Nothing is masked yet."""

    def __init__(self, source: Opened, where: str = "", columns: Sequence[str] = ()) -> None:
        """`columns`: those that go along as metadata; none: the usual. Raises `Mistake`."""
        self._source, self._where = source, where
        if columns:
            self._metadata = [name for name in columns if source.column(name) and name not in _FIELDS]
        elif source.spans:
            self._metadata = [name for name in METADATA if name in source.columns]
        else:
            self._metadata = [name for name in source.columns if name not in _FIELDS]
        self._scores = _scores(source, where)
        self._documents = _documents(source, where)

    def batches(self) -> Iterator[list[Example]]:
        """Some at a time. Raises `Mistake`."""
        spans, source = self._source.spans, self._source
        names = [name for name in (*_FIELDS, *self._metadata) if name in source.columns]
        if spans:
            names += [name for name in ("documents", "attributes") if name in source.columns and name not in names]
        order = ("start_time", "trace_id", "span_id", "id")
        sorting = ", ".join(quoted_name(name) for name in order if name in source.columns) if spans else ""
        number = 0
        selected = ", ".join(map(quoted_name, dict.fromkeys(names))) or "1 AS nothing"
        for batch in source.reader(selected, self._where, f"ORDER BY {sorting}" if sorting else "", ROWS_AT_ONCE):
            columns = {field: plain_values(batch.column(field)) for field in batch.schema.names}
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            yield [self._example(row, number + index) for index, row in enumerate(rows)]
            number += len(rows)

    def _example(self, row: Mapping[str, Any], number: int) -> Example:
        trace, span = row.get("trace_id") or "", row.get("span_id")
        example: Example = {"id": row_id(row, number), "trace_id": trace or None, "span_id": span}
        example |= {name: parsed(row.get(name)) for name in ("input", "output")}
        context = row.get("context") if "context" in row else row.get("documents") or self._documents.get(trace)
        example["context"] = parsed(context)
        reference = row.get("reference")
        if reference is None and isinstance(row.get("attributes"), dict):
            reference = next((row["attributes"][key] for key in REFERENCES if row["attributes"].get(key)), None)
        for name, value in (("reference", parsed(reference)), ("label", row.get("label"))):
            if value is not None:
                example[name] = value
        example["scores"] = {**self._scores.get((trace, None), {}), **self._scores.get((trace, span), {})}
        example["metadata"] = {name: row[name] for name in self._metadata if row.get(name) is not None}
        return example


def row_id(row: Mapping[str, Any], number: int) -> str:
    """The row's own id; of a span both of its; of a row without one its number, from 0."""
    if row.get("id") is not None:
        return str(row["id"])
    if row.get("trace_id"):
        return f"{row['trace_id']}:{row.get('span_id') or ''}"
    return str(number)


def _traces(source: Opened, where: str) -> str:
    """The ids of the traces that are chosen, as SQL."""
    condition = f"WHERE ({where}\n)" if where else ""
    return f"SELECT trace_id FROM {source.table} {condition}"  # noqa: S608 - the user's own SQL over the user's rows


def _scores(source: Opened, where: str) -> dict[tuple[str, str | None], dict[str, Any]]:
    """By trace and span, and by trace alone: each evaluator's last verdict, a person's before any other."""
    if not {"evaluations", "spans"} <= source.tables:
        return {}
    rows = source.other(
        "evaluations",
        "trace_id, span_id, name, score, label, source",
        f"trace_id IN ({_traces(source, where)}) AND (score IS NOT NULL OR label IS NOT NULL)",
        "ORDER BY source = 'person', time, name",
    )
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in rows.to_pylist():
        verdict = {key: row[key] for key in ("score", "label", "source") if row[key] is not None}
        found.setdefault((row["trace_id"], row["span_id"] or None), {})[row["name"]] = verdict
    return found


def _documents(source: Opened, where: str) -> dict[str, str]:
    """By trace, what its last retrieval found."""
    if "spans" not in source.tables or "documents" not in source.columns:
        return {}
    rows = source.other(
        "spans",
        "trace_id, documents",
        f"trace_id IN ({_traces(source, where)}) AND documents IS NOT NULL AND operation = 'retrieval'",
        "ORDER BY start_time, span_id",
    )
    return dict(zip(*(rows.column(name).to_pylist() for name in ("trace_id", "documents")), strict=True))
