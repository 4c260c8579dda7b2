"""OTLP/JSON to protobuf and back: the specification, the dialects of real SDKs, and what is wrong with a request."""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.errors import Rejected
from spanmill.otlp import codec
from spanmill.otlp.json import from_json, to_json
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.strategies import REQUESTS

CAPTURES = sorted((Path(__file__).parents[1] / "fixtures" / "otlp_json").glob("*.json"))


def spans_of(**fields: Any) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]})


def span(**fields: Any) -> Any:
    """One span, as protobuf's own parser reads what the converter wrote."""
    request = ExportTraceServiceRequest.FromString(from_json(Signal.TRACES, spans_of(**fields)))
    return request.resource_spans[0].scope_spans[0].spans[0]


def value(given_value: Any) -> Any:
    return span(attributes=[{"key": "k", "value": given_value}]).attributes[0].value


def refusal(body: bytes, signal: Signal = Signal.TRACES) -> str:
    with pytest.raises(Rejected) as caught:
        from_json(signal, body)
    return caught.value.reason


@pytest.mark.parametrize("signal", Signal)
@given(data=st.data())
def test_what_is_written_as_json_is_read_back_the_same(signal: Signal, data: st.DataObject) -> None:
    message = data.draw(REQUESTS[signal])
    assert (
        SERVICES[signal].request.FromString(from_json(signal, to_json(signal, message.SerializeToString()))) == message
    )


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_captured_requests_of_sdks_are_read_and_decoded(path: Path) -> None:
    signal = Signal(path.stem.rsplit("-", 1)[1])
    payload = from_json(signal, path.read_bytes())
    assert codec.decode(signal, [payload]).records.num_rows > 0
    parse = SERVICES[signal].request.FromString
    assert parse(from_json(signal, to_json(signal, payload))) == parse(payload)
    if "python" in path.stem:
        assert orjson.loads(to_json(signal, payload)) == orjson.loads(path.read_bytes())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (5, 5),
        ("5", 5),
        ("-9223372036854775808", -(2**63)),
        (9007199254740993, 9007199254740993),
        (1e3, 1000),
        (2**63, 2**63 - 1),
        ("99999999999999999999999", 2**63 - 1),
        ("-99999999999999999999999", -(2**63)),
    ],
)
def test_integers_are_numbers_or_texts_and_beyond_int64_the_nearest(written: Any, read: int) -> None:
    assert value({"intValue": written}).int_value == read


def test_an_integer_beyond_int64_as_javascript_writes_it_does_not_cost_the_request() -> None:
    body = spans_of(attributes=[{"key": "k", "value": {"intValue": 7}}]).replace(b"7", b"100000000000000000000")
    assert b":100000000000000000000}" in body
    request = ExportTraceServiceRequest.FromString(from_json(Signal.TRACES, body))
    assert request.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.int_value == 2**63 - 1


@pytest.mark.parametrize("written", [1.5, "1.5", "1e3", "0x10", " 1", "1_0", "\u0661", "", True, [], "9" * 5000])
def test_what_is_no_integer_is_refused(written: Any) -> None:
    assert "expected a whole number" in refusal(spans_of(attributes=[{"key": "k", "value": {"intValue": written}}]))


@pytest.mark.parametrize(
    ("written", "read"),
    [(1, 1.0), (0.5, 0.5), ("0.5", 0.5), ("1e3", 1000.0), ("Infinity", math.inf), ("-Infinity", -math.inf)],
)
def test_doubles_are_numbers_or_texts(written: Any, read: float) -> None:
    assert value({"doubleValue": written}).double_value == read


def test_not_a_number_is_a_text() -> None:
    assert math.isnan(value({"doubleValue": "NaN"}).double_value)
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add(as_double=math.nan)
    assert b'"asDouble":"NaN"' in to_json(Signal.METRICS, request.SerializeToString())


@pytest.mark.parametrize("written", ["nan", "inf", "1_0", True, None, []])
def test_what_is_no_double_is_refused(written: Any) -> None:
    if written is None:
        assert value({"doubleValue": None}).WhichOneof("value") is None
    else:
        assert "expected a number" in refusal(spans_of(attributes=[{"key": "k", "value": {"doubleValue": written}}]))


@pytest.mark.parametrize("written", ["AAECAw==", "AAECAw"])
def test_bytes_are_base64_with_or_without_padding(written: str) -> None:
    assert value({"bytesValue": written}).bytes_value == b"\x00\x01\x02\x03"


def test_bytes_may_use_the_alphabet_for_urls() -> None:
    assert value({"bytesValue": "-_8="}).bytes_value == value({"bytesValue": "+/8="}).bytes_value == b"\xfb\xff"


def test_empty_lists_maps_and_missing_values_are_read() -> None:
    assert value({"arrayValue": {}}).WhichOneof("value") == "array_value"
    assert value({"kvlistValue": {"values": []}}).WhichOneof("value") == "kvlist_value"
    assert value({}).WhichOneof("value") is None
    assert value(None).WhichOneof("value") is None
    assert span(spanId="00" * 8).name == ""
    assert span(attributes=[{"key": "k"}]).attributes[0].key == "k"


