"""Draining at shutdown: within the deadline whatever exporters do, and what is on disk is kept and not lost."""

import asyncio
from pathlib import Path

import pytest

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.dead_letters import Letter
from spanmill.delivery import Delivered, Delivery
from spanmill.errors import Busy, Rejected
from spanmill.names import PipelineId
from spanmill.signal import Signal
from tests.data import spans
from tests.deliveries import EXACT, TRACES, Engine, RecordingExporter

FOR_EVER = RetryOnFailure.model_validate({"max_elapsed_time": 0, "randomization_factor": 0})


class Hanging(RecordingExporter):
    """Never comes back; `stubborn`: not even when it is cancelled."""

    def __init__(self, *, stubborn: bool = False) -> None:
        super().__init__()
        self.stubborn, self.released = stubborn, asyncio.Event()
        self.cancelled = False

    async def export(self, batch: Batch, position: Position) -> None:
        try:
            await asyncio.sleep(1e9)
        except asyncio.CancelledError:
            self.cancelled = True
            if not self.stubborn:
                raise
        await self.released.wait()


def now() -> float:
    return asyncio.get_running_loop().time()


async def drained_in(delivery: Delivery, deadline: float = 30.0) -> float:
    """Seconds that a drain took, which is cancelled at the deadline as the graph does."""
    began = now()
    task = asyncio.create_task(delivery.drain())
    await asyncio.wait([task], timeout=deadline)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return now() - began


async def test_a_journal_on_disk_keeps_what_fails_at_the_first_attempt(tmp_path: Path) -> None:
    engine, exporter = Engine(tmp_path, durable=True), RecordingExporter()
    exporter.always = Busy("down", 0.0)
    delivery = engine.deliver(engine.node(exporter, EXACT))
    for journal in engine.journals.values():
        await journal.start()
    await engine.send(4)
    await delivery.start()
    draining = delivery.drain()
    began = now()
    await draining
    assert (exporter.attempts, now() - began) == (1, 0)
    assert delivery.counted == Delivered(kept=4)
    await engine.stop()


@pytest.mark.parametrize("after_seconds", [1.0, 100.0], ids=["a back-off", "a wait of the breaker"])
async def test_a_wait_under_way_ends_at_once_and_what_waits_is_kept_on_disk(
    tmp_path: Path, after_seconds: float
) -> None:
    engine, exporter = Engine(tmp_path, durable=True), RecordingExporter()
    exporter.always = Busy("down", 0.0)
    node = engine.node(exporter, EXACT)
    deliveries = [engine.deliver(node, PipelineId(Signal.TRACES, name)) for name in ("a", "b", "c")]
    await engine.start()
    for delivery in deliveries:
        await engine.send(2, pipeline=delivery.pipeline)
    await asyncio.sleep(after_seconds)
    attempts, began = exporter.attempts, now()
    await asyncio.gather(*(delivery.drain() for delivery in deliveries))
    assert (exporter.attempts, now() - began) == (attempts, 0)
    assert [delivery.counted for delivery in deliveries] == [Delivered(kept=2)] * 3
    await engine.stop()


async def test_a_journal_in_memory_is_tried_once_more_at_once_and_then_until_the_deadline(tmp_path: Path) -> None:
    engine, exporter = Engine(tmp_path, durable=False), RecordingExporter()
    exporter.always = Busy("down", 0.0)
    delivery = engine.deliver(engine.node(exporter, FOR_EVER))
    await engine.start()
    await engine.send(5)
    await asyncio.sleep(300)
    before, began = exporter.attempts, now()
    assert await drained_in(delivery, 45.0) == 45.0
    assert [time - began for time, _ in exporter.offered[before:]] == [0, 30]
    assert delivery.counted == Delivered(held=5)
    await engine.stop()


