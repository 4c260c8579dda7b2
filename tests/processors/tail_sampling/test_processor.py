"""The running sampler between real journals: when it decides, what it lets go, and what a crash leaves of it."""

import asyncio
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanmill.batch import Batch
from spanmill.journal import Record
from spanmill.processors.tail_sampling.decisions import Scores
from spanmill.processors.tail_sampling.sampler import Sampler
from tests.deliveries import until
from tests.processors.tail_sampling.harness import ERRORS, EVERYTHING, Span, sampling

LONG = "1h"


async def test_traces_are_kept_or_dropped_whole_and_the_kept_ones_say_why(tmp_path: Path) -> None:
    async with sampling(tmp_path, ERRORS) as it:
        await it.send(Span(1, 11), Span(2, 21), Span(2, 22, error=True))
        await it.send(Span(1, 12), Span(2, 23))
        await it.gives(21, 22, 23)
        assert set(it.let_go().values()) == {"errors"}
        assert {weight for batch in it.came for weight in batch.column("sample_weight").to_pylist()} == {1.0}
        await it.decided(2)
        assert it.value("otelcol_processor_tail_sampling_global_count_traces_sampled", sampled="true") == 1
        assert it.value("otelcol_processor_tail_sampling_count_traces_sampled", policy="errors") == 1
        assert it.value("otelcol_processor_tail_sampling_count_spans_sampled", sampled="false") == 2


@pytest.mark.parametrize("root_first", [True, False])
async def test_the_root_may_come_first_or_last_and_ends_the_wait_when_it_is_told_to(
    tmp_path: Path, *, root_first: bool
) -> None:
    keys: dict[str, Any] = {"decision_wait": LONG, "decision_wait_after_root_received": "20ms"}
    async with sampling(tmp_path, EVERYTHING, **keys) as it:
        await it.send(Span(1, 11, root=root_first))
        await it.send(Span(1, 12, root=not root_first))
        await it.send(Span(2, 21))
        await it.gives(11, 12)


async def test_a_trace_whose_root_is_missing_is_decided_after_the_wait(tmp_path: Path) -> None:
    async with sampling(tmp_path, EVERYTHING, decision_wait_after_root_received="20ms") as it:
        await it.send(Span(1, 11), Span(1, 12))
        await it.gives(11, 12)


async def test_a_trace_that_goes_on_is_waited_for_and_one_that_never_ends_is_decided_at_the_limit(
    tmp_path: Path,
) -> None:
    keys: dict[str, Any] = {
        "decision_wait": "10ms",
        "decision_wait_after_last_span": "700ms",
        "decision_wait_limit": "1s",
    }
    async with sampling(tmp_path, EVERYTHING, **keys) as it:
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 10
        while not it.let_go():
            number += 1
            await it.send(Span(1, number))
            await asyncio.sleep(0.05)
        assert loop.time() - began > 0.9
        assert 11 in it.let_go()
        await until(lambda: set(range(11, number + 1)) <= set(it.let_go()))


async def test_late_spans_share_the_fate_of_their_trace(tmp_path: Path) -> None:
    async with sampling(tmp_path, ERRORS) as it:
        await it.send(Span(1, 11, error=True), Span(2, 21))
        await it.decided(2)
        await it.send(Span(1, 12), Span(2, 22, error=True), Span(3, 31, error=True))
        await it.decided(3)
        await it.gives(11, 12, 31)
        assert it.value("spanmill_tail_sampling_late_spans", sampled="true") == 1
        assert it.value("spanmill_tail_sampling_late_spans", sampled="false") == 1


async def test_without_a_decision_cache_late_spans_are_a_trace_of_their_own(tmp_path: Path) -> None:
    cache = {"sampled_cache_size": 0, "non_sampled_cache_size": 0}
    async with sampling(tmp_path, ERRORS, decision_cache=cache) as it:
        await it.send(Span(1, 11, error=True), Span(2, 21))
        await it.decided(2)
        await it.send(Span(1, 12), Span(2, 22, error=True))
        await it.decided(4)
        await it.gives(11, 22)


