"""What the configuration of tail sampling accepts, and what it says about the rest."""

from typing import Any

import pytest
from pydantic import ValidationError

from spanmill.config.base import Notes
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.signal import Signal
from tests.processors.tail_sampling.asking import (
    Policy,
    all_of,
    config,
    drop,
    negated,
    of_type,
    share,
    sql,
)

_ALWAYS = of_type("always_sample")
_RATE = of_type("rate_limiting", spans_per_second=5)


def _said(*policies: Policy, **keys: Any) -> str:
    """All that validation says, problems and hints."""
    with pytest.raises(ValidationError) as raised:
        config(*policies, **keys)
    errors = raised.value.errors()
    return " ".join(f"{each['msg']} {each.get('ctx', {})} at {each['loc']}" for each in errors)


def test_the_keys_of_the_collector_are_read() -> None:
    read = config(
        _ALWAYS,
        decision_wait="10s",
        decision_wait_after_root_received="2s",
        num_traces=100,
        expected_new_traces_per_sec=10,
        num_shards=4,
        decision_cache={"sampled_cache_size": 5, "non_sampled_cache_size": 0},
        sample_on_first_match=True,
        drop_pending_traces_on_shutdown=True,
        block_on_overflow=True,
        maximum_trace_size_bytes=1000,
        sampling_strategy="trace-complete",
    )
    assert (read.decision_wait, read.num_traces, read.decision_cache.sampled_cache_size) == (10.0, 100, 5)
    assert read.decision_cache.non_sampled_cache_size == 0


def test_late_spans_follow_their_trace_unless_that_is_turned_off() -> None:
    assert config(_ALWAYS).decision_cache.sampled_cache_size == 100_000
    assert TailSamplingProcessorConfig.model_validate(
        {"policies": [{"name": "a", "type": "always_sample"}], "decision_cache": None}
    ).decision_cache.non_sampled_cache_size == 100_000  # fmt: skip


