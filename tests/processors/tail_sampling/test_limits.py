"""Rates: what they keep, that they are never exceeded, and that what is kept stands for the whole."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.processors.tail_sampling.policies.limits import Candidates, Limit, limited
from tests.llm.rows import Row, spans
from tests.processors.tail_sampling.asking import all_of, asked, compiled, of_type, one_span_each, sql, traces


def asking(costs: np.ndarray, randomness: np.ndarray, thresholds: np.ndarray | float = 0.0) -> Candidates:
    """Candidates for one limit."""
    return Candidates(randomness, np.broadcast_to(thresholds, len(costs)), [costs.astype(np.float64)])


def test_the_first_trace_that_does_not_fit_sets_the_threshold_for_all() -> None:
    limit = Limit("spans", "spans", 1, 10)
    costs, randomness = np.array([4, 5, 3, 1]), np.array([0.9, 0.8, 0.6, 0.1])
    found = limited([limit], asking(costs, randomness), 0.0)
    assert (randomness >= found.thresholds).tolist() == [True, True, False, False]
    assert found.thresholds.tolist() == [np.nextafter(0.6, 1)] * 4
    assert limit.holds(0.0) == 1.0


def test_a_trace_larger_than_the_burst_is_set_aside_and_stops_no_other() -> None:
    policies = compiled(of_type("rate_limiting", spans_per_second=1, burst_capacity=3))
    verdicts = asked(policies, spans(*[Row()] * 6), [0, 0, 0, 0, 1, 2], traces([0.9, 0.5, 0.4]))
    assert verdicts.policy.tolist() == [-1, 0, 0]
    assert verdicts.threshold.tolist() == [1.0, 0.0, 0.0]
    assert verdicts.oversized.tolist() == [1]


def test_traces_of_the_same_randomness_are_kept_together_or_not_at_all() -> None:
    limit = Limit("spans", "spans", 1, 3)
    randomness = np.array([0.9, 0.5, 0.5, 0.5])
    found = limited([limit], asking(np.ones(4), randomness), 0.0)
    assert (randomness >= found.thresholds).tolist() == [True, False, False, False]
    assert limit.holds(0.0) == 2.0


def test_with_two_rates_neither_is_charged_for_what_the_other_refuses() -> None:
    both = all_of(
        of_type("rate_limiting", spans_per_second=1, burst_capacity=100),
        of_type("bytes_limiting", bytes_per_second=1, burst_capacity=200),
    )
    policies = compiled(both)
    rows, of_row = one_span_each(5)
    verdicts = asked(policies, rows, of_row, traces([0.1, 0.2, 0.7, 0.8, 0.9], size=[100] * 5))
    assert verdicts.policy.tolist() == [-1, -1, -1, 0, 0]
    assert policies.state() == {"0/rate_limiting/0": [98.0, 0.0, 5.0], "0/bytes_limiting/1": [0.0, 0.0, 500.0]}


def test_a_rate_among_other_policies_is_spent_on_what_they_keep() -> None:
    policies = compiled(
        all_of(of_type("rate_limiting", spans_per_second=1), of_type("status_code", status_codes=["ERROR"]))
    )
    rows = spans(Row(), Row(error=True), Row(), Row(error=True))
    assert asked(policies, rows, range(4), traces([0.9, 0.1, 0.8, 0.2])).policy.tolist() == [-1, 0, -1, 0]


def test_a_rate_in_dollars_counts_what_calls_cost() -> None:
    rows, of_row = one_span_each(4)
    rows = rows.with_record_column("cost_usd", pa.array([0.5, 0.5, None, 0.5]).cast(pa.decimal128(18, 9)))
    policies = compiled(of_type("usd_limiting", usd_per_hour=36, burst_usd=1))
    about = traces([0.9, 0.8, 0.7, 0.6])
    assert asked(policies, rows, of_row, about, 0.0).policy.tolist() == [0, 0, 0, -1]
    assert asked(policies, rows, of_row, about, 50.0).policy.tolist() == [0, -1, -1, -1]


def test_a_rate_goes_on_after_a_restart_where_it_was() -> None:
    policy = of_type("rate_limiting", spans_per_second=2)
    before, after = compiled(policy), compiled(policy)
    rows, of_row = one_span_each(4)
    asked(before, rows, of_row, traces([0.1, 0.2, 0.3, 0.4]), 100.0)
    after.restore(json.loads(json.dumps(before.state())))
    # Two spans are there again, and a burst of four was asked for a second ago.
    about = traces([0.99, 0.98, 0.97, 0.4])
    assert asked(after, rows, of_row, about, 101.0).policy.tolist() == [0, 0, -1, -1]
    lower = compiled(of_type("rate_limiting", spans_per_second=1, burst_capacity=1))
    lower.restore({"0/rate_limiting/0": [4.0, 100.0, 0.0], "gone": [1.0, 2.0, 3.0]})
    one, of_one = one_span_each(1)
    assert asked(lower, one, of_one, traces([0.0]), 100.0).matched.tolist() == [1]
    assert lower.state()["0/rate_limiting/0"][0] == 0.0


def test_a_clock_that_is_set_back_neither_fills_nor_empties_a_rate() -> None:
    limit = Limit("spans", "spans", 1, 10, (4.0, 100.0, 0.0))
    assert limit.holds(50.0) == 4.0
    limit.plan(1.0, 50.0)
    limit.spend(1.0)
    assert limit.holds(52.0) == 5.0


def test_after_a_quiet_time_a_burst_is_kept_whole_and_in_a_steady_flow_the_bucket_is_not_emptied() -> None:
    limit, draw = Limit("spans", "spans", 10, 200), np.random.default_rng(1)
    burst = asking(np.full(20, 10), draw.random(20))
    assert limited([limit], burst, 0.0).thresholds.tolist() == [0.0] * 20
    held, shares = [], []
    for second in range(100, 1100):
        found = limited([limit], asking(np.full(20, 5), draw.random(20)), float(second))  # ten times the rate
        shares.append(1 - found.thresholds[0])
        held.append(limit.holds(float(second)))
    assert np.mean(shares[100:]) == pytest.approx(0.1, rel=0.05)
    assert np.mean(held[100:]) == pytest.approx(0.7 * 200, rel=0.1)
    assert min(held[100:]) > 60


def test_large_traces_are_kept_as_often_as_small_ones_when_the_rate_is_used_up() -> None:
    """With a burst of ten of them; counts of each size within four standard errors."""
    draw, sums = np.random.default_rng(2), []
    for _ in range(100):
        limit, counted = Limit("spans", "spans", 5, 300), np.zeros(2)
        for second in range(60):
            costs = np.array([1] * 20 + [30] * 2)
            randomness = draw.random(22)
            found = limited([limit], asking(costs, randomness), float(second))
            kept = randomness >= found.thresholds
            weights = 1 / (1 - found.thresholds[kept])
            counted += [weights[costs[kept] == 1].sum(), weights[costs[kept] == 30].sum()]
        sums.append(counted)
    errors = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (abs(np.mean(sums, axis=0) - [1200, 120]) < 4 * errors).all()


def test_a_composite_policy_gives_each_policy_its_share_in_order() -> None:
    sub = [
        {"name": "errors", **of_type("status_code", status_codes=["ERROR"])},
        {"name": "long", **sql("span_count > 1")},
        {"name": "rest", "type": "always_sample"},
    ]
    policies = compiled(
        of_type(
            "composite",
            max_total_spans_per_second=10,
            policy_order=["long", "errors", "rest"],
            composite_sub_policy=sub,
            rate_allocation=[{"policy": "errors", "percent": 20}, {"policy": "long", "percent": 60}],
        )
    )
    rows = spans(*[Row(error=True)] * 6, *[Row()] * 4)
    randomness = [0.0, 0.1, 0.2, 0.8, 0.9, 0.2, 0.7, 0.8, 0.9]
    verdicts = asked(policies, rows, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], traces(randomness))
    # 0 is long, and its errors count against that; of the errors 1 to 4 two fit, of the rest 5 to 8 three.
    assert verdicts.policy.tolist() == [0, -1, -1, 0, 0, -1, 0, 0, 0]


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=20), st.floats(0, 10)), min_size=1, max_size=8),
    st.integers(1, 20),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_a_rate_is_never_exceeded(
    passes: list[tuple[list[int], float]], per_second: int, burst: int, seed: int
) -> None:
    limit = Limit("spans", "spans", per_second, burst)
    draw, now, kept = np.random.default_rng(seed), 0.0, 0.0
    for costs, wait in passes:
        now += wait
        randomness = draw.random(len(costs))
        found = limited([limit], asking(np.array(costs), randomness), now)
        kept += float(np.array(costs, np.float64)[randomness >= found.thresholds].sum())
        assert kept <= burst + per_second * now + 1e-6


def test_sums_over_what_a_rate_keeps_are_those_of_all_traces_on_the_average() -> None:
    """Weighted counts and costs over 4000 minutes of traffic with heavy-tailed costs, within four standard errors."""
    draw = np.random.default_rng(7)
    errors: dict[str, list[float]] = {"count": [], "cost": []}
    for _ in range(4000):
        limit = Limit("usd", "usd", 0, 60)
        costs = np.minimum(draw.pareto(1.5, 40) + 0.5, 20)
        floors = np.where(draw.random(40) < 0.5, 0.3, 0.0)  # a share of 70 % of half of them
        randomness = draw.random(40)
        candidates = np.flatnonzero(randomness >= floors)
        thresholds = floors.copy()
        found = limited([limit], asking(costs[candidates], randomness[candidates], floors[candidates]), 0.0)
        thresholds[candidates] = np.maximum(floors[candidates], found.thresholds)
        kept = randomness >= thresholds
        weights = 1 / (1 - thresholds[kept])
        errors["count"].append(weights.sum() - 40)
        errors["cost"].append((weights * costs[kept]).sum() - costs.sum())
    for values in errors.values():
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("keep_half", [False, True])
def test_traces_that_several_policies_may_keep_are_counted_once(keep_half: bool) -> None:
    """The same through whole policies: a rate, a share, both beside each other."""
    beside = [of_type("probabilistic", sampling_percentage=50)] if keep_half else []
    rows, of_row = one_span_each(30)
    draw, sums = np.random.default_rng(3), []
    for _ in range(300):
        policies = compiled(of_type("rate_limiting", spans_per_second=5), *beside)
        verdicts = asked(policies, rows, of_row, traces(draw.random(30)))
        sums.append((1 / (1 - verdicts.threshold[verdicts.policy >= 0])).sum())
    assert abs(np.mean(sums) - 30) < 4 * np.std(sums) / np.sqrt(len(sums))
