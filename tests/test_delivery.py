"""Gathering, committing, giving up and draining between a journal and an exporter."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spanmill.component import BatchPreference, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.delivery import Delivery
from spanmill.errors import Busy, Rejected
from spanmill.exporter_node import ExporterNode
from spanmill.journal import Record
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId
from spanmill.telemetry.metrics import Metrics
from tests.data import packed_size, spans
from tests.deliveries import QUICK, TRACES, Engine, RecordingExporter, until
from tests.logs import CapturedLog


@pytest.fixture(params=[False, True], ids=["memory", "disk"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path, durable=request.param)
    yield engine
    await engine.stop()
    assert engine.faults == []


async def delivering(engine: Engine, exporter: RecordingExporter, retry: RetryOnFailure = QUICK) -> Delivery:
    delivery = engine.deliver(engine.node(exporter, retry))
    await engine.start()
    return delivery


async def test_without_a_preference_whatever_is_there_is_handed_over_at_once(engine: Engine) -> None:
    exporter = RecordingExporter()
    await delivering(engine, exporter)
    await engine.send(2)
    await until(lambda: engine.journals[TRACES].held_bytes == 0)
    assert exporter.batches == [[1, 2]]


async def test_records_are_gathered_until_there_are_enough_items(engine: Engine) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=4, max_age_seconds=60))
    await delivering(engine, exporter)
    for number in (1, 2, 3):
        await engine.send(1, first=number)
    await asyncio.sleep(0)
    assert exporter.batches == []
    await engine.send(1, first=4)
    await until(lambda: exporter.batches == [[1, 2, 3, 4]])
    assert exporter.positions == [Position(engine.journals[TRACES].identity, 1, 4)]


async def test_few_items_are_handed_over_when_they_are_old_enough(engine: Engine) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=1000, max_age_seconds=0.01))
    await delivering(engine, exporter)
    await engine.send(1)
    await until(lambda: exporter.batches == [[1]])


async def test_a_journal_that_fills_up_hands_over_early(tmp_path: Path) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=10_000, max_age_seconds=3600))
    engine = Engine(tmp_path, durable=False, max_bytes=packed_size(spans(10)) * 3)
    await delivering(engine, exporter)
    await engine.send(10)
    await engine.send(10, first=11)
    await until(lambda: len(exporter.batches) == 1)
    await engine.stop()


async def test_draining_hands_over_what_is_there_and_ends(engine: Engine) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=1000, max_age_seconds=3600))
    delivery = await delivering(engine, exporter)
    await engine.send(1)
    await engine.send(1, first=2)
    await delivery.drain()
    assert exporter.got == [1, 2]
    assert (delivery.counted.sent, delivery.counted.held, delivery.counted.kept) == (2, 0, 0)


async def test_a_busy_exporter_is_tried_again_and_nothing_is_committed_before(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Busy("no", 0.0), Busy("still no", 0.0)]
    delivery = await delivering(engine, exporter)
    await engine.send(3)
    assert engine.journals[TRACES].held_bytes > 0
    await until(lambda: exporter.batches == [[1, 2, 3]])
    await delivery.drain()
    assert exporter.attempts == 3
    assert delivery.node.breaker.failing_since is None
    assert engine.metrics.value("otelcol_exporter_sent_spans") == 3


async def test_what_an_exporter_rejects_becomes_a_dead_letter_and_the_next_goes_through(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Rejected("HTTP 400: unreadable")]
    delivery = await delivering(engine, exporter)
    await engine.send(3)
    await until(lambda: delivery.counted.failed)
    await engine.send(1, first=9)
    await until(lambda: exporter.batches == [[9]])
    await delivery.drain()
    assert (delivery.counted.sent, delivery.counted.failed) == (1, 3)
    assert engine.journals[TRACES].held_bytes == 0
    ((letter, numbers),) = engine.letters()
    assert numbers == [1, 2, 3]
    assert (letter.pipeline, letter.exporter, letter.reason) == ("traces", "record", "HTTP 400: unreadable")
    assert (letter.items, letter.refused, letter.first, letter.last) == (3, 3, 1, 1)
    values = [engine.metrics.value(f"spanmill_exporter_{name}") for name in ("dead_letters", "dead_letter_items")]
    assert values == [1, 3]
    assert engine.metrics.value("otelcol_exporter_send_failed_spans") == 3


async def test_a_letter_of_a_batch_that_was_partly_delivered_holds_all_of_it_and_the_number(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Rejected("2 spans have no name", 2)]
    delivery = await delivering(engine, exporter)
    await engine.send(5)
    await until(lambda: delivery.counted.failed)
    assert (delivery.counted.sent, delivery.counted.failed) == (3, 2)
    ((letter, numbers),) = engine.letters()
    assert (letter.items, letter.refused, numbers) == (5, 2, [1, 2, 3, 4, 5])


async def test_without_a_place_for_dead_letters_what_is_given_up_is_logged_and_counted(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [Rejected("unreadable")]
    delivery = engine.deliver(engine.node(exporter), letters=False)
    await engine.start()
    await engine.send(3)
    await until(lambda: delivery.counted.failed == 3)
    assert engine.events("error") == ["data was given up"]
    assert list(engine.letters()) == []


async def test_letters_that_go_for_want_of_room_are_logged_and_counted(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.always = Rejected("unreadable")
    engine.dead_letters.max_bytes = 50_000
    delivery = await delivering(engine, exporter)
    for number in range(8):
        await engine.send(1, first=number + 1)
        await until(lambda: delivery.counted.failed == number + 1)  # noqa: B023 - called in this round
    kept = len(list(engine.letters()))
    assert 0 < kept < 8
    assert engine.metrics.value("spanmill_exporter_lost_dead_letter_items") == 8 - kept
    assert sum("want of room" in event for event in engine.events("error")) == 8 - kept


async def test_an_exporter_that_always_fails_by_a_defect_on_one_record_costs_that_record_alone(engine: Engine) -> None:
    exporter = RecordingExporter(BatchPreference(min_items=5, max_age_seconds=60))
    exporter.poison = {3}
    delivery = await delivering(engine, exporter)
    for number in range(1, 6):
        await engine.send(1, first=number)
    await until(lambda: exporter.got == [1, 2, 4, 5])
    await delivery.drain()
    ((letter, numbers),) = engine.letters()
    assert numbers == [3]
    assert letter.reason == "the exporter failed: ZeroDivisionError: poison (given up after 5 attempts)"
    alone = [numbers for _, numbers in exporter.offered if numbers == [3]]
    assert len(alone) == 5
    assert (delivery.counted.sent, delivery.counted.failed) == (4, 1)


class PanicException(BaseException):
    """What native code raises when it panics: no `Exception`, by pyo3's choice."""


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), asyncio.CancelledError(), PanicException("index")])
async def test_a_defect_that_passes_costs_nothing(engine: Engine, error: BaseException) -> None:
    exporter = RecordingExporter()
    exporter.answers = [error, error]
    delivery = await delivering(engine, exporter)
    await engine.send(2)
    await until(lambda: exporter.batches == [[1, 2]])
    await delivery.drain()
    assert delivery.counted.failed == 0


