"""When deliveries try again, and what they spare an exporter that is down; on a clock that jumps."""

import asyncio
import time
import weakref
from typing import Any

import pytest

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.delivery import Delivery
from spanmill.errors import Busy, Rejected
from spanmill.names import PipelineId
from spanmill.signal import Signal
from tests.deliveries import EXACT, TRACES, Engine, RecordingExporter

OTHERS = [PipelineId(Signal.TRACES, name) for name in ("a", "b", "c")]
HOUR = 3600.0


async def delivering(engine: Engine, exporter: RecordingExporter, retry: RetryOnFailure = EXACT) -> Delivery:
    delivery = engine.deliver(engine.node(exporter, retry))
    await engine.start()
    return delivery


async def test_waits_grow_from_the_initial_interval_to_the_longest(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Busy("down", 0.0)] * 7
    await delivering(engine, exporter)
    await engine.send(2)
    await asyncio.sleep(200)
    assert exporter.times == pytest.approx([0, 5, 12.5, 23.75, 40.625, 65.9375, 95.9375, 125.9375])
    assert exporter.batches == [[1, 2]]


async def test_waits_are_varied_by_as_much_as_is_said(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Busy("down", 0.0)] * 40
    flat = RetryOnFailure.model_validate({"initial_interval": "10s", "multiplier": 1, "max_elapsed_time": 0})
    await delivering(engine, exporter, flat)
    await engine.send(1)
    await asyncio.sleep(HOUR)
    waits = [later - earlier for earlier, later in zip(exporter.times, exporter.times[1:], strict=False)]
    assert len(waits) == 40
    assert 5.0 <= min(waits) < 7.0
    assert 13.0 < max(waits) <= 15.0


async def test_no_wait_is_shorter_than_the_server_asks_for(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Busy("slow down", 60.0), Busy("slow down", 1.0)]
    await delivering(engine, exporter)
    await engine.send(1)
    await asyncio.sleep(100)
    assert exporter.times == pytest.approx([0, 60, 67.5])


async def test_a_server_that_asks_for_years_is_tried_again_after_an_hour(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Busy("never mind", 1e9)]
    await delivering(engine, exporter, RetryOnFailure.model_validate({"max_elapsed_time": 0}))
    await engine.send(1)
    await asyncio.sleep(2 * HOUR)
    assert exporter.times == pytest.approx([0, HOUR])


async def test_after_300_s_a_batch_is_given_up_only_if_its_journal_is_in_memory(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.always = Busy("down", 0.0)
    delivery = await delivering(engine, exporter)
    await engine.send(3)
    await asyncio.sleep(3 * HOUR)
    if engine.durable:
        assert delivery.counted.failed == 0
        exporter.always = None
        await asyncio.sleep(31)
        assert exporter.batches == [[1, 2, 3]]
    else:
        assert delivery.counted.failed == 3
        ((letter, _),) = engine.letters()
        assert letter.reason == "down (given up after 300 s)"
        assert exporter.times[-1] <= 300


async def test_a_limit_that_is_written_is_kept_whatever_the_journal(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.always = Busy("HTTP 503", 0.0)
    retry = RetryOnFailure.model_validate({"max_elapsed_time": "60s", "randomization_factor": 0})
    delivery = await delivering(engine, exporter, retry)
    await engine.send(3)
    await asyncio.sleep(59)
    assert delivery.counted.failed == 3  # the next attempt would have been at 65.9 s
    exporter.always = None
    await engine.send(1, first=9)
    await asyncio.sleep(60)
    assert exporter.batches == [[9]]
    ((letter, numbers),) = engine.letters()
    assert (letter.reason, numbers) == ("HTTP 503 (given up after 60 s)", [1, 2, 3])


async def test_nothing_is_held_in_memory_while_waiting(engine: Engine) -> None:
    loaded: list[weakref.ref[Any]] = []

    class Remembering(RecordingExporter):
        async def export(self, batch: Batch, position: Position) -> None:
            loaded.append(weakref.ref(batch.records))
            if len(loaded) < 7:
                try:
                    raise ConnectionRefusedError
                except OSError as error:
                    raise Busy("down", 0.0) from error
            await super().export(batch, position)

    exporter = Remembering()
    await delivering(engine, exporter)
    await engine.send(3)
    for attempt, wait in enumerate((5, 7.5, 11.25, 16.875, 25.3125, 30), 1):
        await asyncio.sleep(1)
        for _ in range(100):  # the thread that loaded it lets go a moment after it has given the result
            if loaded[-1]() is not None:
                await asyncio.to_thread(time.sleep, 0.01)
        assert [reference() for reference in loaded] == [None] * attempt
        await asyncio.sleep(wait - 1)
    await asyncio.sleep(1)
    assert exporter.batches == [[1, 2, 3]]


async def test_a_dead_exporter_costs_one_small_attempt_for_each_cool_down_however_many_pipelines_it_has(
    engine: Engine,
) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=10, max_age_seconds=1))
    exporter.always = Busy("connection refused", 0.0)
    node = engine.node(exporter, RetryOnFailure.model_validate({"max_elapsed_time": 0}))
    for pipeline in OTHERS:
        engine.deliver(node, pipeline)
    await engine.start()
    for pipeline in OTHERS:
        for number in range(1, 11):
            await engine.send(1, first=number, pipeline=pipeline)
    await asyncio.sleep(10)
    assert node.breaker.is_open
    before = exporter.attempts
    await asyncio.sleep(HOUR)
    assert exporter.attempts - before < HOUR / 15  # waits are 15 to 45 s long at the end, 30 s on average
    assert {len(numbers) for _, numbers in exporter.offered[before:]} == {1}
    exporter.always = None
    await asyncio.sleep(46)
    assert sorted(exporter.got) == sorted(list(range(1, 11)) * 3)
    assert not node.breaker.is_open
    assert len(exporter.batches) == 4  # one probe, the rest of that pipeline's, and the others' whole
    assert "the exporter answers again" in engine.events("info")


