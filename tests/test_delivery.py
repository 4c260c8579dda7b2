"""Gathering, retrying and committing between a journal and an exporter."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.delivery import Delivery, ExporterNode
from spanmill.errors import Busy, Rejected
from spanmill.journal import Record
from spanmill.journal.memory import MemoryJournal
from spanmill.names import ComponentId, PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from tests.data import packed_size, span_ids, spans

QUICK = RetryOnFailure.model_validate({"initial_interval": "1ms", "max_interval": "2ms", "max_elapsed_time": 0})


class RecordingExporter:
    """Keeps what it is handed; fails as told."""

    def __init__(self, preference: BatchPreference | None = None) -> None:
        self.wanted = preference or BatchPreference()
        self.batches: list[list[int]] = []
        self.positions: list[Position] = []
        self.failures: list[Exception] = []
        self.attempts = 0
        self.arrived = asyncio.Event()
        self.already: int | None = None

    def preference(self, signal: Signal) -> BatchPreference:
        return self.wanted

    async def start(self, host: Host) -> None: ...

    async def stop(self) -> None: ...

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self.already

    async def export(self, batch: Batch, position: Position) -> None:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(span_ids(batch))
        self.positions.append(position)
        self.arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; looked at after every export."""
        while not condition():
            self.arrived.clear()
            await self.arrived.wait()


@asynccontextmanager
async def delivering(
    exporter: RecordingExporter, retry: RetryOnFailure = QUICK, journal: MemoryJournal | None = None
) -> AsyncIterator[tuple[MemoryJournal, Delivery, Metrics]]:
    journal, metrics = journal or MemoryJournal(1 << 20), Metrics()
    node = ExporterNode(ComponentId("record"), exporter, retry)
    faults: list[BaseException] = []
    delivery = Delivery(
        PipelineId(Signal.TRACES),
        journal,
        node,
        exporter.wanted,
        metrics=metrics,
        log=component_log("exporter", "record"),
        fatal=faults.append,
    )
    await delivery.start()
    try:
        yield journal, delivery, metrics
    finally:
        await delivery.drain()
    assert faults == []


async def test_without_a_preference_whatever_is_there_is_handed_over_at_once() -> None:
    exporter = RecordingExporter()
    async with delivering(exporter) as (journal, _, _):
        await journal.append(journal.pack(spans(2)))
        await exporter.until(lambda: exporter.batches == [[1, 2]])
        assert journal.held_bytes == 0


async def test_records_are_gathered_until_there_are_enough_items() -> None:
    exporter = RecordingExporter(BatchPreference(min_items=4, max_age_seconds=60))
    async with delivering(exporter) as (journal, _, _):
        for number in (1, 2, 3):
            await journal.append(journal.pack(spans(1, first=number)))
        await asyncio.sleep(0)
        assert exporter.batches == []
        await journal.append(journal.pack(spans(1, first=4)))
        await exporter.until(lambda: exporter.batches == [[1, 2, 3, 4]])
        assert exporter.positions == [Position(journal.identity, 1, 4)]


async def test_few_items_are_handed_over_when_they_are_old_enough() -> None:
    exporter = RecordingExporter(BatchPreference(min_items=1000, max_age_seconds=0.01))
    async with delivering(exporter) as (journal, _, _):
        await journal.append(journal.pack(spans(1)))
        await exporter.until(lambda: exporter.batches == [[1]])


async def test_a_journal_that_fills_up_hands_over_early() -> None:
    exporter = RecordingExporter(BatchPreference(min_items=10_000, max_age_seconds=3600))
    small = MemoryJournal(packed_size(spans(10)) * 3)
    async with delivering(exporter, journal=small) as (journal, _, _):
        await journal.append(journal.pack(spans(10)))
        await journal.append(journal.pack(spans(10, first=11)))
        await exporter.until(lambda: len(exporter.batches) == 1)


async def test_draining_hands_over_what_is_there_and_ends() -> None:
    exporter = RecordingExporter(BatchPreference(min_items=1000, max_age_seconds=3600))
    async with delivering(exporter) as (journal, delivery, _):
        await journal.append(journal.pack(spans(1)))
        await journal.append(journal.pack(spans(1, first=2)))
        await delivery.drain()
        assert [number for batch in exporter.batches for number in batch] == [1, 2]
        assert (delivery.counted.sent, delivery.counted.held) == (2, 0)


