"""A server that is down while a large backlog gathers on disk: memory stays flat, and everything arrives in order."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.errors import Busy
from spanmill.journal import Packed
from spanmill.journal.disk import DiskJournal
from tests.data import batch_of, span_ids, traces
from tests.deliveries import TRACES, Engine, RecordingExporter, until

_MIB = 1 << 20


class Down(RecordingExporter):
    """Keeps only the order of what arrives."""

    def __init__(self) -> None:
        super().__init__(BatchPreference(max_bytes=4 * _MIB))
        self.last, self.up, self.largest = 0, False, 0

    async def export(self, batch: Batch, position: Position) -> None:
        if not self.up:
            self.largest = max(self.largest, len(batch))
            raise Busy("connection refused", 0.0)
        numbers = span_ids(batch)
        assert numbers[0] == self.last + 1
        self.last = numbers[-1]


@pytest.mark.torture
@pytest.mark.parametrize("backlog_mib", [1024])
async def test_a_large_backlog_takes_disk_and_no_memory_and_is_delivered_in_order(
    tmp_path: Path, backlog_mib: int
) -> None:
    engine, exporter = Engine(tmp_path, durable=True, max_bytes=2 * backlog_mib * _MIB), Down()
    retry = RetryOnFailure.model_validate({"initial_interval": "10ms", "max_interval": "50ms"})
    delivery = engine.deliver(engine.node(exporter, retry))
    await engine.start()
    journal, process = engine.journals[TRACES], psutil.Process()
    assert isinstance(journal, DiskJournal)

    def packed(first: int) -> Packed:
        return journal.pack(batch_of(traces(1, first=first, name=os.urandom(500_000).hex())))

    sent, before, peak = 0, 0, 0
    while journal.held_bytes < backlog_mib * _MIB:
        await journal.append(await asyncio.to_thread(packed, sent + 1))
        sent += 1
        if journal.held_bytes > 64 * _MIB and not before:
            before = process.memory_info().rss
        peak = max(peak, process.memory_info().rss)
    assert delivery.counted.sent == 0
    assert delivery.node.breaker.is_open
    exporter.up = True
    while delivery.counted.sent < sent:
        await asyncio.sleep(0.01)
        peak = max(peak, process.memory_info().rss)
    assert exporter.last == sent
    assert peak - before < 100 * _MIB
    await until(lambda: journal.held_bytes == 0)
    await engine.stop()
