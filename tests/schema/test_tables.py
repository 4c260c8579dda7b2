"""The public tables: their columns are a contract, and their values are those of protobuf's own objects."""

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.schema import TABLES
from spanmill.schema.columns import hex_text, timestamp
from spanmill.signal import Signal
from tests.data import batch_of, key_value, traces
from tests.strategies import REQUESTS

TEXT_MAP = pa.map_(pa.string(), pa.string())
KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]


def test_the_span_table_is_the_one_that_is_promised() -> None:
    names = """trace_id span_id parent_span_id trace_state flags name kind start_time end_time duration_ms
        status_code status_message
        service_name scope_name scope_version resource_attributes attributes events links operation provider
        request_model response_model input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens
        total_tokens input_cost_usd output_cost_usd cost_usd time_to_first_token_ms finish_reason streaming input output
        system_instructions session_id user_id tags environment release prompt_name prompt_version feature error_type
        sample_weight sampled_by dialect is_llm_call response_id service_tier cache_write_1h_tokens audio_input_tokens
        audio_output_tokens tokens_estimated reported_cost_usd price_source tool_name tool_call_id agent_name documents
        team language retries""".split()  # noqa: SIM905
    schema = TABLES[Signal.TRACES].schema
    assert schema.names == names
    for name in ("trace_id", "span_id", "parent_span_id", "kind", "status_code", "input", "session_id"):
        assert schema.field(name).type == pa.string()
    for name in ("start_time", "end_time"):
        assert schema.field(name).type == pa.timestamp("ns")
    assert schema.field("duration_ms").type == pa.float64()
    assert schema.field("attributes").type == schema.field("resource_attributes").type == TEXT_MAP
    assert pa.types.is_decimal(schema.field("cost_usd").type)


@pytest.mark.parametrize("signal", list(Signal))
def test_every_column_is_documented_and_the_time_column_exists(signal: Signal) -> None:
    table = TABLES[signal]
    assert all(column.doc.endswith(".") for column in table.columns)
    assert table.schema.field(table.time_column).type == pa.timestamp("ns")


