"""Stored rows become records again and leave as OTLP unchanged; protobuf's own parser is the judge."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from spanmill.batch import Batch
from spanmill.otlp.codec import encode
from spanmill.otlp.letters import values_of
from spanmill.otlp.messages import SERVICES
from spanmill.schema import TABLES
from spanmill.signal import Signal
from spanmill.storage.parquet_file import FileOptions, open_writer
from tests.data import batch_of, key_value, traces
from tests.strategies import REQUESTS


def parquet(batch: Batch) -> pa.Table:
    """The batch's rows after they were in a file."""
    rows, file = batch.stored(), io.BytesIO()
    with open_writer(file, TABLES[batch.signal], FileOptions(), rows, {}) as writer:
        writer.write_table(rows)
    return pq.ParquetFile(io.BytesIO(file.getvalue())).read()


def back(signal: Signal, rows: pa.Table) -> Any:
    """The request that stored rows make."""
    records = TABLES[signal].records(rows)
    records.validate(full=True)
    return SERVICES[signal].request.FromString(encode(signal, records))


def items(request: Any) -> list[tuple[Any, ...]]:
    """Every span, log record or point with its envelopes, one by one: what regrouping leaves as it is."""
    rows = []
    for resources in _children(request, "resource_"):
        for scopes in _children(resources, "scope_"):
            heads = (_head(resources, "resource"), _head(scopes, "scope"))
            for item in _children(scopes, ("spans", "metrics", "log_records")):
                rows += [(*heads, part) for part in _points(item)]
    return rows


def _points(item: Any) -> list[Any]:
    """A metric as one for each of its points; others as they are."""
    if not isinstance(item, Metric):
        return [item]
    kind = str(item.WhichOneof("data"))
    parts: list[Any] = []
    for point in getattr(item, kind).data_points:
        part = Metric()
        part.CopyFrom(item)
        del getattr(part, kind).data_points[:]
        getattr(part, kind).data_points.append(point)
        parts.append(part)
    return parts


def _head(envelope: Any, name: str) -> Message:
    message = getattr(envelope, name) if envelope.HasField(name) else None
    head: Message = type(envelope)(**{name: message}, schema_url=envelope.schema_url)
    return head


def _children(message: Any, names: str | tuple[str, ...]) -> list[Any]:
    return [
        e for field, value in message.ListFields() if field.is_repeated and field.name.startswith(names) for e in value
    ]


@pytest.mark.parametrize("signal", list(Signal))
def test_any_request_leaves_a_parquet_file_as_it_came(signal: Signal) -> None:
    @given(REQUESTS[signal])
    def check(request: Message) -> None:
        assert items(back(signal, parquet(batch_of(request, signal)))) == items(request)

    check()


@pytest.mark.parametrize("signal", list(Signal))
def test_rows_of_several_batches_in_any_part_keep_what_they_were(signal: Signal) -> None:
    @settings(max_examples=settings().max_examples // 4)
    @given(st.lists(REQUESTS[signal], min_size=1, max_size=3), st.data())
    def check(requests: list[Message], data: st.DataObject) -> None:
        batch = Batch.concat([batch_of(request, signal) for request in requests])
        first = data.draw(st.integers(0, len(batch)))
        expected = [item for request in requests for item in items(request)][first:]
        part = batch.slice(first, len(batch) - first)
        assert items(back(signal, part.stored())) == expected
        assert items(back(signal, batch.stored().slice(first))) == expected

    check()


def span_with(*attributes: KeyValue, **fields: Any) -> ExportTraceServiceRequest:
    """A request of one span that has all of that."""
    request = traces()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend(attributes)
    span.MergeFrom(Span(**fields))
    return request


def array(*values: AnyValue) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=values))


