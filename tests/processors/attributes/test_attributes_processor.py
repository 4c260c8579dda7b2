"""The attributes processor against a slow implementation, and by example."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.config.actions import Action
from spanmill.names import Kind
from spanmill.processors.attributes.config import AttributesProcessorConfig
from spanmill.processors.attributes.processor import AttributesProcessor
from spanmill.signal import Signal
from tests.processors.attributes.slow_actions import slow_apply
from tests.processors.building import KEYS, ROWS, Pairs, attributes_of, batch_of, pairs, request_of, settings

SET_VALUES = st.one_of(
    st.text(max_size=5),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
)
EXTRACTIONS = st.sampled_from([r"(?P<a>[a-z]+)=(?P<n>\d+)", r"^(?P<user>\w)(x)?(?P<c>y)?", r"id=(?P<id>\d+)"])


@st.composite
def actions(draw: st.DrawFn) -> Action:
    kind = draw(st.sampled_from(["insert", "update", "upsert", "delete", "hash", "extract", "convert"]))
    body: dict[str, Any] = {"action": kind, "key": draw(KEYS)}
    if kind in ("insert", "update", "upsert"):
        body |= draw(
            st.one_of(
                st.builds(lambda v: {"value": v}, SET_VALUES),
                st.builds(lambda k: {"from_attribute": k}, KEYS),
                st.builds(lambda k, v: {"from_attribute": k, "default_value": v}, KEYS, SET_VALUES),
            )
        )
    if kind in ("delete", "hash"):
        body |= draw(st.sampled_from([{}, {"pattern": "^a"}, {"pattern": "(user|b)"}]))
    if kind == "extract":
        body["pattern"] = draw(EXTRACTIONS)
    if kind == "convert":
        body["converted_type"] = draw(st.sampled_from(["int", "double", "string"]))
    return Action.model_validate(body)


def run(batch: Batch, *actions: dict[str, Any], **more: Any) -> Batch:
    config = AttributesProcessorConfig.model_validate({"actions": list(actions), **more})
    return AttributesProcessor(config, settings(Kind.PROCESSORS, "attributes"))(batch)


def changed(row: Pairs, *actions: dict[str, Any]) -> Pairs:
    return attributes_of(run(batch_of(Signal.TRACES, [row]), *actions))[0]


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.sampled_from(Signal), ROWS, st.lists(actions(), min_size=1, max_size=3))
def test_actions_do_to_columns_what_they_do_to_rows(signal: Signal, rows: list[Pairs], steps: list[Action]) -> None:
    config = AttributesProcessorConfig(actions=tuple(steps))
    result = AttributesProcessor(config, settings(Kind.PROCESSORS, "attributes"))(batch_of(signal, rows))
    for step in steps:
        rows = [slow_apply(step, row) for row in rows]
    assert request_of(result) == request_of(batch_of(signal, rows))


@hypothesis_settings(deadline=None, max_examples=30)
@given(ROWS, actions(), st.data())
def test_a_slice_of_a_batch_is_changed_like_a_batch(rows: list[Pairs], step: Action, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(rows) - 1))
    length = data.draw(st.integers(1, len(rows) - start))
    processor = AttributesProcessor(AttributesProcessorConfig(actions=(step,)), settings(Kind.PROCESSORS, "attributes"))
    result = processor(batch_of(Signal.TRACES, rows).slice(start, length))
    expected = [slow_apply(step, row) for row in rows[start : start + length]]
    assert request_of(result) == request_of(batch_of(Signal.TRACES, expected))


def test_a_number_stays_a_number_and_its_place_is_kept() -> None:
    before = pairs(a=1, b="x", c=2.5)
    assert changed(before, {"action": "update", "key": "b", "value": 7}) == pairs(a=1, b=7, c=2.5)


def test_a_list_of_values_becomes_an_array() -> None:
    ((key, value),) = changed([], {"action": "insert", "key": "k", "value": ["x", 1, True]})
    assert key == "k"
    assert [v.WhichOneof("value") for v in value.array_value.values] == ["string_value", "int_value", "bool_value"]


def test_hash_is_the_collectors_sha1_in_hex() -> None:
    ((_, value),) = changed(pairs(email="ada@example.com"), {"action": "hash", "key": "email"})
    assert value.string_value == "3ca93ad87e0bb737e653b66ad67731e86bbc050f"
    assert changed(pairs(n=1), {"action": "hash", "key": "n"}) == pairs(n="3da89ee273be13437e7ecf760f3fbd4dc0e8d1fe")


def test_include_limits_the_rows_and_exclude_takes_some_back() -> None:
    batch = batch_of(Signal.TRACES, [pairs(t="a"), pairs(t="b"), pairs(t="c")])
    include = {"match_type": "regexp", "attributes": [{"key": "t", "value": "a|b"}]}
    exclude = {"match_type": "strict", "attributes": [{"key": "t", "value": "b"}]}
    result = run(batch, {"action": "upsert", "key": "hit", "value": 1}, include=include, exclude=exclude)
    assert attributes_of(result) == [pairs(t="a", hit=1), pairs(t="b"), pairs(t="c")]


@pytest.mark.parametrize(
    ("signal", "match", "expected"),
    [
        (Signal.TRACES, {"span_names": ["GET /"]}, True),
        (Signal.TRACES, {"span_names": ["GET"]}, False),
        (Signal.TRACES, {"span_kinds": ["SPAN_KIND_SERVER"]}, True),
        (Signal.TRACES, {"services": ["shop"]}, True),
        (Signal.TRACES, {"services": ["shop"], "span_names": ["other"]}, False),
        (Signal.TRACES, {"resources": [{"key": "zone", "value": 3}]}, True),
        (Signal.TRACES, {"resources": [{"key": "zone", "value": "3"}]}, False),
        (Signal.TRACES, {"libraries": [{"name": "tests"}]}, True),
        (Signal.TRACES, {"libraries": [{"name": "tests", "version": "1"}]}, False),
        (Signal.TRACES, {"log_bodies": ["x"]}, False),
        (Signal.METRICS, {"metric_names": ["m"]}, True),
        (Signal.LOGS, {"log_severity_number": {"min": 9}}, True),
        (Signal.LOGS, {"log_severity_number": {"min": 13}}, False),
        (Signal.LOGS, {"log_severity_texts": ["INFO"]}, True),
    ],
)
def test_each_list_of_a_match_chooses_by_its_own_column(signal: Signal, match: dict[str, Any], expected: bool) -> None:
    fields: dict[Signal, dict[str, Any]] = {
        Signal.TRACES: {"name": "GET /", "kind": 2},
        Signal.LOGS: {"severity_number": 9, "severity_text": "INFO"},
        Signal.METRICS: {},
    }
    batch = batch_of(signal, [[]], resource=pairs(**{"service.name": "shop", "zone": 3}), **fields[signal])
    result = run(batch, {"action": "insert", "key": "k", "value": "v"}, include={"match_type": "strict", **match})
    assert attributes_of(result) == [pairs(k="v") if expected else []]


def test_patterns_that_the_engine_refuses_are_found_with_their_paths() -> None:
    config = AttributesProcessorConfig.model_validate(
        {
            "actions": [{"action": "delete", "pattern": "(a)(b)"}, {"action": "delete", "pattern": "(?=x)"}],
            "include": {"match_type": "regexp", "services": ["a", "(?!b)"], "attributes": [{"key": "k", "value": "("}]},
            "exclude": {"match_type": "strict", "services": ["("]},
        }
    )
    misfits = list(config.misfits(Signal.TRACES))
    assert [m.path for m in misfits] == [
        ("actions", 1, "pattern"),
        ("include", "services", 1),
        ("include", "attributes", 0, "value"),
    ]
    assert misfits[0].problem.startswith("not a regular expression")


def test_nothing_to_change_returns_the_same_batch_and_copies_nothing() -> None:
    batch = batch_of(Signal.TRACES, [pairs(a=1)])
    result = run(batch, {"action": "delete", "key": "b"})
    assert (
        result.records.column("attributes").buffers()[1].address
        == batch.records.column("attributes").buffers()[1].address
    )
