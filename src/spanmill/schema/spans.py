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


def _llm(name: str, kind: pa.DataType, doc: str) -> Column:
    return Column(name, kind, doc)


_TEXT, _COUNT, _USD, _NUMBER = pa.string(), pa.int64(), pa.decimal128(18, 9), pa.float64()

LLM_COLUMNS = (
    _llm("operation", _TEXT, "What the span does: chat, embeddings, execute_tool, invoke_agent, retrieval, ..."),
    _llm("provider", _TEXT, "Who served the model: openai, anthropic, aws.bedrock, ..."),
    _llm("request_model", _TEXT, "The model that was asked for."),
    _llm("response_model", _TEXT, "The model that answered."),
    _llm("input_tokens", _COUNT, "Tokens of the prompt, cached ones included."),
    _llm("output_tokens", _COUNT, "Tokens of the answer, reasoning included."),
    _llm("cache_read_tokens", _COUNT, "Tokens of the prompt that came from the provider's cache."),
    _llm("cache_write_tokens", _COUNT, "Tokens of the prompt that were written to the provider's cache."),
    _llm("reasoning_tokens", _COUNT, "Tokens of the answer spent on reasoning."),
    _llm("total_tokens", _COUNT, "Input and output together."),
    _llm("input_cost_usd", _USD, "Price of the input, USD."),
    _llm("output_cost_usd", _USD, "Price of the output, USD."),
    _llm("cost_usd", _USD, "Price of the call, USD; null when the model has no known price."),
    _llm("time_to_first_token_ms", _NUMBER, "Milliseconds from the request to the first token."),
    _llm("finish_reason", _TEXT, "Why the model stopped: stop, length, tool_calls, ..."),
    _llm("streaming", pa.bool_(), "Whether the answer was streamed."),
    _llm("input", _TEXT, "The messages sent, as JSON."),
    _llm("output", _TEXT, "The messages received, as JSON."),
    _llm("system_instructions", _TEXT, "The system prompt, as JSON."),
    _llm("session_id", _TEXT, "The conversation or session."),
    _llm("user_id", _TEXT, "The user on whose behalf the call was made."),
    _llm("tags", pa.list_(_TEXT), "Free labels."),
    _llm("environment", _TEXT, "production, staging, ..."),
    _llm("release", _TEXT, "The application's version."),
    _llm("prompt_name", _TEXT, "The prompt template's name."),
    _llm("prompt_version", _TEXT, "The prompt template's version."),
    _llm("feature", _TEXT, "The product feature that made the call."),
    _llm("error_type", _TEXT, "What kind of error, for example a class name or a status code."),
    _llm("sample_weight", _NUMBER, "How many spans this one stands for; null means 1."),
    _llm("sampled_by", _TEXT, "The sampling policy that kept the trace."),
)

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
