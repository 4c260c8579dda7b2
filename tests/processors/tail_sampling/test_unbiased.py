"""Sums over what tail sampling keeps are those of all traffic, policy by policy and mixed.

Traffic is simulated: log-normal costs and tokens, traces of 1 to 30 spans, some of which still send spans when they are
decided; half of the traces come through a head sampler that keeps 50 % and says so in tracestate. The real sampler
takes it in, decides once in a while of a clock that is not the real one, and lets rows go.
"""

from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spanmill.batch import Batch
from spanmill.sampling import randomness_of, thresholds_of
from spanmill.schema import TABLES
from spanmill.signal import Signal
from tests.processors.tail_sampling.asking import Policy, all_of, compiled, drop, of_type, share, sql
from tests.processors.tail_sampling.traffic import Traffic, estimates, sampled, traffic, truth

_ERRORS = of_type("status_code", status_codes=["ERROR"])
_DEAR = sql("sum(cost_usd) > 0.5")
_FIRST = of_type("first_of", columns=["name"], traces=5)
_ALWAYS = of_type("always_sample")
_SPANS = of_type("rate_limiting", spans_per_second=2, burst_capacity=300)
_SHARES = [{"name": "errors", **_ERRORS}, {"name": "rest", **_ALWAYS}]
POLICIES: dict[str, list[Policy]] = {
    "probabilistic": [share(20)],
    "rate_limiting": [_SPANS],
    "bytes_limiting": [of_type("bytes_limiting", bytes_per_second=500, burst_capacity=60_000)],
    "usd_limiting": [of_type("usd_limiting", usd_per_hour=40, burst_usd=8)],
    "sql": [_DEAR, share(20)],
    "and": [all_of(_ERRORS, share(50)), share(20)],
    "composite": [
        of_type(
            "composite", max_total_spans_per_second=400, composite_sub_policy=_SHARES,
            rate_allocation=[{"policy": "errors", "percent": 50}, {"policy": "rest", "percent": 50}],
        )
    ],
    "drop": [drop(sql("span_count < 5"), share(80)), _ALWAYS],
    "first_of": [_FIRST, share(20)],
    "mixed": [
        _ERRORS, _DEAR, _FIRST, of_type("usd_limiting", usd_per_hour=20, burst_usd=8),
        drop(sql("span_count = 1"), share(50)), share(5),
    ],
}  # fmt: skip


@cache
def _minutes() -> Traffic:
    """Some of it, for repetitions."""
    return traffic(seed=1, traces=300, seconds=120)


@cache
def _hour() -> tuple[Traffic, Batch]:
    """An hour, and what is kept of it by all kinds of policies."""
    whole = traffic(seed=2, traces=3000, seconds=3600)
    return whole, sampled(compiled(*POLICIES["mixed"]), *whole.arriving(np.random.default_rng(3)), every=30.0)


def _in_standard_errors(name: str, repetitions: int, every: float) -> np.ndarray:
    """How far the mean of each sum is from the truth, over repetitions with trace ids of their own."""
    whole, draw = _minutes(), np.random.default_rng(4)
    found = [
        estimates(sampled(compiled(*POLICIES[name]), *whole.arriving(draw), every=every)) for _ in range(repetitions)
    ]
    wanted = truth(whole)
    means = {each: np.mean([had[each].value for had in found]) for each in wanted}
    errors = {each: np.sqrt(np.mean([had[each].variance for had in found]) / repetitions) for each in wanted}
    return np.array([(means[each] - wanted[each]) / errors[each] for each in wanted])


@pytest.mark.parametrize("name", POLICIES)
def test_on_the_average_of_many_choices_the_sums_are_the_truth(name: str) -> None:
    assert abs(_in_standard_errors(name, 8, every=15.0)).max() < 3


@pytest.mark.torture
@pytest.mark.parametrize("name", POLICIES)
def test_on_the_average_of_very_many_choices_the_sums_are_the_truth(name: str) -> None:
    assert abs(_in_standard_errors(name, 100, every=2.0)).max() < 3


@pytest.mark.torture
@pytest.mark.parametrize("name", POLICIES)
def test_the_sums_of_an_hour_are_the_truth_within_their_confidence_interval(name: str) -> None:
    whole, _ = _hour()
    kept = sampled(compiled(*POLICIES[name]), *whole.arriving(np.random.default_rng(5)))
    _assert_within_confidence(whole, kept)


def test_the_sums_of_an_hour_of_mixed_policies_are_the_truth_within_their_confidence_interval() -> None:
    whole, kept = _hour()
    assert len(kept) < 0.4 * len(whole.batch)
    _assert_within_confidence(whole, kept)


def _assert_within_confidence(whole: Traffic, kept: Batch) -> None:
    """Of 99.7 %."""
    found, wanted = estimates(kept), truth(whole)
    for name, estimate in found.items():
        assert abs(estimate.value - wanted[name]) < 3 * np.sqrt(estimate.variance), name


def test_the_weight_of_every_row_is_what_its_threshold_says_and_the_row_has_passed_it() -> None:
    _, kept = _hour()
    thresholds, weights = thresholds_of(kept), kept.column("sample_weight").fill_null(1.0).to_numpy()
    assert not thresholds.false.any()
    assert (randomness_of(kept) >= thresholds.values).all()
    assert thresholds.known[weights > 1].all()
    assert weights == pytest.approx(2**56 / (2**56 - thresholds.values.astype(np.float64)), rel=1e-12)
    assert len(np.unique(weights)) > 20


def test_the_same_sums_come_from_sql_over_the_rows_as_they_are_stored(tmp_path: Path) -> None:
    _, kept = _hour()
    table = TABLES[Signal.TRACES]
    pq.write_table(pa.table([kept.column(name) for name in table.schema.names], schema=table.schema), tmp_path / "a")
    query = f"""
        with by_trace as (
            select max(coalesce(sample_weight, 1)) as weight, count(*) as spans, sum(cost_usd)::double as cost,
                count(*) filter (status_code = 'error') as errors
            from read_parquet('{tmp_path / "a"}') group by trace_id)
        select sum(weight), sum(spans * weight), sum(cost * weight), sum(errors * weight),
            sqrt(sum(cost ** 2 * weight * (weight - 1))) from by_trace
    """
    with duckdb.connect() as connection:
        row = connection.execute(query).fetchone()
    found = estimates(kept)
    wanted = [*(found[name].value for name in ("traces", "spans", "cost", "errors")), np.sqrt(found["cost"].variance)]
    assert row == pytest.approx(wanted)
