"""What the sampler promises beside being the Collector's: whole traces, thresholds that rise, sums without bias."""

import math
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.processors.probabilistic_sampler.hashing import fnv1a
from spanmill.sampling import NEVER, thresholds_of
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.data import batch_of as rows_of
from tests.data import traces
from tests.processors.probabilistic_sampler.asking import sampler
from tests.sampling.rows import log_records, spans, states

RANDOMNESS = st.integers(0, NEVER - 1)
MODES = ("hash_seed", "proportional", "equalizing")


def ids(batch: Batch) -> set[bytes]:
    return set(batch.records.column("trace_id").to_pylist())


def total(batch: Batch) -> float:
    """What the rows stand for together."""
    return float(pc.sum(batch.column("sample_weight").fill_null(1.0)).as_py() or 0.0)


def reference_keeps(mode: str, percentage: int, randomness: int, arriving: int) -> bool:
    """The specification, and the Collector's two modes, in whole numbers: keep what has R >= T."""
    if mode == "equalizing":
        threshold = max(arriving, NEVER - NEVER * percentage // 100)
    else:
        threshold = NEVER - (NEVER - arriving) * percentage // 100
    return randomness >= threshold


@given(
    st.sampled_from(["proportional", "equalizing"]),
    st.integers(1, 100),
    st.lists(st.tuples(RANDOMNESS, st.integers(0, 255)), min_size=1, max_size=30),
)
def test_the_decision_is_that_of_the_specification(mode: str, percentage: int, rows: list[tuple[int, int]]) -> None:
    """At 14 digits. Within 2^-40 of the threshold, where numbers are rounded, either is right."""
    rows = [(r, a << 48) for r, a in rows if r >= a << 48]
    if not rows:
        return
    batch = spans([(r, f"ot=th:{t:014x}") for r, t in rows])
    kept = ids(sampler(Signal.TRACES, sampling_percentage=percentage, mode=mode, sampling_precision=14)(batch))
    for (r, t), trace_id in zip(rows, batch.records.column("trace_id").to_pylist(), strict=True):
        if len({reference_keeps(mode, percentage, near, t) for near in (r, max(t, r - (1 << 16)), r + (1 << 16))}) == 1:
            assert (trace_id in kept) == reference_keeps(mode, percentage, r, t)


@given(
    st.sampled_from(["proportional", "equalizing"]),
    st.floats(1e-9, 100),
    st.integers(1, 14),
    st.lists(st.tuples(RANDOMNESS, RANDOMNESS), min_size=1, max_size=30),
)
def test_thresholds_only_rise_and_every_kept_row_has_passed_its_own(
    mode: str, percentage: float, precision: int, rows: list[tuple[int, int]]
) -> None:
    batch = spans([(max(pair), f"ot=th:{min(pair):014x}") for pair in rows])
    before = dict(zip(batch.records.column("span_id").to_pylist(), (min(pair) for pair in rows), strict=True))
    process = sampler(Signal.TRACES, sampling_percentage=percentage, mode=mode, sampling_precision=precision)
    kept = process(batch)
    values, known, _ = thresholds_of(kept)
    assert known.all()
    arrived = [before[span] for span in kept.records.column("span_id").to_pylist()]
    assert all(after >= then for after, then in zip(values.tolist(), arrived, strict=True))
    assert kept.column("sample_weight").to_pylist() == pytest.approx([NEVER / (NEVER - t) for t in values.tolist()])


def population(random: Random, count: int) -> Batch:
    """Spans of as many traces, some from SDKs that keep all of them, a half, or a tenth."""
    rows: list[tuple[int, str]] = []
    while len(rows) < count:
        randomness, (threshold, text) = (
            random.getrandbits(56),
            random.choice([(0, ""), (NEVER // 2, "ot=th:8"), (0xE6666666666668, "ot=th:e6666666666668")]),
        )
        if randomness >= threshold:
            rows.append((randomness, text))
    return spans(rows)


@pytest.mark.parametrize("mode", ["proportional", "equalizing"])
@pytest.mark.parametrize("percentage", [3, 20, 70])
def test_weighted_counts_of_the_kept_estimate_what_arrived(mode: str, percentage: float) -> None:
    batch = population(Random(f"{mode} {percentage}"), 30_000)
    truth = np.sum(NEVER / (NEVER - thresholds_of(batch).values.astype(np.float64)))
    kept = sampler(Signal.TRACES, sampling_percentage=percentage, mode=mode)(batch)
    weights = kept.column("sample_weight").to_numpy()
    deviation = math.sqrt(float(np.sum(weights * (weights - 1))))
    assert abs(total(kept) - truth) < 3.5 * deviation
    assert len(kept) < len(batch)


def test_stages_in_a_row_estimate_what_arrived_before_the_first() -> None:
    first = sampler(Signal.TRACES, sampling_percentage=40, mode="hash_seed", hash_seed=7)
    second = sampler(Signal.TRACES, sampling_percentage=50, mode="proportional")
    third = sampler(Signal.TRACES, sampling_percentage=10, mode="equalizing")
    random = Random(3)
    kept = third(second(first(spans([(random.getrandbits(56), "") for _ in range(30_000)]))))
    assert abs(total(kept) - 30_000) < 3.5 * math.sqrt(30_000 * 9)
    assert 2_700 < len(kept) < 3_300
    assert thresholds_of(kept).known.all()


@pytest.mark.parametrize("mode", MODES)
def test_spans_of_a_trace_are_kept_together(mode: str) -> None:
    random = Random(1)
    rows = [(random.getrandbits(56), "") for _ in range(200)] * 3
    kept = sampler(Signal.TRACES, sampling_percentage=30, mode=mode)(spans(rows))
    assert set(kept.records.column("trace_id").value_counts().field("counts").to_pylist()) == {3}
    assert 20 < len(ids(kept)) < 100


@pytest.mark.parametrize("mode", MODES)
def test_a_smaller_share_is_part_of_a_larger_one(mode: str) -> None:
    random = Random(2)
    batch = spans([(random.getrandbits(56), "") for _ in range(500)])
    small, large = (ids(sampler(Signal.TRACES, sampling_percentage=p, mode=mode)(batch)) for p in (10, 40))
    assert small < large


def test_everything_is_kept_as_it_is_at_100_percent_and_says_so() -> None:
    batch = rows_of(traces(3))
    kept = sampler(Signal.TRACES, sampling_percentage=100, mode="proportional")(batch)
    assert states(kept) == ["ot=th:0"] * 3
    assert kept.records.drop_columns(["trace_state", "sample_weight"]) == batch.records.drop_columns(["trace_state"])


def test_log_records_stand_for_as_many_as_their_threshold_says() -> None:
    batch = log_records([(NEVER - 1, {}), (NEVER - 1, {"share": "x"}), (0, {})])
    kept = sampler(Signal.LOGS, sampling_percentage=25, mode="equalizing")(batch)
    assert kept.records.column("sample_weight").to_pylist() == [4, 4]


def test_what_cannot_be_decided_is_dropped_or_kept_with_the_weight_it_came_with() -> None:
    batch = spans([(5, "ot=th:8"), (NEVER - 1, "ot=th:8;")])
    config: dict[str, Any] = {"sampling_percentage": 50, "mode": "proportional"}
    assert len(sampler(Signal.TRACES, **config)(batch)) == 0
    kept = sampler(Signal.TRACES, **config, fail_closed=False)(batch)
    assert states(kept) == ["", "ot=th:8;"]
    assert kept.column("sample_weight").to_pylist() == [None, 2]


def test_nothing_comes_of_nothing() -> None:
    empty = spans([(1, "")]).slice(0, 0)
    assert len(sampler(Signal.TRACES, sampling_percentage=50)(empty)) == 0


def test_decisions_are_counted_as_the_collector_counts_them() -> None:
    metrics = Metrics()
    batch = spans([(NEVER - 1, ""), (0, ""), (0, "ot=rv:ffffffffffffff"), (0, "ot=rv")])
    sampler(Signal.TRACES, metrics, sampling_percentage=50, mode="proportional")(batch)
    for name in ("count_traces_sampled", "count_spans_processed"):
        for policy, sampled in (
            ("trace_id_w3c", "true"),
            ("trace_id_w3c", "false"),
            ("sampling_randomness", "true"),
            ("missing_randomness", "false"),
        ):
            counter = f"otelcol_processor_probabilistic_sampler_{name}"
            assert metrics.counter(counter, policy=policy, sampled=sampled).value == 1


@given(st.lists(st.binary(max_size=80), max_size=60), st.integers(0, 2**32 - 1))
def test_the_hash_is_fnv_1a_over_the_seed_and_the_value(values: list[bytes], seed: int) -> None:
    def reference(value: bytes) -> int:
        state = 0x811C9DC5
        for byte in seed.to_bytes(4, "little") + value:
            state = ((state ^ byte) * 0x01000193) % 2**32
        return state

    assert fnv1a(pa.array(values, pa.binary()), seed).tolist() == [reference(value) for value in values]