async def test_the_breaker_shows_in_the_metrics(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.always = Busy("down", 0.0)
    await delivering(engine, exporter)
    await engine.send(1)

    def shown() -> float | None:
        readings = {reading.definition.name: reading.value for reading in engine.metrics.read()}
        return readings["spanmill_exporter_breaker_open"]

    await asyncio.sleep(1)
    assert shown() == 0.0
    await asyncio.sleep(60)
    assert shown() == 1.0


async def test_a_pipeline_that_waits_to_try_again_does_not_hold_up_another_on_the_same_exporter(
    engine: Engine,
) -> None:
    class Picky(RecordingExporter):
        async def export(self, batch: Batch, position: Position) -> None:
            self.always = Busy("not these", 0.0) if batch.records.num_rows == 3 else None
            await super().export(batch, position)

    exporter = Picky()
    node = engine.node(exporter, RetryOnFailure.model_validate({"max_elapsed_time": 0, "initial_interval": "1h"}))
    refused, liked = OTHERS[:2]
    for pipeline in (refused, liked):
        engine.deliver(node, pipeline)
    await engine.start()
    await engine.send(3, pipeline=refused)
    await asyncio.sleep(1)
    for number in range(1, 20):
        await engine.send(1, first=number, pipeline=liked)
        await asyncio.sleep(0.01)
    assert exporter.got == list(range(1, 20))


async def test_pipelines_that_share_a_slow_exporter_take_turns(engine: Engine) -> None:
    class Slow(RecordingExporter):
        async def export(self, batch: Batch, position: Position) -> None:
            await asyncio.sleep(10)
            await super().export(batch, position)

    exporter = Slow(BatchPreference(max_items=1))
    node, (busy, quiet) = engine.node(exporter), OTHERS[:2]
    for pipeline in (busy, quiet):
        engine.deliver(node, pipeline)
    await engine.start()
    for number in range(1, 101):
        await engine.send(1, first=number, pipeline=busy)
    await engine.send(1, first=1000, pipeline=quiet)
    await asyncio.sleep(31)
    assert 1000 in exporter.got


async def test_a_dead_letter_that_the_disk_refuses_is_written_later_and_nothing_is_exported_twice(
    engine: Engine,
) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Rejected("half of it", 1)]
    blocked = engine.dead_letters.directory
    blocked.write_text("in the way")
    blocked.rename(blocked.with_name("aside"))
    delivery = await delivering(engine, exporter)
    blocked.with_name("aside").rename(blocked)
    await engine.send(2)
    await asyncio.sleep(120)
    assert (delivery.counted.failed, engine.journals[TRACES].held_bytes > 0) == (0, True)
    blocked.unlink()
    await asyncio.sleep(31)
    assert exporter.attempts == 1
    assert (delivery.counted.sent, delivery.counted.failed) == (1, 1)
    assert [numbers for _, numbers in engine.letters()] == [[1, 2]]