async def test_the_cache_forgets_the_oldest_decision_first(tmp_path: Path) -> None:
    cache = {"sampled_cache_size": 1, "non_sampled_cache_size": 1}
    async with sampling(tmp_path, ERRORS, decision_cache=cache) as it:
        for trace in (1, 2):
            await it.send(Span(trace, 10 * trace + 1, error=True))
            await it.decided(trace)
        await it.send(Span(1, 12), Span(2, 22))
        await it.decided(3)
        await it.gives(11, 21, 22)


async def test_a_trace_that_is_larger_than_allowed_is_dropped_at_once_and_others_wait(tmp_path: Path) -> None:
    async with sampling(tmp_path, EVERYTHING, decision_wait=LONG, maximum_trace_size_bytes=20_000) as it:
        await it.send(Span(1, 11, attributes={"text": "x" * 30_000}), Span(2, 21, attributes={"text": "x" * 9_000}))
        await it.decided(1)
        assert it.let_go() == {}
        assert it.value("otelcol_processor_tail_sampling_sampling_traces_on_memory") == 1
        assert it.value("spanmill_tail_sampling_early_decisions") == 1


async def test_beyond_the_most_traces_the_oldest_are_decided_early_and_nothing_is_lost(tmp_path: Path) -> None:
    async with sampling(tmp_path, EVERYTHING, decision_wait=LONG, num_traces=2) as it:
        for trace in (1, 2, 3):
            await it.send(Span(trace, 10 * trace + 1), Span(trace, 10 * trace + 2))
        await it.gives(11, 12)


async def test_with_block_on_overflow_what_comes_waits_in_the_journal(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"decision_wait": "300ms", "num_traces": 1, "block_on_overflow": True}
    async with sampling(tmp_path, EVERYTHING, **keys) as it:
        await it.send(Span(1, 11))
        await until(lambda: it.value("otelcol_processor_tail_sampling_sampling_traces_on_memory") == 1)
        await it.send(Span(2, 21))
        await it.gives(11)
        await it.gives(11, 21)
        assert it.value("spanmill_tail_sampling_early_decisions") == 0


async def test_spans_beyond_the_memory_are_read_back_from_the_journal(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"decision_wait": LONG, "decision_wait_after_root_received": "10ms", "memory_size_mib": 1}
    async with sampling(tmp_path, ERRORS, **keys) as it:
        for number in range(1, 41):
            error, text = number in {3, 37}, f"{number:02}" * 25_000
            await it.send(Span(number, number, error=error, attributes={"text": text}))
        await until(lambda: it.value("spanmill_tail_sampling_pending_spans") == 40)
        assert it.value("spanmill_tail_sampling_memory_bytes") < 2 * 2**20
        await it.send(*(Span(number, 100 + number, root=True) for number in range(1, 41)))
        await it.gives(3, 37, 103, 137)
        texts = {dict(row).get("text") for each in it.came for row in each.column("attributes").to_pylist()}
        assert texts == {None, "03" * 25_000, "37" * 25_000}


async def test_what_waits_at_the_end_is_there_at_the_next_start(tmp_path: Path) -> None:
    async with sampling(tmp_path, EVERYTHING, decision_wait=LONG) as it:
        await it.send(Span(1, 11))
        await until(lambda: it.value("spanmill_tail_sampling_pending_spans") == 1)
        await it.send(Span(1, 12))
    assert it.let_go() == {}
    async with sampling(tmp_path, EVERYTHING) as it:
        await it.send(Span(1, 13))
        await it.gives(11, 12, 13)


@pytest.mark.parametrize("drop", [False, True])
async def test_with_a_journal_in_memory_what_waits_at_the_end_is_decided_or_dropped(
    tmp_path: Path, *, drop: bool
) -> None:
    keys: dict[str, Any] = {"decision_wait": LONG, "drop_pending_traces_on_shutdown": drop}
    async with sampling(tmp_path, EVERYTHING, durable=False, **keys) as it:
        await it.send(Span(1, 11), Span(2, 21))
    assert sorted(it.let_go()) == ([] if drop else [11, 21])


async def test_a_decision_that_was_written_and_not_carried_out_is_carried_out_after_a_crash(tmp_path: Path) -> None:
    """And not made anew: by then the policy would say something else."""
    async with sampling(tmp_path, ERRORS, crash=True, full=True) as it:
        await it.send(Span(1, 11, error=True), Span(2, 21))
        await it.decided(2)
    async with sampling(tmp_path, EVERYTHING) as it:
        await it.gives(11)
        assert it.let_go() == {11: "errors"}
        await it.send(Span(1, 12), Span(2, 22))
        await it.gives(11, 12)
        assert it.let_go()[12] == "errors"