VALUES = {
    "an array of bytes": array(AnyValue(bytes_value=b"\x00\xff")),
    "a NaN text in an array": array(AnyValue(string_value="NaN")),
    "an infinity in an array": array(AnyValue(double_value=float("inf"))),
    "an array of nothing": array(AnyValue(), AnyValue(string_value="null")),
    "a map with a key twice": AnyValue(kvlist_value=KeyValueList(values=[key_value("k", 1), key_value("k", "1")])),
    "a map with a key without a value": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k")])),
    "an array in a map in an array": array(
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=array(AnyValue(bytes_value=b"x")))]))
    ),
    "an infinity": AnyValue(double_value=float("-inf")),
    "a double like an integer": AnyValue(double_value=3.0),
    "a text like an integer": AnyValue(string_value="3"),
    "a text like an array": AnyValue(string_value='["a"]'),
    "the smallest integer": AnyValue(int_value=-(2**63)),
    "the largest integer": AnyValue(int_value=2**63 - 1),
    "a tiny double": AnyValue(double_value=5e-324),
    "an empty text": AnyValue(string_value=""),
    "an empty array": array(),
    "an empty map": AnyValue(kvlist_value=KeyValueList()),
    "no bytes": AnyValue(bytes_value=b""),
    "nothing": AnyValue(),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_keep_their_types_wherever_they_are(value: AnyValue) -> None:
    attribute = KeyValue(key="k", value=value)
    request = span_with(
        attribute,
        events=[Span.Event(name="e", attributes=[attribute])],
        links=[Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=[attribute])],
    )
    request.resource_spans[0].resource.attributes.append(attribute)
    request.resource_spans[0].scope_spans[0].scope.attributes.append(attribute)
    assert items(back(Signal.TRACES, parquet(batch_of(request)))) == items(request)


def test_a_nan_stays_one_at_any_depth() -> None:
    nan = AnyValue(double_value=float("nan"))
    request = span_with(KeyValue(key="k", value=nan), KeyValue(key="l", value=array(nan)))
    span = back(Signal.TRACES, parquet(batch_of(request))).resource_spans[0].scope_spans[0].spans[0]
    values = [span.attributes[-2].value.double_value, span.attributes[-1].value.array_value.values[0].double_value]
    assert [value != value for value in values] == [True, True]


SPANS = {
    "a key twice": {"attributes": [key_value("k", 1), key_value("k", "2")]},
    "a time beyond the year 2262": {"start_time_unix_nano": 2**64 - 1},
    "a parent of zeros": {"parent_span_id": bytes(8)},
    "an unknown kind": {"kind": 77},
    "an unknown status code": {
        "status": Status(code=9, message="m")  # type: ignore[arg-type]
    },
    "an event with a key twice": {"events": [Span.Event(attributes=[key_value("k", 1), key_value("k", "2")])]},
    "an event at no time we can write": {"events": [Span.Event(time_unix_nano=2**63)]},
    "a link to zeros": {"links": [Span.Link(trace_id=bytes(16), span_id=bytes(8))]},
    "flags of a link": {"links": [Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8, flags=0x100)]},
    "dropped things": {
        "dropped_attributes_count": 1,
        "dropped_events_count": 2,
        "dropped_links_count": 3,
        "events": [Span.Event(name="e", dropped_attributes_count=4), Span.Event(name="f")],
    },
}  # type: dict[str, dict[str, Any]]


@pytest.mark.parametrize("fields", SPANS.values(), ids=SPANS)
def test_what_no_column_shows_is_kept_beside_ordinary_spans(fields: dict[str, Any]) -> None:
    request = span_with(**fields)
    request.resource_spans[0].scope_spans[0].spans.extend(traces(2, first=2).resource_spans[0].scope_spans[0].spans)
    rows = parquet(batch_of(request))
    assert items(back(Signal.TRACES, rows)) == items(request)
    assert [rest is None for rest in rows.column("otlp").combine_chunks().field("rest").to_pylist()] == [
        False,
        True,
        True,
    ]


def test_a_log_record_says_whether_its_time_was_known() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=5, observed_time_unix_nano=5)
    records.add(observed_time_unix_nano=5)
    records.add(time_unix_nano=2**63 + 1, observed_time_unix_nano=5, body=AnyValue(int_value=7))
    assert items(back(Signal.LOGS, parquet(batch_of(request, Signal.LOGS)))) == items(request)


