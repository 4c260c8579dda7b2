"""What policies make of traces, beside what is compared with the Collector."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.batch import Batch
from tests.llm.rows import Row, spans
from tests.processors.tail_sampling.asking import (
    all_of,
    asked,
    compiled,
    drop,
    kept,
    negated,
    of_type,
    one_span_each,
    share,
    sql,
    traces,
)

_ERROR = of_type("status_code", status_codes=["ERROR"])


@pytest.mark.parametrize(
    ("having", "expected"),
    [
        ("bool_or(status_code = 'error')", [True, False, False]),
        ("sum(cost_usd) > 0.5", [False, True, False]),
        ("max(duration_ms) > 30000", [False, False, True]),
        ("bool_or(status_code = 'error') or sum(cost_usd) > 0.5 or max(duration_ms) > 30000", [True, True, True]),
        ("bool_or(attributes['app.tier'] = 'gold')", [True, False, False]),
        ("bool_or(spans.resource_attributes['service.name'] = 'shop')", [False, False, True]),
        ("span_count > 1", [False, True, False]),
        ("count(*) filter (where root) = 0", [False, False, True]),
        ("trace_duration_ms >= 40000", [False, False, True]),
        ("lowest_score < 0.5", [True, False, False]),
        ("negative_feedback", [False, True, False]),
        ("not bool_or(root)", [False, False, True]),
        ("len(list_filter(list(name), lambda n: n = 'work')) = 2", [False, True, False]),
        ("sum(input_tokens) > 0", [False, False, False]),
        ("bool_or(len(list_filter(events, lambda e: e.name = 'exception')) > 0)", [False, False, True]),
    ],
)
def test_a_policy_in_sql_looks_at_the_whole_trace(having: str, expected: list[bool]) -> None:
    rows = spans(
        Row({"app.tier": "gold"}, error=True),
        Row(),
        Row(),
        Row(resource={"service.name": "shop"}, parent=9, milliseconds=40_000, events=[("exception", 1, {})]),
    )
    rows = rows.with_record_column("cost_usd", pa.array([0.2, 0.3, 0.3, None]).cast(pa.decimal128(18, 9)))
    about = traces([0.0] * 3, lowest_score=[0.2, 0.8, np.nan], negative_feedback=[False, True, False])
    verdicts = asked(compiled(sql(having)), rows, [0, 1, 1, 2], about)
    assert (verdicts.policy >= 0).tolist() == expected


def test_a_value_that_cannot_be_worked_out_spoils_its_own_trace_and_policy_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = "attributes['n']::int"
    policies = compiled(
        sql(f"max({number}) > 3 or min({number}) < 2"),
        negated(sql(f"bool_or({number} = 7)")),
        sql("bool_or(attributes['n'] = 'many')"),
    )
    rows = spans(Row({"n": "5"}), Row({"n": "many"}), Row({"n": "2"}), Row({"n": "7"}))
    for _ in range(2):
        verdicts = asked(policies, rows, [0, 1, 2, 3], traces([0.0] * 4))
    assert verdicts.policy.tolist() == [0, 2, 1, 0]
    assert verdicts.failed.tolist() == [1, 1, 0]
    told = capsys.readouterr().err
    assert told.count("cannot be worked out for some traces") == 2
    assert "many" not in told


def test_an_aggregate_that_overflows_spoils_no_other_policy() -> None:
    policies = compiled(sql("sum(attributes['n']::hugeint) > 0"), sql("count(*) = 2"))
    largest = str(2**127 - 1)
    verdicts = asked(policies, spans(Row({"n": largest}), Row({"n": largest})), [0, 0], traces([0.0]))
    assert verdicts.policy.tolist() == [1]
    assert verdicts.failed.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (of_type("numeric_attribute", key="n", max_value=9), [True, False, False, False]),
        (of_type("string_attribute", key="n", values=["5", "^$"], enabled_regex_matching=True), [False, True, 0, 0]),
        (of_type("boolean_attribute", key="n", value=False), [False, False, True, False]),
        (of_type("numeric_attribute", key="n", max_value=9, invert_match=True), [False, True, True, True]),
    ],
)  # fmt: skip
def test_an_attribute_of_another_type_is_none(policy: dict[str, object], expected: list[bool]) -> None:
    assert kept(policy, Row({"n": 5}), Row({"n": "5"}), Row({"n": False}), Row({"n": [5]})) == expected


def test_latency_is_that_of_the_whole_trace() -> None:
    """The Collector would keep it: its first span alone is within the bounds."""
    policies = compiled(of_type("latency", threshold_ms=5, upper_threshold_ms=20))
    rows = spans(Row(milliseconds=10), Row(milliseconds=50), Row(milliseconds=10))
    assert asked(policies, rows, [0, 0, 1], traces([0.0, 0.0])).policy.tolist() == [-1, 0]


def test_a_share_is_kept_from_a_threshold_on() -> None:
    rows, of_row = one_span_each(4)
    verdicts = asked(compiled(share(25)), rows, of_row, traces([0.0, 0.7499, 0.75, 0.9]))
    assert verdicts.threshold.tolist() == [0.75] * 4
    assert verdicts.policy.tolist() == [-1, -1, 0, 0]
    assert verdicts.matched.tolist() == [2]


def test_all_of_several_policies_have_the_highest_threshold_and_any_of_them_the_lowest() -> None:
    policies = compiled(share(10), all_of(_ERROR, share(50), share(25)), all_of(_ERROR, all_of(share(40))))
    verdicts = asked(policies, spans(Row(error=True), Row(error=True), Row()), range(3), traces([0.6, 0.95, 0.95]))
    assert verdicts.threshold == pytest.approx([0.6, 0.6, 0.9])
    assert verdicts.policy.tolist() == [2, 2, 0]


def test_the_first_policy_that_matches_can_be_the_one_that_is_named() -> None:
    policies = compiled(share(10), _ERROR, sample_on_first_match=True)
    verdicts = asked(policies, spans(Row(error=True), Row(error=True)), range(2), traces([0.95, 0.5]))
    assert verdicts.policy.tolist() == [0, 1]
    assert verdicts.threshold.tolist() == [0.0, 0.0]


def test_what_is_dropped_in_part_is_kept_above_a_threshold() -> None:
    policies = compiled(of_type("always_sample"), drop(_ERROR, share(30)), drop(sql("span_count > 1")))
    rows = spans(Row(error=True), Row(error=True), Row(), Row(), Row())
    verdicts = asked(policies, rows, [0, 1, 2, 3, 3], traces([0.2, 0.3, 0.0, 0.99]))
    assert verdicts.threshold.tolist() == [0.3, 0.3, 0.0, 1.0]
    assert verdicts.policy.tolist() == [-1, 0, 0, -1]
    assert verdicts.dropped_by.tolist() == [1, -1, -1, 2]
    assert verdicts.matched.tolist() == [2, 1, 1]


def test_traces_that_are_dropped_do_not_count_against_a_rate() -> None:
    policies = compiled(of_type("rate_limiting", spans_per_second=1), drop(_ERROR))
    rows = spans(Row(error=True), Row(error=True), Row(), Row())
    assert asked(policies, rows, range(4), traces([0.9, 0.8, 0.1, 0.2])).policy.tolist() == [-1, -1, 0, 0]


def test_a_policy_reads_only_the_columns_that_it_needs() -> None:
    policies = compiled(
        sql("bool_or(root) and max(duration_ms) > 1 or bool_or(resource_attributes['a'] = '1')"),
        of_type("usd_limiting", usd_per_hour=1),
    )
    wanted = {"parent_span_id", "start_time_unix_nano", "end_time_unix_nano", "resource", "cost_usd"}
    assert policies.columns == wanted
    rows = spans(Row(), Row(milliseconds=0.5))
    held = Batch(rows.signal, rows.records.select([n for n in rows.records.schema.names if n in wanted]))
    assert asked(policies, held, range(2), traces([0.0, 0.0])).matched.tolist() == [1, 2]
    assert compiled(of_type("bytes_limiting", bytes_per_second=1)).wants_sizes
    assert compiled(of_type("always_sample")).columns == frozenset()


@hypothesis_settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.floats(0, 1, exclude_max=True)), min_size=1, max_size=12),
    st.integers(1, 99),
)
def test_a_trace_is_kept_exactly_when_its_randomness_is_not_below_its_threshold(
    drawn: list[tuple[bool, int, float]], percent: int
) -> None:
    rows = [Row(error=error) for error, count, _ in drawn for _ in range(count)]
    of_row = [number for number, (_, count, _) in enumerate(drawn) for _ in range(count)]
    randomness = np.array([each[2] for each in drawn])
    policies = compiled(
        all_of(_ERROR, of_type("rate_limiting", spans_per_second=2, burst_capacity=5), share(percent)),
        of_type("composite", max_total_spans_per_second=6, composite_sub_policy=[
            {"name": "many", **sql("span_count > 2")}, {"name": "errors", **negated(_ERROR)},
        ]),
        drop(sql("span_count = 1"), share(20)),
    )  # fmt: skip
    for seconds in (0.0, 0.5):
        verdicts = asked(policies, spans(*rows), of_row, traces(randomness), seconds)
        assert ((verdicts.policy >= 0) == (randomness >= verdicts.threshold)).all()
        assert ((verdicts.threshold >= 0) & (verdicts.threshold <= 1)).all()
        assert not (verdicts.dropped_by[verdicts.policy >= 0] >= 0).any()
    assert json.loads(json.dumps(policies.state())) == policies.state()