def test_what_is_printed_is_read_again_as_the_same() -> None:
    read = config(all_of(negated(of_type("latency", threshold_ms=5)), share(5)), drop(sql("span_count > 1")), _RATE)
    printed = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert printed["policies"][0]["and"]["and_sub_policy"][0]["not"]["not_sub_policy"]["type"] == "latency"
    assert TailSamplingProcessorConfig.model_validate(printed) == read


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ([], "at least 1 item"),
        ([{"type": "always"}], "'always_sample'"),
        ([{"type": "latency"}], "a policy of type latency needs `latency`"),
        ([{"type": "sql"}], "a policy of type sql needs `having`"),
        ([{**_RATE, "type": "always_sample"}], "`rate_limiting` does not belong to a policy of type always_sample"),
        ([{"name": "a", **_ALWAYS}, {"name": "a", **_ALWAYS}], "two policies are called `a`"),
        ([{"name": "", **_ALWAYS}], "at least 1 character"),
        ([of_type("latency", threshold_ms=9, upper_threshold_ms=5)], "`threshold_ms` is above `upper_threshold_ms`"),
        ([of_type("numeric_attribute", key="n", min_value=9, max_value=5)], "`min_value` is above `max_value`"),
        ([of_type("numeric_attribute", key="n", min_value=0, max_value=0)], "there is no bound, since 0 means none"),
        ([of_type("span_count", min_spans=9, max_spans=5)], "`min_spans` is above `max_spans`"),
        ([of_type("string_attribute", key="n", values=[])], "at least 1 item"),
        ([of_type("status_code", status_codes=["FAILED"])], "'OK', 'ERROR' or 'UNSET'"),
        ([share(-1)], "greater than or equal to 0"),
        ([of_type("rate_limiting", spans_per_second=0)], "greater than 0"),
        ([of_type("usd_limiting", usd_per_hour=0)], "greater than 0"),
        ([of_type("ottl_condition", error_mode="ignore")], "there is no condition"),
        ([negated(share(30))], "`sampling_percentage: 70`"),
        ([negated(all_of(_ALWAYS, _RATE))], "`not` cannot hold rate_limiting"),
        ([_ALWAYS, drop(_RATE)], "it would drop what the rate allows"),
        ([drop(_ALWAYS)], "no policy keeps anything"),
        ([all_of(of_type("composite", max_total_spans_per_second=1))], "'always_sample'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policies: list[Policy], said: str) -> None:
    assert said in _said(*policies)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"policy_order": ["a", "x"]}, "there is no policy `x` here"),
        ({"policy_order": ["a", "a"]}, "`a` is named twice"),
        ({"policy_order": ["a"]}, "`b` is not in the order"),
        ({"policy_order": ["b", "a"]}, "takes every trace: none is left for those behind it"),
        ({"rate_allocation": [{"policy": "c", "percent": 5}]}, "there is no policy `c` here"),
        ({"rate_allocation": [{"policy": "a", "percent": 60}, {"policy": "b", "percent": 50}]}, "110 % together"),
        ({"composite_sub_policy": [_ALWAYS]}, "a policy has no name"),
        ({"composite_sub_policy": [{"name": "a", **sql("true")}] * 2}, "two policies have the same name"),
    ],
)
def test_a_composite_policy_that_makes_no_sense_is_refused(changed: dict[str, Any], said: str) -> None:
    sub = [{"name": "a", **sql("span_count > 1")}, {"name": "b", **_ALWAYS}]
    whole = {"max_total_spans_per_second": 10, "composite_sub_policy": sub, **changed}
    assert said in _said(of_type("composite", **whole))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"decision_wait": "2h"}, "`decision_wait_limit` is below `decision_wait`"),
        ({"sampling_strategy": "span-ingest"}, "spans are not judged one by one"),
        ({"tail_storage": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_processor_that_cannot_work_is_refused(keys: dict[str, Any], said: str) -> None:
    assert said in _said(_ALWAYS, **keys)


def test_a_salt_without_effect_is_pointed_out() -> None:
    notes = Notes()
    policy = {"name": "a", **of_type("probabilistic", hash_salt="x", sampling_percentage=5)}
    TailSamplingProcessorConfig.model_validate({"policies": [policy]}, context=notes)
    assert "`hash_salt` has no effect" in notes.warnings[0][1]


@pytest.mark.parametrize(
    ("policy", "path", "said"),
    [
        (sql("status_code = 'error'"), ("having",), "status_code has a value for each row"),
        (sql("max(span_count) > 1"), ("having",), "span_count is a value of the whole group"),
        (sql("sum(cost_usd)"), ("having",), "not a boolean"),
        (sql("sum(costs) > 1"), ("having",), "spans has no column costs"),
        (sql("count(*) > (select 1)"), ("having",), "cannot hold a subquery"),
        (sql("row_number() over () > 1"), ("having",), "cannot hold a window function"),
        (sql("random() > 0.5 and count(*) > 1"), ("having",), "random is not for conditions"),
        (sql("reservoir_quantile(duration_ms, 0.5) > 1"), ("having",), "reservoir_quantile is not for conditions"),
        (sql("max(max(duration_ms)) > 1"), ("having",), "an aggregate within an aggregate"),
        (sql("count(*) >"), ("having",), "not SQL"),
        (sql("max(start_time) > now()"), ("having",), "now is not for conditions"),
        (
            of_type("string_attribute", key="a", values=["ok", "(?=a)"], enabled_regex_matching=True),
            ("string_attribute", "values", 1),
            "the pattern cannot be used: invalid perl operator",
        ),
        (
            of_type("ottl_condition", span=['attributes["n"] > 500']),
            ("ottl_condition", "span"),
            "having: \"bool_or((attributes['n'] > 500))\"",
        ),
        (of_type("ottl_condition", spanevent=['name == "e"']), ("ottl_condition", "spanevent"), "list_filter(events"),
        (of_type("ottl_condition", span=['body == "e"']), ("ottl_condition", "span"), "spans has no column body"),
        (
            all_of(_ALWAYS, negated(sql("name"))),
            ("and", "and_sub_policy", 1, "not", "not_sub_policy", "having"),
            "name",
        ),
    ],
)
def test_what_only_the_engine_can_judge_is_said_with_its_place(
    policy: Policy, path: tuple[Any, ...], said: str
) -> None:
    (misfit,) = config(_ALWAYS, policy).misfits(Signal.TRACES)
    assert misfit.path == ("policies", 1, *path)
    assert said in f"{misfit.problem} {misfit.hint}"


def test_policies_that_can_be_compiled_are_not_remarked_upon() -> None:
    fine = [sql("bool_or(root)"), of_type("ottl_condition", span=['attributes["s"] == "a"'])]
    assert list(config(*fine, drop(fine[0])).misfits(Signal.TRACES)) == []