def test_null_is_as_if_not_written() -> None:
    assert span(name=None, attributes=None, status=None) == span()


def test_the_last_of_equal_keys_counts() -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","name":"b"}]}]}]}'
    request = ExportTraceServiceRequest.FromString(from_json(Signal.TRACES, body))
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "b"


def test_half_a_surrogate_pair_as_javascript_writes_it_becomes_a_replacement_character() -> None:
    body = spans_of(name="?").replace(b"?", rb"cut \ud83d, whole \ud83d\ude00, quoted \\ud83d")
    request = ExportTraceServiceRequest.FromString(from_json(Signal.TRACES, body))
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "cut �, whole 😀, quoted \\ud83d"


@pytest.mark.parametrize(
    ("fields", "place", "expected"),
    [
        ({"traceId": "xyz"}, ".traceId", "an id as hexadecimal text"),
        ({"traceId": " 0 1"}, ".traceId", "an id as hexadecimal text"),
        ({"traceId": 7}, ".traceId", "an id as hexadecimal text"),
        ({"name": 7}, ".name", "a text"),
        ({"kind": "SPAN_KIND_CLIENT"}, ".kind", "an enum as a number"),
        ({"kind": True}, ".kind", "an enum as a number"),
        ({"attributes": {}}, ".attributes", "a list"),
        ({"attributes": [{}, 5]}, ".attributes[1]", "an object"),
        ({"attributes": [{"key": 1}]}, ".attributes[0].key", "a text"),
        ({"status": []}, ".status", "an object"),
        ({"startTimeUnixNano": -1}, ".startTimeUnixNano", "a whole number from 0 to 2^64 - 1"),
        ({"droppedAttributesCount": 2**32}, ".droppedAttributesCount", "a whole number from 0 to 2^32 - 1"),
        ({"events": [{"timeUnixNano": "x"}]}, ".events[0].timeUnixNano", "a whole number, or one as text"),
        ({"attributes": [{"value": {"boolValue": 1}}]}, ".attributes[0].value.boolValue", "true or false"),
        ({"attributes": [{"value": {"bytesValue": "*"}}]}, ".attributes[0].value.bytesValue", "bytes as base64 text"),
    ],
)
def test_an_error_names_the_place_what_is_expected_and_what_was_found(
    fields: dict[str, Any], place: str, expected: str
) -> None:
    reason = refusal(spans_of(**fields))
    assert f"at $.resourceSpans[0].scopeSpans[0].spans[0]{place}: expected {expected}, found " in reason
    assert reason.startswith("not a valid ExportTraceServiceRequest")


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    assert len(refusal(spans_of(kind="x" * 10_000))) < 300


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"[1,]", b"\xff", b"\xef\xbb\xbf{}", b"NaN", b'{"a":1e999}'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert refusal(body).startswith("not valid JSON")


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"text"'])
def test_a_request_is_an_object(body: bytes) -> None:
    assert "at $: expected an object" in refusal(body)


def test_a_spelling_of_the_proto_files_is_an_error_and_not_lost_data() -> None:
    assert "at $.resource_spans: field names are lowerCamelCase: write `resourceSpans`" in refusal(
        b'{"resource_spans":[]}'
    )


def nested(levels: int) -> Any:
    value: Any = {"intValue": 1}
    for level in range(levels):
        value = (
            {"arrayValue": {"values": [value]}}
            if level % 2
            else {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
        )
    return value


def test_lists_and_maps_nest_up_to_a_limit() -> None:
    span(attributes=[{"key": "k", "value": nested(30)}])
    assert "at most 45 levels" in refusal(spans_of(attributes=[{"key": "k", "value": nested(46)}]))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"resourceSpans":' + b"[" * 2000])
def test_deep_nesting_is_refused(body: bytes) -> None:
    refusal(body)


@pytest.mark.parametrize("filler", [b"{},", b"[],", b'{"a":[]},'])
def test_more_objects_than_allowed_are_refused_before_they_are_made(filler: bytes) -> None:
    body = b'{"resourceSpans":[' + filler * 1000 + b"{}]}"
    with pytest.raises(Rejected, match="more than 500 JSON objects and lists"):
        from_json(Signal.TRACES, body, max_items=100)
    from_json(Signal.TRACES, b'{"resourceSpans":[' + b"{}," * 400 + b"{}]}", max_items=100)


def test_brackets_in_texts_are_not_objects() -> None:
    body = spans_of(name='{"[\\"{' * 1000)
    assert from_json(Signal.TRACES, body, max_items=10) == from_json(Signal.TRACES, body)


@pytest.mark.parametrize("signal", Signal)
@given(body=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "resource", "attributes", "value", "resourceLogs",
                         "resourceMetrics", "scopeMetrics", "metrics", "gauge", "dataPoints", "traceId", "kind"]),
        inner, max_size=3)), max_leaves=30))  # fmt: skip
def test_any_json_is_read_or_refused_and_what_is_read_is_valid(signal: Signal, body: Any) -> None:
    try:
        payload = from_json(signal, orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS))
    except (Rejected, orjson.JSONEncodeError):
        return
    SERVICES[signal].request.FromString(payload)