@pytest.mark.parametrize("signal", list(Signal))
def test_any_request_has_a_valid_table_of_the_promised_types(signal: Signal) -> None:
    @given(REQUESTS[signal])
    def check(request: Message) -> None:
        batch = batch_of(request, signal)
        table = batch.table()
        table.validate(full=True)
        assert table.schema.equals(TABLES[signal].schema)
        half = batch.slice(len(batch) // 2, len(batch) - len(batch) // 2).table()
        half.validate(full=True)
        assert half.equals(table.slice(len(batch) // 2))

    check()


def nanoseconds(column: pa.Array) -> list[int | None]:
    return [scalar.value for scalar in column]


@given(REQUESTS[Signal.TRACES])
def test_span_columns_hold_what_the_spans_say(request: ExportTraceServiceRequest) -> None:
    spans = [(r, s, span) for r in request.resource_spans for s in r.scope_spans for span in s.spans]
    batch = batch_of(request)
    assert batch.column("trace_id").to_pylist() == [s.trace_id.hex() or None for _, _, s in spans]
    assert batch.column("span_id").to_pylist() == [s.span_id.hex() or None for _, _, s in spans]
    assert batch.column("parent_span_id").to_pylist() == [s.parent_span_id.hex() or None for _, _, s in spans]
    assert batch.column("name").to_pylist() == [s.name for _, _, s in spans]
    assert batch.column("kind").to_pylist() == [KINDS[s.kind] for _, _, s in spans]
    assert batch.column("status_code").to_pylist() == [["unset", "ok", "error"][s.status.code] for _, _, s in spans]
    assert batch.column("status_message").to_pylist() == [s.status.message or None for _, _, s in spans]
    assert batch.column("scope_name").to_pylist() == [scope.scope.name or None for _, scope, _ in spans]
    starts = [s.start_time_unix_nano for _, _, s in spans]
    assert nanoseconds(batch.column("start_time")) == [t if 0 < t < 2**63 else None for t in starts]
    keys = [[kv.key for kv in s.attributes] for _, _, s in spans]
    assert [[key for key, _ in row] for row in batch.column("attributes").to_pylist()] == keys
    for row, (_, _, span) in zip(batch.column("events"), spans, strict=True):
        assert [event["name"].as_py() for event in row.values] == [event.name for event in span.events]
    for row, (_, _, span) in zip(batch.column("links"), spans, strict=True):
        assert [link["span_id"].as_py() for link in row.values] == [link.span_id.hex() or None for link in span.links]


@given(REQUESTS[Signal.LOGS])
def test_log_columns_hold_what_the_records_say(request: ExportLogsServiceRequest) -> None:
    records = [x for r in request.resource_logs for s in r.scope_logs for x in s.log_records]
    batch = batch_of(request, Signal.LOGS)
    assert batch.column("severity_number").to_pylist() == [x.severity_number for x in records]
    assert batch.column("event_name").to_pylist() == [x.event_name or None for x in records]
    assert batch.column("trace_id").to_pylist() == [x.trace_id.hex() or None for x in records]
    for text, record in zip(batch.column("body").to_pylist(), records, strict=True):
        if record.body.WhichOneof("value") == "string_value":
            assert text == record.body.string_value


@given(REQUESTS[Signal.METRICS])
def test_metric_columns_hold_what_the_points_say(request: ExportMetricsServiceRequest) -> None:
    metrics = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
    points = [(m, point) for m in metrics for point in getattr(m, str(m.WhichOneof("data"))).data_points]
    batch = batch_of(request, Signal.METRICS)
    assert batch.column("name").to_pylist() == [m.name for m, _ in points]
    assert batch.column("type").to_pylist() == [m.WhichOneof("data") for m, _ in points]
    numbers = [
        p.as_int if m.WhichOneof("data") in ("gauge", "sum") and p.HasField("as_int") else None for m, p in points
    ]
    assert batch.column("value_int").to_pylist() == numbers
    counts = [None if m.WhichOneof("data") in ("gauge", "sum") else p.count for m, p in points]
    assert batch.column("count").to_pylist() == counts
    bounds = [list(p.explicit_bounds) if m.WhichOneof("data") == "histogram" else None for m, p in points]
    assert batch.column("explicit_bounds").to_pylist() == bounds


_IDS = st.one_of(
    st.lists(st.binary(max_size=20)),
    *(st.lists(st.one_of(st.binary(min_size=n, max_size=n), st.just(bytes(n)))) for n in (8, 16)),
)


@given(_IDS, st.integers(0, 3))
def test_ids_are_lower_case_hex_and_null_when_absent(ids: list[bytes], offset: int) -> None:
    texts = hex_text(pa.array(ids, pa.binary()).slice(offset)).to_pylist()
    assert texts == [i.hex() if any(i) else None for i in ids[offset:]]


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_times_keep_their_nanoseconds_and_the_unknown_is_null(times: list[int]) -> None:
    assert nanoseconds(timestamp(pa.array(times, pa.uint64()))) == [t if 0 < t < 2**63 else None for t in times]


def test_durations_are_milliseconds_and_null_when_an_end_is_unknown() -> None:
    request = traces(2)
    request.resource_spans[0].scope_spans[0].spans[1].end_time_unix_nano = 0
    assert batch_of(request).column("duration_ms").to_pylist() == [2.5, None]


def test_the_service_name_is_the_resources() -> None:
    request = traces(1, service="shop")
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\x01" * 16, span_id=b"\x01" * 8)
    request.resource_spans[1].resource.attributes.append(key_value("service.name", 7))
    assert batch_of(request).column("service_name").to_pylist() == ["shop", "7"]


def test_a_column_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(KeyError, match=r"no column 'durations'.*duration_ms"):
        batch_of(traces(1)).column("durations")


def test_a_column_that_a_processor_added_is_in_the_table() -> None:
    batch = batch_of(traces(2))
    records = batch.records.append_column("operation", pa.array(["chat", None], pa.string()))
    assert type(batch)(Signal.TRACES, records).column("operation").to_pylist() == ["chat", None]