async def test_a_decision_that_found_no_room_is_not_passed_over_by_later_ones_when_the_sampler_stops(
    tmp_path: Path,
) -> None:
    async with sampling(tmp_path, ERRORS, full=True) as it:
        await it.send(Span(1, 11, error=True))
        await it.decided(1)
        await it.send(Span(2, 21, error=True))
        await asyncio.sleep(0.05)  # it is due as well
        it.outlet.reader("test").commit(1)
    async with sampling(tmp_path, ERRORS) as it:
        await it.gives(11, 21)


async def test_a_sampler_starts_although_the_exporters_have_left_no_room(tmp_path: Path) -> None:
    """So that senders are taken: what waits for room waits in its own journal."""
    for number in (11, 12):
        async with sampling(tmp_path, ERRORS, crash=True, full=True) as it:
            await it.send(Span(1, number, error=True))
            await asyncio.sleep(0.1)
    async with sampling(tmp_path, ERRORS) as it:
        await it.gives(11, 12)


async def test_whatever_crashes_in_between_every_span_comes_out_once(tmp_path: Path) -> None:
    chance, sent = random.Random(7), list[int]()
    for _ in range(12):
        async with sampling(tmp_path, EVERYTHING, decision_wait="15ms", crash=True) as it:
            for _ in range(chance.randrange(8)):
                sent.append(len(sent) + 1)
                await it.send(Span(chance.randrange(1, 2 + len(sent) // 4), sent[-1]))
                await asyncio.sleep(chance.random() * 0.01)
            await asyncio.sleep(chance.random() * 0.05)
    async with sampling(tmp_path, EVERYTHING) as it:
        await it.gives(*sent)


async def test_an_evaluation_keeps_a_trace_even_if_it_came_before_its_spans_and_a_crash(tmp_path: Path) -> None:
    policies = [{"name": "bad", "type": "sql", "having": "min(lowest_score) < 0.5 or bool_or(negative_feedback)"}]
    ids = np.array([(0, 1), (0, 2), (0, 3)], np.uint64)
    scores = Scores(ids, np.array([0.2, np.nan, 0.9], np.float32), np.array([False, True, False]))
    async with sampling(tmp_path, policies, crash=True, decision_wait=LONG) as it:
        await it.send(Span(1, 11))
        await it.processor.score(scores)
    async with sampling(tmp_path, policies) as it:
        await it.send(Span(2, 21), Span(3, 31), Span(4, 41))
        await it.gives(11, 21)


async def test_a_trace_on_which_policies_fail_is_kept_and_the_others_are_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sampling(tmp_path, ERRORS) as it:
        policies = it.processor._policies
        decide = policies.decide

        def fails_on_trace_3(rows: Batch, *rest: Any) -> Any:
            if "3".zfill(32) in rows.column("trace_id").to_pylist():
                raise RuntimeError("a defect")
            return decide(rows, *rest)

        monkeypatch.setattr(policies, "decide", fails_on_trace_3)
        await it.send(Span(1, 11, error=True), Span(2, 21), Span(3, 31), Span(4, 41), Span(5, 51, error=True))
        await it.gives(11, 31, 51)
        assert it.let_go() == {11: "errors", 31: "undecided", 51: "errors"}


async def test_a_record_that_cannot_be_taken_in_is_given_up_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sampling(tmp_path, EVERYTHING) as it:
        sampler = it.processor._sampler
        take = Sampler.take

        def fails_on_record_2(self: Sampler, records: list[Record], *, settled: bool = False) -> None:
            if any(record.sequence == 2 for record in records):
                raise RuntimeError("a defect")
            take(self, records, settled=settled)

        monkeypatch.setattr(Sampler, "take", fails_on_record_2)
        for number in (1, 2, 3):
            await it.send(Span(number, 10 * number + 1))
        await it.gives(11, 31)
        assert it.value("spanmill_processor_lost_items") == 1
        assert sampler.committed == 3
