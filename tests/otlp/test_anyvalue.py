"""AnyValue columns as text, compared with an obviously right rendering of protobuf's own objects."""

import base64
import json
import math

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spanmill.otlp.anyvalue import attribute_values, attributes_to_map, values_to_text
from spanmill.otlp.messages import handler
from tests.strategies import ANY_VALUES, TEXT


def column(values: list[AnyValue]) -> pa.StructArray:
    records = handler(AnyValue).array_to_record_batch(pa.array([v.SerializeToString() for v in values], pa.binary()))
    return pa.StructArray.from_arrays(records.columns, fields=list(records.schema))


def attribute_lists(rows: list[list[KeyValue]]) -> pa.ListArray:
    spans = [Span(attributes=row).SerializeToString() for row in rows]
    return handler(Span).array_to_record_batch(pa.array(spans, pa.binary())).column("attributes")


def plain(value: AnyValue) -> object:
    """What JSON should say, slowly."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            number = value.double_value
            return (
                number if math.isfinite(number) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
            )
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value":
            return [plain(element) for element in value.array_value.values]
        case "kvlist_value":
            return {kv.key: plain(kv.value) for kv in value.kvlist_value.values}
    return None


@given(st.lists(ANY_VALUES, max_size=5))
def test_text_is_itself_and_everything_else_is_the_json_of_its_value(values: list[AnyValue]) -> None:
    texts = values_to_text(column(values)).to_pylist()
    for value, text in zip(values, texts, strict=True):
        expected = plain(value)
        if value.WhichOneof("value") in (None, "string_value", "bytes_value") or isinstance(expected, str):
            assert text == expected
        else:
            assert json.loads(text) == expected
            assert type(json.loads(text)) is type(expected)


def test_a_number_keeps_its_kind_and_all_its_digits() -> None:
    values = [
        AnyValue(int_value=2**63 - 1),
        AnyValue(double_value=3.0),
        AnyValue(double_value=1e20),
        AnyValue(double_value=0.1),
    ]
    assert values_to_text(column(values)).to_pylist() == ["9223372036854775807", "3.0", "1e+20", "0.1"]


def test_numbers_that_json_has_not_are_named_as_in_otlp_json() -> None:
    values = [AnyValue(double_value=number) for number in (math.nan, math.inf, -math.inf)]
    assert values_to_text(column(values)).to_pylist() == ["NaN", "Infinity", "-Infinity"]


@given(st.text(max_size=20))
def test_text_within_an_array_is_escaped_as_json_demands(text: str) -> None:
    value = AnyValue()
    value.array_value.values.add(string_value=text.encode("utf-8", "replace").decode())
    rendered = values_to_text(column([value]))[0].as_py()
    assert orjson.loads(rendered) == [value.array_value.values[0].string_value]


@given(st.lists(st.lists(st.tuples(TEXT, ANY_VALUES), max_size=5), max_size=5))
def test_attributes_become_a_map_in_which_the_last_of_equal_keys_wins(rows: list[list[tuple[str, AnyValue]]]) -> None:
    lists = attribute_lists([[KeyValue(key=k, value=v) for k, v in row] for row in rows])
    for row, entries in zip(rows, attributes_to_map(lists).to_pylist(), strict=True):
        texts = values_to_text(column([v for _, v in row])).to_pylist()
        assert dict(entries) == {k: t for (k, _), t in zip(row, texts, strict=True)}
        assert len(entries) == len(dict(entries))


@given(st.lists(st.lists(st.sampled_from("abc"), unique=True), max_size=6), st.integers(0, 3))
def test_an_attribute_is_found_in_the_rows_that_have_it(rows: list[list[str]], offset: int) -> None:
    lists = attribute_lists([[KeyValue(key=k, value=AnyValue(string_value=k * 2)) for k in row] for row in rows])
    found = values_to_text(attribute_values(lists.slice(offset), "b")).to_pylist()
    assert found == ["bb" if "b" in row else None for row in rows[offset:]]


def test_long_columns_are_rendered_piece_by_piece_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [AnyValue(int_value=number) if number % 3 else AnyValue(bool_value=True) for number in range(20)]
    whole = values_to_text(column(values)).to_pylist()
    monkeypatch.setattr("spanmill.otlp.anyvalue._ROWS_AT_ONCE", 3)
    assert values_to_text(column(values)).to_pylist() == whole == [json.dumps(plain(value)) for value in values]


def test_a_slice_of_a_column_gives_the_rows_of_the_slice() -> None:
    lists = attribute_lists([[KeyValue(key="k", value=AnyValue(int_value=n))] for n in range(5)])
    assert attributes_to_map(lists.slice(2, 2)).to_pylist() == [[("k", "2")], [("k", "3")]]


@pytest.mark.parametrize("count", [0, 1])
def test_columns_of_no_rows_and_rows_of_no_attributes_are_fine(count: int) -> None:
    assert attributes_to_map(attribute_lists([[]] * count)).to_pylist() == [[]] * count
