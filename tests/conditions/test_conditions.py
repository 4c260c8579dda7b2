"""Conditions: what they see, what they may not do, and that both ways of running them agree."""

import asyncio
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from spanmill.batch import Batch
from spanmill.conditions import Condition, ConditionFailed, InvalidCondition, engine
from spanmill.schema import TABLES
from spanmill.signal import Signal
from tests.data import START, batch_of, key_value, spans, traces
from tests.processors.building import ROWS, Pairs, pairs
from tests.processors.building import batch_of as rows_of
from tests.strategies import REQUESTS


def holds(sql: str, batch: Batch) -> list[bool]:
    result = Condition(sql, batch.signal)(batch)
    assert result.null_count == 0
    return list(result.to_pylist())


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("status_code = 'unset' and duration_ms > 1", [True, True]),
        ("attributes['gen_ai.usage.input_tokens'] = '2'", [False, True]),
        ("attributes['gen_ai.usage.input_tokens']::int >= 1", [True, True]),
        ("spans.attributes['gen_ai.request.model'] like 'gpt-%'", [True, True]),
        ("resource_attributes['service.name'] = 'shop'", [True, True]),
        ("attributes['missing'] = 'x'", [False, False]),
        ("not attributes['missing'] = 'x'", [False, False]),
        ("attributes['missing'] is null", [True, True]),
        ("Status_Code IN ('unset', 'ok') AND NAME = 'chat'", [True, True]),
        ("trace_id like '%2'", [False, True]),
        ("map_keys(attributes)[1] = 'gen_ai.request.model'", [True, True]),
        ("start_time > '2025-01-01'", [True, True]),
        ("regexp_matches(name, '^ch') and length(events) = 0", [True, True]),
        ("true -- with a comment", [True, True]),
        ("null::boolean", [False, False]),
        ("flags = -1 or flags < 1.5", [True, True]),
        ("name like 'c_at' and name not like 'x\\%'", [True, True]),
    ],
)
def test_a_condition_sees_the_public_columns_of_its_row(sql: str, expected: list[bool]) -> None:
    assert holds(sql, spans(2)) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("statuscode = 'x'", 'spans has no column statuscode. Did you mean "status_code"? There are: trace_id, '),
        ('name = "chat"', "spans has no column chat. A text stands in single quotes: 'chat'."),
        ("name", "the expression is a text, not a boolean"),
        ("name =", "not SQL: syntax error"),
        ("uper(name) = 'X'", 'there is no function uper. Did you mean "upper"?'),
        ("sum(duration_ms) > 1", "sum is an aggregate over many"),
        ("(select true)", "cannot hold a subquery"),
        ("name in (select name from spans)", "cannot hold a subquery"),
        ("exists (from duckdb_settings())", "cannot hold a subquery"),
        ("row_number() over () = 1", "cannot hold a window function"),
        ("true) from spans where (true", "one expression, not a statement"),
        ("true; select true", "not SQL"),
        ("true); select (true", "one expression, not several statements"),
        ("current_setting('threads') = '1'", "current_setting is not for conditions"),
        ("getvariable('x') is null", "getvariable is not for conditions"),
        ("now() > start_time", "now is not for conditions"),
        ("random() < 0.1", "random is not for conditions"),
        ("read_text('/etc/passwd') = 'x'", "read_text is not for conditions"),
        ("getenv('HOME') = 'x'", "there is no function getenv"),
        ("name = $1", "parameters"),
        ("#1 = 'x'", "columns are named, not numbered"),
        ("columns('n.*') = 'x'", "stand for many columns"),
        ("start_time > 'soon'", "Could not convert string 'soon'"),
    ],
)
def test_what_cannot_be_a_condition_is_said_when_it_is_compiled(sql: str, message: str) -> None:
    with pytest.raises(InvalidCondition) as raised:
        Condition(sql, Signal.TRACES)
    assert message in str(raised.value)


def test_the_database_of_conditions_reads_no_file_and_changes_no_setting() -> None:

    for sql in (
        "SELECT * FROM read_text('/etc/hostname')",
        "SET threads = 2",
        "INSTALL httpfs",
        "COPY (SELECT 1) TO 'x'",
    ):
        with pytest.raises(duckdb.Error):
            engine.connection().execute(sql)


def test_a_row_that_cannot_be_worked_out_fails_the_strict_way_and_is_false_the_tolerant_way() -> None:
    batch = rows_of(Signal.TRACES, [pairs(n="1"), pairs(n="one"), pairs(n="3")])
    condition = Condition("attributes['n']::int > 0", Signal.TRACES)
    with pytest.raises(ConditionFailed, match="Could not convert string 'one'"):
        condition(batch)
    assert condition.where_it_can(batch).to_pylist() == [True, False, True]


def test_a_condition_that_fails_in_two_places_leaves_the_other_rows_alone() -> None:
    """What both places share must not be worked out before them, where nothing catches the error."""
    condition = Condition("attributes['n']::int > 3 or attributes['n']::int < 2", Signal.TRACES)
    batch = rows_of(Signal.TRACES, [pairs(n="5"), pairs(n="many"), pairs(n="1")])
    assert condition.where_it_can(batch).to_pylist() == [True, False, True]


