"""From a journal to an exporter: gather, export, try again, commit. One delivery for each pipeline and exporter."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Exporter, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.errors import Busy, Rejected
from spanmill.journal import Journal, Reader, Record
from spanmill.names import ComponentId, PipelineId
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Metrics

STORE_RETRY = RetryOnFailure.model_validate({"initial_interval": "500ms", "max_interval": "10s", "max_elapsed_time": 0})
"""For exporters without `retry_on_failure`: a store on this machine is tried for ever."""


class ExporterNode:
    """An exporter with what its deliveries share: one export at a time for each signal, and how it is doing."""

    def __init__(self, identity: ComponentId, exporter: Exporter, retry: RetryOnFailure) -> None:
        self.identity = identity
        self.exporter = exporter
        self.retry = retry
        self.locks = {signal: asyncio.Lock() for signal in Signal}
        self.failing_since: float | None = None
        """Event loop time of the first failure since the last success."""
        self.failure = ""


@dataclass(slots=True)
class Delivered:
    """Items by what became of them."""

    sent: int = 0
    failed: int = 0
    held: int = 0


class Delivery:
    """Reads a pipeline's journal for one exporter, at the exporter's own pace."""

    def __init__(
        self,
        pipeline: PipelineId,
        journal: Journal,
        node: ExporterNode,
        preference: BatchPreference,
        *,
        metrics: Metrics,
        log: Log,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.pipeline = pipeline
        self.node = node
        self.counted = Delivered()
        self._journal = journal
        self._reader: Reader = journal.reader(f"{pipeline}>{node.identity}")
        self._preference = preference
        self._log = log
        self._fatal = fatal
        self._draining = False
        self._task: asyncio.Task[None] | None = None
        item, exporter = pipeline.signal.item, str(node.identity)
        labels = {"exporter": exporter, "data_type": pipeline.signal.value, "pipeline": str(pipeline)}
        self._sent = metrics.counter(f"otelcol_exporter_sent_{item}", exporter=exporter)
        self._failed = metrics.counter(f"otelcol_exporter_send_failed_{item}", exporter=exporter)
        self._send_size = metrics.histogram("otelcol_exporter_queue_batch_send_size", exporter=exporter)
        self._duration = metrics.histogram("spanmill_exporter_export_duration", exporter=exporter)
        self._in_flight = 0
        metrics.gauge("otelcol_exporter_queue_size", lambda: self._reader.held_bytes, **labels)
        metrics.gauge("otelcol_exporter_queue_capacity", lambda: journal.max_bytes, **labels)
        metrics.gauge("otelcol_exporter_in_flight_requests", lambda: self._in_flight, **labels)

    async def start(self) -> None:
        """Continue where the exporter's output ends."""
        done = await self.node.exporter.committed(self._journal.identity, self.pipeline.signal)
        if done is not None:
            self._reader.rewind(done)
        self._task = asyncio.create_task(self._run(), name=f"delivery {self.pipeline} {self.node.identity}")
        self._task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Deliver what is held, without waiting for more. Cancel it to give up; `counted.held` is what was left."""
        self._draining = True
        self._reader.wake()
        if self._task is not None and not self._task.done():
            try:
                await self._task
            finally:
                self.counted.held = self._reader.held_items

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A delivery that dies must not go unnoticed: its journal would fill up and nothing say why."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    async def _run(self) -> None:
        while records := await self._gather():
            await self._deliver(records)

    async def _gather(self) -> list[Record]:
        """Records until the exporter's preference is met; what is there when draining; none when that is nothing."""
        first = await self._next(None)
        if first is None:
            return []
        records, items, size = [first], first.items, first.size
        wanted = self._preference
        while not self._enough(items, size):
            record = await self._next(first.appended + wanted.max_age_seconds)
            if record is None:
                break
            records.append(record)
            items, size = items + record.items, size + record.size
        return records

    def _enough(self, items: int, size: int) -> bool:
        wanted, nothing_waits = self._preference, self._reader.unread == 0
        if (wanted.max_items and items >= wanted.max_items) or size >= wanted.max_bytes:
            return True
        if not (wanted.min_items or wanted.min_bytes):
            return nothing_waits
        met = (wanted.min_items and items >= wanted.min_items) or (wanted.min_bytes and size >= wanted.min_bytes)
        pressed = self._journal.held_bytes > self._journal.max_bytes // 2
        return bool(met) or (pressed and nothing_waits)

    async def _next(self, deadline: float | None) -> Record | None:
        """The next record; None when none comes before the deadline (event loop time), or draining finds no more."""
        try:
            async with asyncio.timeout_at(deadline):
                while (record := self._reader.read()) is None and not self._draining:
                    await self._reader.wait()
                return record
        except TimeoutError:
            return None

    async def _deliver(self, records: list[Record]) -> None:
        position = Position(self._journal.identity, records[0].sequence, records[-1].sequence)
        batch = records[0].load() if len(records) == 1 else await asyncio.to_thread(_together, records)
        self._send_size.observe(len(batch))
        try:
            await self._export(batch, position)
        except Rejected as rejected:
            failed = len(batch) if rejected.items is None else rejected.items
            self._log.error("data was given up", pipeline=str(self.pipeline), items=failed, reason=rejected.reason)
        else:
            failed = 0
        self._count(len(batch) - failed, failed)
        self._reader.commit(position.last)

    def _count(self, sent: int, failed: int) -> None:
        self.counted.sent += sent
        self.counted.failed += failed
        self._sent.add(sent)
        self._failed.add(failed)

    async def _export(self, batch: Batch, position: Position) -> None:
        """Export, again and again while the exporter is busy. Raises `Rejected` when there is no more use in it."""
        loop, retry = asyncio.get_running_loop(), self.node.retry
        started, pause = loop.time(), retry.initial_interval
        while True:
            try:
                await self._attempt(batch, position)
            except Busy as busy:
                self._note_failure(busy.reason)
                spread = random.uniform(1 - retry.randomization_factor, 1 + retry.randomization_factor)  # noqa: S311
                wait = max(busy.retry_after, pause * spread)
                if not retry.enabled:
                    raise Rejected(f"{busy.reason} (retry_on_failure is not enabled)") from None
                if retry.max_elapsed_time and loop.time() - started + wait > retry.max_elapsed_time:
                    raise Rejected(f"{busy.reason} (given up after {retry.max_elapsed_time:g} s)") from None
                await asyncio.sleep(wait)
                pause = min(pause * retry.multiplier, retry.max_interval)
            else:
                self.node.failing_since, self.node.failure = None, ""
                return

    async def _attempt(self, batch: Batch, position: Position) -> None:
        loop = asyncio.get_running_loop()
        async with self.node.locks[self.pipeline.signal]:
            began, self._in_flight = loop.time(), self._in_flight + 1
            try:
                await self.node.exporter.export(batch, position)
            except (Busy, Rejected):
                raise
            except Exception as error:  # noqa: BLE001 - a defect in an exporter must not stop the delivery
                self._log.error("the exporter failed", pipeline=str(self.pipeline), exc_info=error)
                raise Rejected(f"the exporter failed: {type(error).__name__}: {error}") from None
            finally:
                self._in_flight -= 1
                self._duration.observe(loop.time() - began)

    def _note_failure(self, reason: str) -> None:
        node = self.node
        if node.failing_since is None:
            node.failing_since = asyncio.get_running_loop().time()
        if reason != node.failure:
            self._log.warning("an export failed and is tried again", pipeline=str(self.pipeline), reason=reason)
        node.failure = reason


def _together(records: list[Record]) -> Batch:
    return Batch.concat(record.load() for record in records)
