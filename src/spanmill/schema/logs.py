"""The table `logs`: a row for each log record."""

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.anyvalue import values_to_text
from spanmill.schema.columns import (
    ATTRIBUTES_COLUMN,
    RESOURCE_COLUMNS,
    TIMESTAMP,
    field,
    hex_text,
    of_field,
    text_or_null,
    timestamp,
)
from spanmill.schema.evaluations import EVALUATION_COLUMNS
from spanmill.schema.inverse import logs as inverse
from spanmill.schema.llm import LOG_COLUMNS
from spanmill.schema.table import Column, Table


def _time(records: pa.RecordBatch) -> pa.Array:
    return pc.coalesce(
        timestamp(records.column("time_unix_nano")), timestamp(records.column("observed_time_unix_nano"))
    )


LOGS = Table(
    "logs",
    (
        Column("time", TIMESTAMP, "When it happened, UTC, nanoseconds; the observed time when that is unknown.", _time),
        Column(
            "observed_time",
            TIMESTAMP,
            "When the SDK saw it, UTC, nanoseconds.",
            of_field("observed_time_unix_nano", timestamp),
        ),
        Column("trace_id", pa.string(), "The trace it belongs to, hex; null for none.", of_field("trace_id", hex_text)),
        Column("span_id", pa.string(), "The span it belongs to, hex; null for none.", of_field("span_id", hex_text)),
        Column("flags", pa.uint32(), "W3C trace flags.", field("flags")),
        Column("severity_number", pa.int32(), "1 (trace) to 24 (fatal); 0 is unspecified.", field("severity_number")),
        Column(
            "severity_text",
            pa.string(),
            "The severity as the source wrote it.",
            of_field("severity_text", text_or_null),
        ),
        Column(
            "event_name",
            pa.string(),
            "What kind of event; null for a plain log line.",
            of_field("event_name", text_or_null),
        ),
        Column("body", pa.string(), "The message; a body that is not text as JSON.", of_field("body", values_to_text)),
        *RESOURCE_COLUMNS,
        ATTRIBUTES_COLUMN,
        *LOG_COLUMNS,
        *EVALUATION_COLUMNS,
        Column("sample_weight", pa.float64(), "How many records this one stands for; null means 1."),
    ),
    time_column="time",
    inverse=inverse.LOGS,
)
