"""The first traces of each new combination of values."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanmill.processors.tail_sampling.policies import Policies
from spanmill.processors.tail_sampling.policies.misfits import misfits
from tests.llm.rows import Row, spans
from tests.processors.tail_sampling.asking import (
    Policy,
    all_of,
    asked,
    compiled,
    config,
    drop,
    negated,
    of_type,
    share,
    sql,
    traces,
)
from tests.processors.tail_sampling.harness import Span, sampling


def first_of(most: int, *columns: str, **keys: Any) -> Policy:
    return of_type("first_of", columns=list(columns or ("name",)), traces=most, **keys)


def kept(policies: Policies, *names: str, of_row: Sequence[int] = (), randomness: float = 0.0) -> list[int]:
    """Which of some traces are kept; a row with the name `error` has failed."""
    rows = spans(*(Row(name=name, error=name == "error") for name in names))
    of_row = of_row or range(len(names))
    verdicts = asked(policies, rows, of_row, traces(np.full(max(of_row) + 1, randomness)))
    assert set(verdicts.threshold[verdicts.policy >= 0].tolist()) <= {0.0}
    return np.flatnonzero(verdicts.policy >= 0).tolist()


def test_the_first_traces_of_each_combination_are_kept_whatever_their_randomness_and_no_others() -> None:
    policies = compiled(first_of(2))
    assert kept(policies, "a", "b", "a", "a") == [0, 1, 2]
    assert kept(policies, "b", "b", "a", "c") == [0, 3]


def test_a_trace_is_one_however_many_of_its_spans_have_the_combination_and_has_all_that_they_have() -> None:
    policies = compiled(first_of(2))
    assert kept(policies, "a", "a", "a", "b", "a", of_row=[0, 0, 0, 1, 2]) == [0, 1, 2]
    assert kept(policies, "a", "b", "a", "c", "a", of_row=[0, 0, 1, 2, 2]) == [0, 2]


def test_values_are_told_apart_by_all_columns_and_by_where_they_stand() -> None:
    policies = compiled(first_of(1, "name", "status_code"))
    rows = spans(Row(name="x"), Row(name="x", error=True), Row(name="x"), Row(name="y"))
    verdicts = asked(policies, rows, range(4), traces([0.0] * 4))
    assert (verdicts.policy >= 0).tolist() == [True, True, False, True]


def test_spans_without_one_of_the_values_have_no_combination() -> None:
    assert kept(compiled(first_of(5, "name", "prompt_version")), "a", "b") == []


def test_within_an_and_those_count_that_the_others_keep() -> None:
    policies = compiled(all_of(first_of(1, "status_code"), sql("bool_or(name like 'x%')")))
    assert kept(policies, "a", "b", "x1", "x2") == [2]


def test_a_share_of_the_first_is_a_share_of_them_and_not_the_first_of_a_share() -> None:
    policies = compiled(all_of(first_of(2), share(50)))
    rows = spans(*[Row(name="a")] * 3)
    verdicts = asked(policies, rows, range(3), traces([0.9, 0.1, 0.9]))
    assert verdicts.policy.tolist() == [0, -1, -1]
    assert verdicts.threshold.tolist() == [0.5, 0.5, 1.0]


def test_what_is_dropped_does_not_count() -> None:
    policies = compiled(first_of(1), drop(of_type("status_code", status_codes=["ERROR"])))
    rows = spans(Row(name="a", error=True), Row(name="a"), Row(name="a"))
    assert asked(policies, rows, range(3), traces([0.5] * 3)).policy.tolist() == [-1, 0, -1]


def test_in_a_composite_policy_the_others_go_on_to_the_next() -> None:
    sub = [{"name": "new", **first_of(1)}, {"name": "rest", "type": "always_sample"}]
    policies = compiled(of_type("composite", max_total_spans_per_second=100, composite_sub_policy=sub))
    assert kept(policies, "a", "a", "a") == [0, 1, 2]


def test_the_combination_that_was_not_seen_for_the_longest_time_is_forgotten() -> None:
    policies = compiled(first_of(1, max_combinations=2))
    assert [kept(policies, name) for name in "abacb"] == [[0], [0], [], [0], [0]]
    assert len(policies.state()["0/first_of/0/name"]) == 2


def test_the_counts_are_there_after_a_restart_from_a_state_and_from_the_changes_since() -> None:
    before, after = compiled(first_of(3, max_combinations=3)), compiled(first_of(3, max_combinations=3))
    kept(before, "a", "b", "a")
    after.restore(json.loads(json.dumps(before.state())))
    for names in (["a", "c"], ["d", "b"], ["b"]):
        kept(before, *names)
        after.restore(json.loads(json.dumps(before.changes())))
    assert list(after.state().items()) == list(before.state().items())
    assert kept(after, "b", "a", "d") == [1, 2]


def test_counts_of_other_columns_are_not_taken_over_and_none_is_above_the_most() -> None:
    lower = compiled(first_of(1))
    lower.restore({"0/first_of/0/name": {"0" * 16: 9}, "0/first_of/0/kind": {"1" * 16: 9}})
    assert lower.state() == {"0/first_of/0/name": {"0" * 16: 1}}


async def test_after_a_crash_the_first_are_not_the_first_again(tmp_path: Path) -> None:
    policies = [{"name": "new", **first_of(1)}]
    async with sampling(tmp_path, policies, crash=True) as it:
        await it.send(Span(1, 11), Span(1, 12))
        await it.decided(1)
    async with sampling(tmp_path, policies) as it:
        await it.send(Span(2, 21))
        await it.decided(1)
        await it.gives(11, 12)


@pytest.mark.parametrize("policy", [negated(first_of(1)), drop(first_of(1)), first_of(1, "name", "name"), first_of(0)])
def test_where_it_makes_no_sense_it_is_refused(policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"cannot hold first_of|named twice|greater than 0"):
        config(of_type("always_sample"), policy)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("promt_version", ("`promt_version` is no column of `spans`", 'Did you mean "prompt_version"?')),
        ("events", ("the column `events` has no plain values", "")),
        ("duration_ms", ("the column `duration_ms` has no plain values", "")),
    ],
)
def test_a_column_that_cannot_be_used_is_named(column: str, said: tuple[str, str]) -> None:
    found = [misfit for policy in config(all_of(first_of(1, column))).policies for misfit in misfits(policy)]
    assert [(each.problem, each.hint) for each in found] == [said]
    assert found[0].path == ("and", "and_sub_policy", 0, "first_of", "columns", 0)