def test_keys_that_differ_in_case_alone_are_different_attributes() -> None:
    condition = Condition("upper(attributes['Key']) = 'A' and upper(attributes['key']) = 'B'", Signal.TRACES)
    assert condition(rows_of(Signal.TRACES, [pairs(Key="a", key="b"), pairs(Key="b", key="a")])).to_pylist() == [
        True,
        False,
    ]


def test_only_the_columns_that_are_named_are_computed() -> None:
    condition = Condition("duration_ms > 1 and attributes['a'] = 'x' and lower(name) = 'y'", Signal.TRACES)
    batch = spans(1)
    needed = ["start_time_unix_nano", "end_time_unix_nano", "attributes", "name"]
    assert condition(Batch(Signal.TRACES, batch.records.select(needed))).to_pylist() == [False]


def test_rows_keep_their_order_in_large_batches() -> None:
    batch = spans(20_000)
    found = Condition("upper(span_id)[-1] = '7'", Signal.TRACES)(batch)
    assert np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist() == [
        n - 1 for n in range(1, 20_001) if n % 16 == 7
    ]


async def test_one_condition_serves_many_threads_at_once() -> None:
    condition = Condition(
        "lower(name) = 'chat' and attributes['gen_ai.usage.input_tokens']::int % 2 = 0", Signal.TRACES
    )

    def count(first: int) -> int:
        return sum(condition(spans(101, first)).to_pylist())

    counts = await asyncio.gather(*(asyncio.to_thread(count, first) for first in range(1, 41)))
    assert counts == [50 + (first % 2 == 0) for first in range(1, 41)]


def test_a_batch_is_let_go_when_the_condition_was_worked_out() -> None:
    condition = Condition("upper(name) = 'CHAT'", Signal.TRACES)
    before = pa.total_allocated_bytes()
    batch = spans(5000)
    condition(batch)
    del batch
    assert pa.total_allocated_bytes() - before < 100_000


def test_an_empty_batch_gives_an_empty_answer() -> None:
    for sql in ("name = 'x'", "upper(name) = 'X'"):
        assert holds(sql, spans(1).slice(0, 0)) == []


SIMPLE: dict[Signal, list[str]] = {
    Signal.TRACES: [
        "name = 'chat'", "name <> ''", "name < 'm'", "'gpt-4o' <= name", "name like '%a%'", "name not like 'g%'",
        "status_code in ('ok', 'error')", "kind not in ('server')", "status_message is null", "duration_ms < 1.5",
        "-3 < duration_ms", "flags >= 7", "streaming", "not streaming", "input_tokens > 3",
        "attributes['service.name'] = 'gpt-4o'", "resource_attributes[''] <> 'x'", "attributes['a'] is not null",
        "attributes['a'] like ''", "scope_name in ('', 'gpt-4o')",
    ],
    Signal.METRICS: [
        "value > 1", "value <= 0.5", "value_int = 3", "is_monotonic", "count > 10", "unit is null", "scale < 0",
    ],
    Signal.LOGS: ["severity_number >= 9", "severity_text = 'gpt-4o'", "body like '%role%'", "event_name is not null"],
}  # fmt: skip


@st.composite
def simple_sql(draw: st.DrawFn, signal: Signal) -> str:
    """Conditions of the kind that runs without DuckDB."""
    leaves = st.sampled_from(SIMPLE[signal])
    grow = lambda inner: st.one_of(  # noqa: E731 - a strategy of strategies
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    )
    return draw(st.recursive(leaves, grow, max_leaves=4))


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.sampled_from(Signal).flatmap(lambda s: st.tuples(st.just(s), REQUESTS[s], simple_sql(s))))
def test_conditions_that_run_without_duckdb_say_what_duckdb_says(case: tuple[Signal, Any, str]) -> None:
    signal, request, sql = case
    batch = batch_of(request, signal)
    condition = Condition(sql, signal)
    assert condition._simple is not None, sql
    assert condition(batch) == condition.where_it_can(batch)
    assert condition(batch).to_pylist() == whole_table(sql, batch)


@hypothesis_settings(deadline=None, max_examples=15)
@given(ROWS, st.sampled_from(["a", "b", "http.route", ""]))
def test_an_attribute_is_what_the_map_column_holds(rows: list[Pairs], key: str) -> None:
    batch = rows_of(Signal.TRACES, rows, resource=rows[0])
    for sql in (f"attributes['{key}'] < 'c'", f"length(resource_attributes['{key}']) > 1"):
        assert holds(sql, batch) == whole_table(sql, batch)


def whole_table(sql: str, batch: Batch) -> list[bool]:
    """The answer of plain DuckDB over the whole public table."""
    name = TABLES[batch.signal].name
    if len(batch) == 0:
        return []
    column = engine.run(f"SELECT coalesce(({sql}), false) FROM {name}", name, batch.table())
    return list(column.to_pylist())


def test_not_a_number_is_ordered_as_duckdb_orders_it() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for value in (1.0, float("nan"), 9.0):
        metric.gauge.data_points.add(as_double=value, time_unix_nano=START)
    assert holds("value > 5", batch_of(request, Signal.METRICS)) == [False, True, True]


def test_text_in_a_condition_is_only_text() -> None:
    request = traces(1)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(key_value('it\'s "k"', "v'; drop"))
    assert holds("attributes['it''s \"k\"'] = 'v''; drop'", batch_of(request)) == [True]
    assert holds("upper(attributes['it''s \"k\"']) = 'V''; DROP'", batch_of(request)) == [True]