async def test_an_error_of_the_operating_system_is_tried_again_however_often(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.answers = [ConnectionResetError(104, "Connection reset by peer")] * 20
    await delivering(engine, exporter)
    await engine.send(2)
    await until(lambda: exporter.batches == [[1, 2]])
    assert list(engine.letters()) == []


async def test_without_retry_a_busy_answer_gives_the_batch_up_at_once(engine: Engine) -> None:
    exporter = RecordingExporter()
    exporter.always = Busy("down", 0.0)
    delivery = await delivering(engine, exporter, RetryOnFailure(enabled=False))
    for number in range(1, 9):
        await engine.send(1, first=number)
    await until(lambda: delivery.counted.failed == 8)
    assert sorted(number for _, numbers in engine.letters() for number in numbers) == list(range(1, 9))
    assert next(engine.letters())[0].reason == "down (retry_on_failure is not enabled)"


def damage(directory: Path, record: int) -> None:
    """Turn over a byte of one of the five records in the oldest segment."""
    segment = min(directory.glob("journal/*/*.segment"))
    contents = bytearray(segment.read_bytes())
    step = len(contents.rstrip(b"\0")) // 5
    contents[step * record - step // 2] ^= 0xFF
    segment.write_bytes(contents)


@pytest.mark.parametrize("damaged", [1, 3, 5])
async def test_a_record_that_the_journal_cannot_give_any_more_costs_itself_alone_and_is_counted(
    tmp_path: Path, damaged: int
) -> None:
    before = Engine(tmp_path, durable=True)
    before.deliver(before.node(RecordingExporter()))
    for journal in before.journals.values():
        await journal.start()
    for number in range(1, 6):
        await before.send(2, first=10 * number)
    await before.stop()
    exporter, after = RecordingExporter(), Engine(tmp_path, durable=True)
    delivery = after.deliver(after.node(exporter))
    for journal in after.journals.values():
        await journal.start()
    damage(tmp_path, damaged)
    await delivery.start()
    await delivery.drain()
    assert exporter.got == [10 * n + more for n in range(1, 6) if n != damaged for more in (0, 1)]
    assert (delivery.counted.sent, delivery.counted.failed, delivery.counted.kept) == (8, 2, 0)
    assert "data is lost: the journal is damaged" in after.events("error")
    await after.stop()
    assert after.faults == []


async def test_an_exporter_whose_output_holds_records_is_not_handed_them_again() -> None:
    exporter = RecordingExporter()
    exporter.already = 2
    journal = MemoryJournal(1 << 20)
    journal.reader("traces>record")
    for number in (1, 2, 3):
        await journal.append(journal.pack(spans(1, first=number)))
    node = ExporterNode(ComponentId("record"), exporter, QUICK)
    delivery = Delivery(
        TRACES, journal, node, exporter.wanted, metrics=Metrics(), log=CapturedLog(), fatal=lambda _: None
    )
    await delivery.start()
    await until(lambda: exporter.batches == [[3]])
    await delivery.drain()


async def test_a_delivery_that_dies_is_reported_as_fatal() -> None:
    class BrokenJournal(MemoryJournal):
        def record_after(self, sequence: int) -> Record | None:
            raise LookupError("the journal is broken")

        record = record_after

    reported: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    delivery = Delivery(
        TRACES,
        BrokenJournal(1 << 20),
        ExporterNode(ComponentId("record"), RecordingExporter(), QUICK),
        BatchPreference(),
        metrics=Metrics(),
        log=CapturedLog(),
        fatal=reported.set_result,
    )
    await delivery.start()
    assert "the journal is broken" in str(await reported)