def test_an_exemplar_keeps_an_integer_that_no_double_can_hold() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", metadata=[key_value("k", 1)])
    for number in (2**63 - 1, 2**53 + 1, 3):
        point = metric.sum.data_points.add(as_int=number)
        point.exemplars.add(as_int=number)
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert items(back(Signal.METRICS, parquet(batch_of(request, Signal.METRICS)))) == items(request)


def test_the_column_costs_next_to_nothing() -> None:
    """Rows of one kind of sender differ in nothing that it holds: one dictionary entry for each field."""
    rows = parquet(batch_of(traces(5_000)))
    otlp = rows.column("otlp").combine_chunks()
    assert all(otlp.field(name).null_count == len(rows) for name in ("rest", "resource_rest", "scope"))
    assert all(len(otlp.field(name).unique()) == 1 for name in ("types", "resource_types"))


def test_rows_of_an_earlier_version_come_back_with_types_as_likely_as_can_be() -> None:
    request = span_with(
        key_value("int", 12), key_value("flag", True), key_value("number", 1.5), key_value("version", "1.10"),
        key_value("json", '[{"role": "user"}]'), key_value("id", "007"),
        KeyValue(key="array", value=array(AnyValue(string_value="stop"))), KeyValue(key="nothing"),
    )  # fmt: skip
    rows = parquet(batch_of(request)).drop_columns(["otlp"])
    [(resource, scope, span)] = items(back(Signal.TRACES, rows))
    expected = items(request)[0]
    assert (resource, scope.scope.name, scope.scope.version) == (expected[0], "tests", "1")
    kinds = {entry.key: entry.value.WhichOneof("value") for entry in span.attributes}
    assert kinds["int"] == kinds["gen_ai.usage.input_tokens"] == "int_value"
    assert (kinds["flag"], kinds["number"], kinds["nothing"]) == ("bool_value", "double_value", None)
    assert {kinds[key] for key in ("json", "id", "array", "version", "gen_ai.request.model")} == {"string_value"}
    span.ClearField("attributes")
    expected[2].ClearField("attributes")
    assert span == expected[2]


def test_rows_that_somebody_changed_since_are_read_as_far_as_they_make_sense() -> None:
    rows = parquet(batch_of(span_with(key_value("secret", 12), key_value("flag", True))))
    masked = [[(key, "***") for key, _ in row] for row in rows.column("attributes").to_pylist()]
    changed = rows.set_column(
        rows.schema.get_field_index("attributes"),
        rows.schema.field("attributes"),
        pa.array(masked, rows.schema.field("attributes").type),
    )
    [(_, _, span)] = items(back(Signal.TRACES, changed))
    assert {entry.value.string_value for entry in span.attributes} == {"***"}
    fewer = pa.array([[("flag", "true")]], rows.schema.field("attributes").type)
    changed = rows.set_column(rows.schema.get_field_index("attributes"), rows.schema.field("attributes"), fewer)
    [(_, _, span)] = items(back(Signal.TRACES, changed))
    assert [entry.value.bool_value for entry in span.attributes] == [True]


@pytest.mark.parametrize("text", ["[" * 100_000, "[1", "{}x", "true", "", '["\\ud800"]', "[" + "9" * 30 + "]"])
def test_a_text_that_cannot_be_of_its_type_is_a_text(text: str) -> None:
    for letter in "bidyam":
        if (letter, text) not in {("b", "true"), ("y", "true"), ("y", "")}:  # these can
            [value] = values_of(pa.array([text]), np.array([ord(letter)], np.uint8)).to_pylist()
            assert value["string_value"] == text


def test_columns_that_a_processor_added_are_records_columns_again() -> None:
    batch = batch_of(traces(2))
    batch = batch.with_record_column("operation", pa.array(["chat", None], pa.string()))
    records = TABLES[Signal.TRACES].records(parquet(batch))
    assert records.column("operation").to_pylist() == ["chat", None]
    assert "provider" not in records.schema.names


@pytest.mark.parametrize("signal", list(Signal))
def test_no_rows_are_no_records(signal: Signal) -> None:
    table = TABLES[signal]
    assert table.records(table.stored_schema.empty_table()).num_rows == 0
    assert encode(signal, table.records(table.schema.empty_table())) == b""
