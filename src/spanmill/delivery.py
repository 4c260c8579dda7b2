"""From a journal to an exporter: gather, export, try again, give up, commit. One for each pipeline and exporter."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Position
from spanmill.config.blocks import RetryOnFailure
from spanmill.dead_letter_office import DeadLetterOffice
from spanmill.dead_letters import DeadLetters
from spanmill.errors import Busy, Rejected, is_defect
from spanmill.exporter_node import Answer, ExporterNode, Verdict
from spanmill.gathering import Gathering
from spanmill.journal import Journal, Reader, Record, Unreadable
from spanmill.names import PipelineId
from spanmill.retrying import MOST_DEFECTS, Retrying
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Metrics

STORE_RETRY: Final = RetryOnFailure.model_validate(
    {"initial_interval": "500ms", "max_interval": "10s", "max_elapsed_time": 0}
)
"""For exporters without `retry_on_failure`: a store on this machine is tried for ever."""
_CANCEL_SECONDS: Final = 5.0
"""How long an export that is cancelled may take to end before the daemon stops without it. A file is written whole."""


@dataclass(slots=True)
class Delivered:
    """Items by what became of them."""

    sent: int = 0
    failed: int = 0
    """Given up for good: rejected, or tried for too long."""
    kept: int = 0
    """Not delivered when the daemon stopped, and in a journal on disk: the next start continues with them."""
    held: int = 0
    """Not delivered when the daemon stopped, and lost with its memory."""


class _Kept(Exception):  # noqa: N818 - an event, not a fault
    """Draining, something does not work at once, and the journal keeps what is left: no use in waiting for it."""


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
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.node = node
        self.counted = Delivered()
        self._journal = journal
        self.consumer = f"{pipeline}>{node.identity}"
        """Its name among the journal's consumers."""
        self._reader: Reader = journal.reader(self.consumer)
        self._gathering = Gathering(journal, self._reader, preference)
        self._retrying = Retrying(node.retry, durable=journal.durable)
        self._office = DeadLetterOffice(pipeline, node.identity, dead_letters, metrics, log)
        self._log = log
        self._fatal = fatal
        self._one_by_one_until = 0
        self._draining = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._measure(metrics)

    def _measure(self, metrics: Metrics) -> None:
        item, exporter = self.pipeline.signal.item, str(self.node.identity)
        labels = {"exporter": exporter, "data_type": self.pipeline.signal.value, "pipeline": str(self.pipeline)}
        self._sent = metrics.counter(f"otelcol_exporter_sent_{item}", exporter=exporter)
        self._failed = metrics.counter(f"otelcol_exporter_send_failed_{item}", exporter=exporter)
        self._send_size = metrics.histogram("otelcol_exporter_queue_batch_send_size", exporter=exporter)
        self._duration = metrics.histogram("spanmill_exporter_export_duration", exporter=exporter)
        self._in_flight = 0
        metrics.gauge("otelcol_exporter_queue_size", lambda: self._reader.held_bytes, **labels)
        metrics.gauge("otelcol_exporter_queue_capacity", lambda: self._journal.max_bytes, **labels)
        metrics.gauge("otelcol_exporter_in_flight_requests", lambda: self._in_flight, **labels)
        metrics.gauge("spanmill_exporter_breaker_open", lambda: float(self.node.breaker.is_open), exporter=exporter)

    # Starting and stopping.

    async def start(self) -> None:
        """Continue where the exporter's output ends, and its dead letters."""
        journal, node = self._journal.identity, self.node
        stored = await node.exporter.committed(journal, self.pipeline.signal)
        done = max(stored or 0, await self._office.last(journal) or 0)
        if done > self._reader.committed:
            self._reader.rewind(done)
        self._task = asyncio.create_task(self._run(), name=f"delivery {self.pipeline} {node.identity}")
        self._task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Deliver what is held, without waiting for more; `counted` says what is left.

        When the journal outlives the process, nothing is tried twice and no wait is sat out. Cancel it to give up: an
        export under way is cancelled too.
        """
        self._draining.set()
        self._gathering.finish()
        self.node.breaker.hurry()
        if self._task is None:
            return
        try:
            await asyncio.wait([self._task])
        finally:
            if not self._task.done():
                await self._cancel(self._task)
            left = self._reader.held_items
            self.counted.kept, self.counted.held = (left, 0) if self._journal.durable else (0, left)

    async def _cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_SECONDS)
        if not task.done():
            self._log.error("an export does not end and is left alone", pipeline=str(self.pipeline))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A delivery that dies must not go unnoticed: its journal would fill up and nothing say why."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    # Running.

    async def _run(self) -> None:
        with suppress(_Kept):
            while await self._gathering.fill():
                records, answer = await self._attempt()
                await self._proceed(records, answer)

    async def _attempt(self) -> tuple[list[Record], Answer]:
        """When it is our turn, hand the exporter what is in hand; the first record alone to see whether it is alive.

        Nothing is loaded, and no turn is held, while this waits for the breaker.
        """
        breaker = self.node.breaker
        while True:
            async with breaker.turn() as probe, self.node.turns[self.pipeline.signal]:
                if breaker.is_open and self._keeps:
                    raise _Kept
                if probe or not breaker.is_open:
                    self._retrying.begin()
                    records = self._in_hand(alone=probe)
                    answer = await self._export(records)
                    self._tell(answer)
                    return records, answer

    @property
    def _keeps(self) -> bool:
        """Draining, and what is not delivered is there at the next start."""
        return self._draining.is_set() and self._journal.durable

    def _in_hand(self, *, alone: bool) -> list[Record]:
        records = self._gathering.records
        alone = alone or records[0].sequence <= self._one_by_one_until
        return records[:1] if alone else list(records)

    async def _export(self, records: Sequence[Record]) -> Answer:
        loop, position = asyncio.get_running_loop(), self._position(records)
        try:
            batch = await asyncio.to_thread(_load, records)
            self._send_size.observe(len(batch))
            began, self._in_flight = loop.time(), self._in_flight + 1
            try:
                await self.node.exporter.export(batch, position)
            finally:
                self._in_flight -= 1
                self._duration.observe(loop.time() - began)
        except Busy as busy:
            return Answer(Verdict.BUSY, busy.reason, busy.retry_after)
        except Rejected as rejected:
            return Answer(Verdict.REJECTED, rejected.reason, rejected=rejected.items)
        except Unreadable as unreadable:
            return Answer(Verdict.UNREADABLE, str(unreadable))
        except OSError as error:  # of the journal's disk, or a network's that the exporter lets through
            return Answer(Verdict.BUSY, f"{type(error).__name__}: {error}")
        except asyncio.CancelledError:
            if _cancelled():
                raise
            return Answer(Verdict.DEFECT, "the exporter failed: it cancelled itself")
        except BaseException as error:
            if not is_defect(error):
                raise
            self._log.error("the exporter failed", pipeline=str(self.pipeline), exc_info=error)
            return Answer(Verdict.DEFECT, f"the exporter failed: {type(error).__name__}: {error}")
        return Answer(Verdict.DELIVERED)

    def _tell(self, answer: Answer) -> None:
        """Let the other deliveries of the exporter know how it is doing."""
        breaker, pipeline = self.node.breaker, str(self.pipeline)
        if answer.verdict is Verdict.BUSY:
            if answer.reason != breaker.reason:
                self._log.warning("an export failed and is tried again", pipeline=pipeline, reason=answer.reason)
            breaker.failed(answer.reason, self._retrying.back_off(answer.retry_after_seconds))
        elif answer.verdict in {Verdict.DELIVERED, Verdict.REJECTED}:
            if breaker.is_open:
                self._log.info("the exporter answers again", pipeline=pipeline)
            breaker.answered()

    async def _proceed(self, records: list[Record], answer: Answer) -> None:
        if answer.verdict is Verdict.DELIVERED:
            self._done(records, failed=0)
        elif answer.verdict is Verdict.REJECTED:
            await self._give_up(records, answer.reason, answer.rejected)
        elif answer.verdict is Verdict.UNREADABLE and len(records) == 1:
            self._log.error(
                "data is lost: the journal is damaged",
                pipeline=str(self.pipeline), items=records[0].items, reason=answer.reason,
            )  # fmt: skip
            self._done(records, failed=records[0].items)
        elif answer.verdict is Verdict.UNREADABLE:
            self._isolate(records)
        else:
            await self._try_again(records, answer)

    async def _try_again(self, records: list[Record], answer: Answer) -> None:
        """Wait for the next attempt, or give up when there is to be none."""
        retrying, defect = self._retrying, answer.verdict is Verdict.DEFECT
        if defect:
            retrying.back_off()
        if not retrying.enabled:
            await self._give_up(records, f"{answer.reason} (retry_on_failure is not enabled)")
        elif retrying.too_late:
            reason = f"{answer.reason} (given up after {retrying.limit_seconds:g} s)"
            await self._give_up(list(self._gathering.records), reason)
        elif defect and len(records) == 1 and retrying.count_defect():
            await self._give_up(records, f"{answer.reason} (given up after {MOST_DEFECTS} attempts)")
        else:
            if defect:
                self._isolate(records)
            if defect or not self.node.breaker.is_open:  # else the breaker waits
                await self._rest(retrying.wait_seconds)

    def _isolate(self, records: Sequence[Record]) -> None:
        """From now on one at a time, up to the last of these: one of them is to blame, and its neighbours are not."""
        self._one_by_one_until = max(self._one_by_one_until, records[-1].sequence)

    async def _rest(self, seconds: float) -> None:
        """Wait; the beginning of draining ends it."""
        if not self._draining.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._draining.wait()
        elif not self._keeps:
            await asyncio.sleep(seconds)
        if self._keeps:
            raise _Kept

    # Ending: delivered or given up.

    async def _give_up(self, records: Sequence[Record], reason: str, rejected: int | None = None) -> None:
        """Make a dead letter of the records; where the disk does not take it now, try again until it does."""
        items = sum(record.items for record in records)
        failed = items if rejected is None else min(rejected, items)
        while failed:
            try:
                await self._office.take(records, self._position(records), failed, reason)
                break
            except OSError as error:
                self._log.warning("a dead letter cannot be written; it is tried again", reason=str(error))
            await self._rest(self._retrying.back_off())
        self._done(records, failed)

    def _done(self, records: Sequence[Record], failed: int) -> None:
        sent = sum(record.items for record in records) - failed
        self.counted.sent += sent
        self.counted.failed += failed
        self._sent.add(sent)
        self._failed.add(failed)
        self._gathering.done(len(records))
        self._retrying.restart()

    def _position(self, records: Sequence[Record]) -> Position:
        return Position(self._journal.identity, records[0].sequence, records[-1].sequence)


def _load(records: Sequence[Record]) -> Batch:
    return Batch.concat(record.load() for record in records)


def _cancelled() -> bool:
    """Whether somebody asked the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
