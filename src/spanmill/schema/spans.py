"""The table `spans`: a row for each span."""

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.anyvalue import TEXT_MAP, attributes_to_map
from spanmill.schema.columns import (
    ATTRIBUTES_COLUMN,
    RESOURCE_COLUMNS,
    TIMESTAMP,
    field,
    hex_text,
    named,
    of_field,
    text_or_null,
    timestamp,
)
from spanmill.schema.inverse import spans as inverse
from spanmill.schema.llm import LLM_COLUMNS
from spanmill.schema.table import Column, Table

_EVENT = pa.struct([("time", TIMESTAMP), ("name", pa.string()), ("attributes", TEXT_MAP)])
_LINK = pa.struct(
    [("trace_id", pa.string()), ("span_id", pa.string()), ("trace_state", pa.string()), ("attributes", TEXT_MAP)]
)


def _duration_ms(records: pa.RecordBatch) -> pa.Array:
    start, end = (timestamp(records.column(f"{name}_time_unix_nano")).cast(pa.int64()) for name in ("start", "end"))
    return pc.divide(pc.subtract(end, start).cast(pa.float64(), safe=False), _NANOSECONDS_PER_MS)


_NANOSECONDS_PER_MS = pa.scalar(1e6, pa.float64())


def _status_code(status: pa.StructArray) -> pa.Array:
    return named(status.flatten()[status.type.get_field_index("code")], inverse.STATUS_CODES)


def _status_message(status: pa.StructArray) -> pa.Array:
    return text_or_null(status.flatten()[status.type.get_field_index("message")])


def _events(events: pa.ListArray) -> pa.Array:
    rows = events.flatten()
    if len(rows) == 0:
        return _relist(events, pa.array([], _EVENT))
    structs = pa.StructArray.from_arrays(
        [timestamp(rows.field("time_unix_nano")), rows.field("name"), attributes_to_map(rows.field("attributes"))],
        fields=list(_EVENT),
    )
    return _relist(events, structs)


def _links(links: pa.ListArray) -> pa.Array:
    rows = links.flatten()
    if len(rows) == 0:
        return _relist(links, pa.array([], _LINK))
    structs = pa.StructArray.from_arrays(
        [
            hex_text(rows.field("trace_id")),
            hex_text(rows.field("span_id")),
            text_or_null(rows.field("trace_state")),
            attributes_to_map(rows.field("attributes")),
        ],
        fields=list(_LINK),
    )
    return _relist(links, structs)


def _relist(lists: pa.ListArray, values: pa.Array) -> pa.ListArray:
    offsets = lists.offsets
    return pa.ListArray.from_arrays(pc.subtract(offsets, offsets[0]), values)


SPANS = Table(
    "spans",
    (
        Column("trace_id", pa.string(), "16 bytes as 32 lower-case hex digits.", of_field("trace_id", hex_text)),
        Column("span_id", pa.string(), "8 bytes as 16 lower-case hex digits.", of_field("span_id", hex_text)),
        Column("parent_span_id", pa.string(), "The same; null for a root span.", of_field("parent_span_id", hex_text)),
        Column("trace_state", pa.string(), "W3C tracestate.", of_field("trace_state", text_or_null)),
        Column("flags", pa.uint32(), "W3C trace flags and OTLP's remote bits.", field("flags")),
        Column("name", pa.string(), "What the span is called.", field("name")),
        Column(
            "kind",
            pa.string(),
            "internal, server, client, producer, consumer or unspecified.",
            of_field("kind", lambda numbers: named(numbers, inverse.KINDS)),
        ),
        Column("start_time", TIMESTAMP, "UTC, nanoseconds.", of_field("start_time_unix_nano", timestamp)),
        Column("end_time", TIMESTAMP, "UTC, nanoseconds.", of_field("end_time_unix_nano", timestamp)),
        Column("duration_ms", pa.float64(), "Milliseconds from start to end.", _duration_ms),
        Column("status_code", pa.string(), "unset, ok or error.", of_field("status", _status_code)),
        Column("status_message", pa.string(), "The error in words.", of_field("status", _status_message)),
        *RESOURCE_COLUMNS,
        ATTRIBUTES_COLUMN,
        Column(
            "events", pa.list_(_EVENT), "What happened at a moment, exceptions among it.", of_field("events", _events)
        ),
        Column("links", pa.list_(_LINK), "Spans of other traces that belong to this one.", of_field("links", _links)),
        *LLM_COLUMNS,
    ),
    time_column="start_time",
    inverse=inverse.SPANS,
)