async def test_a_busy_exporter_is_tried_again_and_nothing_is_committed_before() -> None:
    exporter = RecordingExporter()
    exporter.failures = [Busy("no", 0.0), Busy("still no", 0.0)]
    async with delivering(exporter) as (journal, delivery, metrics):
        await journal.append(journal.pack(spans(3)))
        assert journal.held_bytes > 0
        await exporter.until(lambda: exporter.batches == [[1, 2, 3]])
        assert exporter.attempts == 3
        assert delivery.node.failing_since is None
        await delivery.drain()
        assert metrics.value("otelcol_exporter_sent_spans") == 3


async def test_what_an_exporter_rejects_is_given_up_counted_and_the_next_goes_through() -> None:
    exporter = RecordingExporter()
    exporter.failures = [Rejected("unreadable")]
    async with delivering(exporter) as (journal, delivery, metrics):
        await journal.append(journal.pack(spans(3)))
        while not metrics.value("otelcol_exporter_send_failed_spans"):
            await asyncio.sleep(0)
        await journal.append(journal.pack(spans(1, first=9)))
        await exporter.until(lambda: exporter.batches == [[9]])
        await delivery.drain()
        assert (delivery.counted.sent, delivery.counted.failed) == (1, 3)


async def test_a_defect_in_an_exporter_costs_its_batch_and_not_the_delivery() -> None:
    exporter = RecordingExporter()
    exporter.failures = [ZeroDivisionError("oops")]
    async with delivering(exporter) as (journal, _, metrics):
        await journal.append(journal.pack(spans(2)))
        while not metrics.value("otelcol_exporter_send_failed_spans"):
            await asyncio.sleep(0)
        await journal.append(journal.pack(spans(1, first=7)))
        await exporter.until(lambda: exporter.batches == [[7]])


async def test_after_max_elapsed_time_a_batch_is_given_up() -> None:
    exporter = RecordingExporter()
    exporter.failures = [Busy("down", 0.0)] * 1000
    retry = RetryOnFailure.model_validate(
        {"initial_interval": "1ms", "max_interval": "2ms", "max_elapsed_time": "10ms"}
    )
    async with delivering(exporter, retry) as (journal, delivery, metrics):
        await journal.append(journal.pack(spans(2)))
        while not metrics.value("otelcol_exporter_send_failed_spans"):
            await asyncio.sleep(0.001)
        assert delivery.counted.failed == 2
        exporter.failures = []


async def test_without_retry_a_busy_answer_gives_the_batch_up() -> None:
    exporter = RecordingExporter()
    exporter.failures = [Busy("down", 0.0)]
    async with delivering(exporter, RetryOnFailure(enabled=False)) as (journal, delivery, metrics):
        await journal.append(journal.pack(spans(2)))
        while not metrics.value("otelcol_exporter_send_failed_spans"):
            await asyncio.sleep(0)
        assert delivery.counted.failed == 2


async def test_giving_up_a_drain_says_how_many_items_were_left() -> None:
    exporter = RecordingExporter()
    exporter.failures = [Busy("down", 30.0)]
    async with delivering(exporter) as (journal, delivery, _):
        await journal.append(journal.pack(spans(5)))
        while not exporter.attempts:
            await asyncio.sleep(0)
        draining = asyncio.create_task(delivery.drain())
        await asyncio.sleep(0)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        assert delivery.counted.held == 5


async def test_an_exporter_whose_output_holds_records_is_not_handed_them_again() -> None:
    exporter = RecordingExporter()
    exporter.already = 2
    journal = MemoryJournal(1 << 20)
    journal.reader("traces>record")
    for number in (1, 2, 3):
        await journal.append(journal.pack(spans(1, first=number)))
    async with delivering(exporter, journal=journal):
        await exporter.until(lambda: exporter.batches == [[3]])


async def test_a_delivery_that_dies_is_reported_as_fatal() -> None:
    class BrokenJournal(MemoryJournal):
        def record(self, sequence: int) -> Record | None:
            raise LookupError("the journal is broken")

    reported: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    delivery = Delivery(
        PipelineId(Signal.TRACES),
        BrokenJournal(1 << 20),
        ExporterNode(ComponentId("record"), RecordingExporter(), QUICK),
        BatchPreference(),
        metrics=Metrics(),
        log=component_log("exporter", "record"),
        fatal=reported.set_result,
    )
    await delivery.start()
    assert "the journal is broken" in str(await reported)
