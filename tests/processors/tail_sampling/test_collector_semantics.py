"""What the Collector promises of a running sampler, case by case, where `test_processor` has it not yet."""

from pathlib import Path
from typing import Any

import pytest

from tests.deliveries import until
from tests.processors.tail_sampling.harness import ERRORS, EVERYTHING, Span, sampling

_DROP_HEALTH = {
    "name": "health",
    "type": "drop",
    "drop": {
        "drop_sub_policy": [
            {"type": "string_attribute", "string_attribute": {"key": "http.route", "values": ["/health"]}}
        ]
    },
}
_SLOW = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 100}}
_HALF = {"name": "half", "type": "probabilistic", "probabilistic": {"sampling_percentage": 50}}
_HIGH_R = (1 << 56) - 1


@pytest.mark.parametrize("policies", [[_DROP_HEALTH, *ERRORS], [*ERRORS, _DROP_HEALTH]], ids=["first", "last"])
async def test_what_a_drop_policy_matches_is_dropped_wherever_it_stands_and_whoever_keeps_it(
    tmp_path: Path, policies: list[dict[str, Any]]
) -> None:
    async with sampling(tmp_path, policies) as it:
        health = {"http.route": "/health"}
        await it.send(Span(1, 11, error=True, attributes=health), Span(2, 21, error=True), Span(3, 31))
        await it.decided(3)
        await it.gives(21)
        assert it.value("spanmill_tail_sampling_policy_drops", policy="health") == 1


async def test_one_policy_that_keeps_a_trace_is_enough_and_the_first_is_named(tmp_path: Path) -> None:
    async with sampling(tmp_path, [*ERRORS, _SLOW]) as it:
        await it.send(Span(1, 11, error=True, duration_ms=200), Span(2, 21, duration_ms=200), Span(3, 31))
        await it.decided(3)
        await it.gives(11, 21)
        assert it.let_go() == {11: "errors", 21: "slow"}
        assert it.value("otelcol_processor_tail_sampling_count_traces_sampled") == 2
        assert it.value("spanmill_tail_sampling_policy_matches", policy="slow") == 2


@pytest.mark.parametrize(("first_match", "named"), [(False, "errors"), (True, "half")])
async def test_the_policy_that_keeps_the_largest_share_is_named_or_the_first_and_the_weight_is_the_same(
    tmp_path: Path, *, first_match: bool, named: str
) -> None:
    async with sampling(tmp_path, [_HALF, *ERRORS], sample_on_first_match=first_match) as it:
        await it.send(Span(_HIGH_R, 11, error=True), Span(_HIGH_R - 1, 21), Span(1, 31))
        await it.decided(3)
        await it.gives(11, 21)
        assert it.let_go() == {11: named, 21: "half"}
        rows = [
            pair
            for each in it.came
            for pair in zip(each.column("span_id").to_pylist(), each.column("sample_weight").to_pylist(), strict=True)
        ]
        assert {int(span, 16): found or 1.0 for span, found in rows} == {11: 1.0, 21: 2.0}


async def test_a_trace_with_a_span_that_was_flagged_as_sampled_is_kept(tmp_path: Path) -> None:
    async with sampling(tmp_path, [{"name": "sampled", "type": "trace_flags"}]) as it:
        await it.send(Span(1, 11), Span(1, 12, flags=0x101), Span(2, 21), Span(2, 22, flags=0x100))
        await it.decided(2)
        await it.gives(11, 12)


async def test_what_no_policy_keeps_is_dropped(tmp_path: Path) -> None:
    async with sampling(tmp_path, [*ERRORS, _SLOW]) as it:
        await it.send(Span(1, 11), Span(1, 12))
        await it.decided(1)
        assert it.let_go() == {}
        assert it.value("otelcol_processor_tail_sampling_count_spans_sampled", sampled="false") == 2


async def test_what_makes_a_trace_worth_keeping_may_be_in_any_request_and_on_any_span(tmp_path: Path) -> None:
    async with sampling(tmp_path, ERRORS, decision_wait="1h", decision_wait_after_root_received="50ms") as it:
        for number in range(11, 20):
            await it.send(Span(1, number, error=number == 13), Span(2, 10 + number))
        await it.send(Span(1, 20, root=True), Span(2, 40, root=True))
        await it.gives(*range(11, 21))


async def test_an_error_that_comes_after_the_trace_was_dropped_does_not_bring_it_back(tmp_path: Path) -> None:
    async with sampling(tmp_path, ERRORS) as it:
        await it.send(Span(1, 11))
        await it.decided(1)
        await it.send(Span(1, 12, error=True), Span(2, 21, error=True))
        await it.decided(2)
        await it.gives(21)


async def test_the_decision_caches_are_separate(tmp_path: Path) -> None:
    cache = {"sampled_cache_size": 10, "non_sampled_cache_size": 0}
    async with sampling(tmp_path, ERRORS, decision_cache=cache) as it:
        await it.send(Span(1, 11, error=True), Span(2, 21))
        await it.decided(2)
        await it.send(Span(1, 12), Span(2, 22, error=True))
        await it.decided(3)
        await it.gives(11, 12, 22)


async def test_rates_are_counted_over_all_traces_of_a_pass_and_never_exceeded(tmp_path: Path) -> None:
    rate = {"spans_per_second": 1, "burst_capacity": 20}
    policies = [{"name": "rate", "type": "rate_limiting", "rate_limiting": rate}]
    async with sampling(tmp_path, policies) as it:
        even = (_HIGH_R // 200 * number for number in range(1, 201))
        await it.send(*(Span(trace, 2 * place + span) for place, trace in enumerate(even) for span in (1, 2)))
        await it.decided(200)
        await until(lambda: it.value("otelcol_processor_tail_sampling_count_traces_sampled") > 0)
        await until(lambda: 18 <= len(it.let_go()) <= 20)  # those with the highest randomness, up to a burst
        assert max(it.let_go()) == 400
        assert set(it.let_go().values()) == {"rate"}


async def test_pending_traces_are_judged_by_policy_when_a_sampler_without_a_disk_ends(tmp_path: Path) -> None:
    async with sampling(tmp_path, ERRORS, durable=False, decision_wait="1h") as it:
        await it.send(Span(1, 11, error=True), Span(1, 12), Span(2, 21))
    assert sorted(it.let_go()) == [11, 12]


async def test_policies_that_changed_judge_what_waited_over_the_restart(tmp_path: Path) -> None:
    async with sampling(tmp_path, EVERYTHING, decision_wait="1h") as it:
        await it.send(Span(1, 11, error=True), Span(2, 21))
        await until(lambda: it.value("spanmill_tail_sampling_pending_spans") == 2)
    async with sampling(tmp_path, ERRORS) as it:
        await it.decided(2)
        await it.gives(11)