async def test_a_server_that_comes_back_while_draining_gets_what_was_in_memory(tmp_path: Path) -> None:
    engine, exporter = Engine(tmp_path, durable=False), RecordingExporter()
    exporter.answers = [Busy("down", 0.0)] * 3
    delivery = engine.deliver(engine.node(exporter, EXACT))
    await engine.start()
    await engine.send(5)
    await asyncio.sleep(1)
    await drained_in(delivery)
    assert delivery.counted == Delivered(sent=5)
    await engine.stop()


async def test_an_export_under_way_has_until_the_deadline_and_is_then_cancelled(engine: Engine) -> None:
    exporter = Hanging()
    delivery = engine.deliver(engine.node(exporter))
    await engine.start()
    await engine.send(3)
    await asyncio.sleep(1)
    assert await drained_in(delivery) == 30.0
    assert exporter.cancelled
    assert delivery.counted == (Delivered(kept=3) if engine.durable else Delivered(held=3))


async def test_an_export_that_cannot_be_cancelled_does_not_hold_up_the_end(engine: Engine) -> None:
    exporter = Hanging(stubborn=True)
    delivery = engine.deliver(engine.node(exporter))
    await engine.start()
    await engine.send(3)
    await asyncio.sleep(1)
    assert await drained_in(delivery) <= 36.0
    assert engine.events("error") == ["an export does not end and is left alone"]
    assert delivery.counted.kept + delivery.counted.held == 3
    exporter.released.set()
    await asyncio.sleep(1)


async def test_what_goes_through_while_draining_is_delivered(engine: Engine) -> None:
    class Slow(RecordingExporter):
        async def export(self, batch: Batch, position: Position) -> None:
            await asyncio.sleep(5)
            await super().export(batch, position)

    exporter = Slow()
    exporter.wanted = exporter.wanted.__class__(max_items=1)
    delivery = engine.deliver(engine.node(exporter))
    await engine.start()
    for number in range(1, 5):
        await engine.send(1, first=number)
    assert await drained_in(delivery) < 25.0
    assert exporter.got == [1, 2, 3, 4]
    assert delivery.counted == Delivered(sent=4)


async def test_what_is_rejected_while_draining_becomes_a_dead_letter(engine: Engine) -> None:
    exporter = RecordingExporter()
    delivery = engine.deliver(engine.node(exporter))
    exporter.answers = [Rejected("unreadable")]
    await engine.start()
    await engine.send(2)
    await delivery.drain()
    assert delivery.counted == Delivered(failed=2)
    assert [numbers for _, numbers in engine.letters()] == [[1, 2]]


async def test_what_was_kept_is_delivered_in_order_after_the_next_start(tmp_path: Path) -> None:
    first, exporter = Engine(tmp_path, durable=True), RecordingExporter()
    exporter.always = Busy("down", 0.0)
    delivery = first.deliver(first.node(exporter, EXACT))
    await first.start()
    for number in range(1, 30):
        await first.send(1, first=number)
    await delivery.drain()
    await first.stop()
    assert delivery.counted == Delivered(kept=29)
    second, exporter = Engine(tmp_path, durable=True), RecordingExporter()
    delivery = second.deliver(second.node(exporter, EXACT))
    await second.start()
    await delivery.drain()
    assert exporter.got == list(range(1, 30))
    await second.stop()


async def test_a_process_that_died_between_a_dead_letter_and_its_cursor_does_not_export_again(tmp_path: Path) -> None:
    engine, exporter = Engine(tmp_path, durable=True), RecordingExporter()
    delivery = engine.deliver(engine.node(exporter))
    (journal,) = engine.journals.values()
    await journal.start()
    for number in (1, 2, 3):
        await engine.send(1, first=number)
    letter = Letter("traces", "record", TRACES.signal, "unreadable", 2, 2, journal.identity, 1, 2, 1_760_000_000.0)
    engine.dead_letters.put(Batch.concat([spans(1), spans(1, first=2)]), letter)
    await delivery.start()
    await delivery.drain()
    assert exporter.got == [3]
    await engine.stop()
