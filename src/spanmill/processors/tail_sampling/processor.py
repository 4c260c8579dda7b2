"""The tail_sampling processor: takes in what its journal gets, decides what is due, lets go what is kept.

A pass is on the disk before anything is done about it, and the rows that it keeps go into the outlet under a digest of
its number. After a crash the passes are applied again to the same records, and only the last one may still have to be
put: the outlet knows. The journal's cursor stays before the first row that still waits.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import numpy as np

from spanmill.batch import Batch
from spanmill.component import Holding, Host, Inlet, Outlet, Settings, Transform
from spanmill.errors import Busy
from spanmill.journal import Record
from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.processors.tail_sampling.deciding import CacheSizes, decide, keep_undecided
from spanmill.processors.tail_sampling.decision_log import DecisionLog
from spanmill.processors.tail_sampling.decisions import Pass, Scores, Snapshot
from spanmill.processors.tail_sampling.feedback import FeedbackProcessor
from spanmill.processors.tail_sampling.held_spans import HeldSpans
from spanmill.processors.tail_sampling.measuring import Measures
from spanmill.processors.tail_sampling.policies import Policies, Verdicts
from spanmill.processors.tail_sampling.sampler import Sampler
from spanmill.processors.tail_sampling.waits import Due, Waits, due
from spanmill.signal import Signal
from spanmill.telemetry.lines import trace_without_message

_MIB: Final = 1024 * 1024
_INTERVAL_SECONDS: Final = 0.25
"""Between two looks at what came and what is due: what comes in between is taken in together."""
_TAKEN_BYTES: Final = 16 * _MIB
"""Taken in at once: bounds what is read back at once, too."""
_TAKING_SECONDS: Final = 1.0
"""Before what is due is decided, even if more is there."""
_RETRY_SECONDS: Final = 1.0
_FULL: Final = 0.75
"""Of its journal. Beyond it the oldest traces are decided early, so that the journal can let go of something."""
_Result = TypeVar("_Result")


def build(config: TailSamplingProcessorConfig, settings: Settings) -> "Holding | Transform":
    """For a pipeline of traces what samples them; for one of logs what tells it of evaluations."""
    if settings.signal is Signal.LOGS:
        return FeedbackProcessor(settings)
    return TailSamplingProcessor(config, settings)


class _Stopped(Exception):  # noqa: N818 - an event, not a fault
    """What is under way is left to the next start."""


class TailSamplingProcessor:
    """Implements `component.Holding`."""

    def __init__(self, config: TailSamplingProcessorConfig, settings: Settings) -> None:
        self._config, self._settings, self._log = config, settings, settings.log
        self._policies = Policies(config, settings)
        self._waits = Waits(
            config.decision_wait, config.decision_wait_after_root_received, config.decision_wait_after_last_span,
            config.decision_wait_limit, 0 if config.block_on_overflow else config.num_traces,
            config.maximum_trace_size_bytes,
        )  # fmt: skip
        cache = config.decision_cache
        self._caches = CacheSizes(cache.sampled_cache_size, cache.non_sampled_cache_size)
        self._steps = asyncio.Lock()
        """Steps of the sampler run in threads, one at a time."""
        self._draining = asyncio.Event()
        self._ahead: Record | None = None
        """A record that was read and is not taken in yet."""
        self._next_due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._undone: tuple[Batch, int] | None = None
        """What the last pass before the start kept, and its number: the outlet has not had it."""
        self._is_through = False
        """Nothing is half done: the task has come to its end."""
        self._decisions: DecisionLog | None = None
        settings.shared.setdefault("samplers", []).append(self)

    def connect(self, inlet: Inlet, outlet: Outlet) -> None:
        self._inlet, self._outlet = inlet, outlet
        durable = inlet.journal.durable
        # A journal in memory has the rows there already.
        held = HeldSpans(self._config.memory_size_mib * _MIB if durable else 0)
        self._sampler = Sampler(held, list(self._policies.names), sizes=self._policies.wants_sizes or bool(
            self._waits.most_bytes
        ))  # fmt: skip
        self._measures = Measures(self._settings, inlet, self._sampler)
        if durable:
            name = quote(f"{inlet.pipeline} {self._settings.id}", safe="")
            self._decisions = DecisionLog(Path(self._settings.state_directory) / "tail_sampling" / name)

    # Starting.

    async def start(self, host: Host) -> None:
        await self._recover()
        self._task = asyncio.create_task(self._run(), name=f"{self._settings.id} {self._inlet.pipeline}")
        self._task.add_done_callback(partial(_report, host))

    async def _recover(self) -> None:
        """Take in again what was, and apply the passes where they were made."""
        entries: list[Any] = [] if self._decisions is None else await asyncio.to_thread(self._decisions.read)
        identity, upto, last = self._inlet.journal.identity, 0, None
        if entries:
            self._sampler.restore(entries[0], identity)
            self._policies.restore(dict(entries[0].limits))
            upto = self._sampler.upto
            await self._take_upto(upto, settled=True)
            last = next((entry for entry in reversed(entries) if isinstance(entry, Pass)), None)
        same_journal = bool(entries) and entries[0].journal == identity
        for entry in entries[1:]:
            if isinstance(entry, Scores):
                self._sampler.score(entry, asyncio.get_running_loop().time())
            elif isinstance(entry, Pass):
                if same_journal:
                    await self._take_upto(entry.upto, settled=False)
                emit = entry is last and not self._outlet.holds(self._digest(entry.number))
                made = self._sampler.renumbered(entry, entries[0].names)
                batch = await asyncio.to_thread(self._sampler.apply, made, emit=emit)
                self._policies.restore(dict(entry.limits))
                self._undone = (batch, entry.number) if batch is not None else None
        self._sampler.upto = max(self._sampler.upto, self._inlet.reader.committed)
        if self._decisions is None:
            return
        if self._decisions.damaged_bytes:
            self._log.info("the end of the log of decisions was being written", bytes=self._decisions.damaged_bytes)
        if self._undone is None:
            await asyncio.to_thread(self._decisions.begin, self._snapshot())
        else:
            await asyncio.to_thread(self._decisions.resume)

    async def _take_upto(self, sequence: int, *, settled: bool) -> None:
        while records := self._read(sequence):
            await asyncio.to_thread(self._sampler.take, records, settled=settled)

    def _snapshot(self) -> Snapshot:
        return self._sampler.snapshot(self._inlet.journal.identity, self._policies.state())

    def _digest(self, number: int) -> bytes:
        identity = self._decisions.identity if self._decisions is not None else id(self).to_bytes(16)
        return hashlib.sha256(identity + number.to_bytes(8)).digest()[:16]

    # Running.

    async def _run(self) -> None:
        with suppress(_Stopped):
            await self._finish()
            while not self._draining.is_set():
                await self._wait()
                await self._take(asyncio.get_running_loop().time() + _TAKING_SECONDS)
                await self._decide_due()
            self._is_through = True

    async def _finish(self) -> None:
        """Carry out the last pass before the start. Its entry stays in the log until then."""
        if self._undone is None:
            return
        await self._put(*self._undone)
        self._undone = None
        await self._write_snapshot()

    async def _write_snapshot(self) -> None:
        if self._decisions is not None:
            async with self._steps:
                await self._retried(partial(self._decisions.begin, self._snapshot()))

    async def _wait(self) -> None:
        """Until there may be something to do."""
        if not self._sampler.held.rows and not self._sampler.late and self._ahead is None:
            await self._inlet.reader.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_INTERVAL_SECONDS, self._waits.first_span / 4 + 0.005)):
                await self._draining.wait()

    async def _take(self, until: float = math.inf) -> None:
        """Take in what is there and there is room for; not much longer than `until` (event loop time), however much
        comes."""
        while not self._is_full and (records := self._read(None)):
            began = time.perf_counter()
            async with self._steps:
                await self._take_in(records)
            self._measures.took(records, time.perf_counter() - began)
            self._next_due = 0.0
            if asyncio.get_running_loop().time() > until:
                break

    async def _take_in(self, records: list[Record]) -> None:
        """A record on which the code fails is given up, alone: the next start would fail on it too."""
        try:
            await self._retried(partial(self._sampler.take, records))
        except _Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - a defect
            if len(records) > 1:
                for record in records:
                    await self._take_in([record])
                return
            self._log.error("a record cannot be taken in", trace=trace_without_message(error))
            self._sampler.give_up(records[0])

    @property
    def _is_full(self) -> bool:
        """Whether what comes is to wait in the journal, and senders in the end."""
        most = self._config.num_traces if self._config.block_on_overflow else 0
        return most > 0 and self._sampler.pending >= most

    def _read(self, last: int | None) -> list[Record]:
        """The next records, not beyond `last`."""
        records: list[Record] = []
        size = 0
        while size < _TAKEN_BYTES:
            record = self._ahead if self._ahead is not None else self._inlet.reader.read()
            self._ahead = record
            if record is None or (last is not None and record.sequence > last):
                break
            self._ahead = None
            records.append(record)
            size += record.size
        return records

    async def _decide_due(self) -> None:
        while True:
            now = asyncio.get_running_loop().time()
            pressed = self._inlet.reader.held_bytes > _FULL * self._inlet.journal.max_bytes
            if now < self._next_due and not self._sampler.late and not pressed:
                break
            async with self._steps:
                found = await asyncio.to_thread(due, self._sampler.index, self._waits, now, pressed=pressed)
            self._next_due = found.next_at
            if not len(found.slots) and not self._sampler.late:
                break
            if await self._pass(found) == len(found.slots):
                break
            self._next_due = 0.0
        async with self._steps:
            forget = partial(self._sampler.forget_scored, asyncio.get_running_loop().time() - self._waits.longest)
            await asyncio.to_thread(forget)
        self._commit()

    async def _pass(self, found: Due, *, drop: bool = False) -> int:
        """Decide traces that are due, and let go what is kept; how many were decided."""
        began = time.perf_counter()
        async with self._steps:
            made, verdicts = await self._decided(found.slots, 0.0 if drop else self._waits.most_bytes or math.inf)
            if self._decisions is not None:
                await self._retried(partial(self._decisions.append, made))
            spans = self._sampler.index.spans[found.slots[: len(made.ids)]].copy()
            batch = await self._retried(partial(self._sampler.apply, made, emit=True))
        self._measures.decided(made, verdicts, found.early, spans, time.perf_counter() - began)
        if batch is not None:
            await self._put(batch, made.number)
            self._measures.put(batch)
        self._commit()
        if self._decisions is not None and self._decisions.is_long:
            await self._write_snapshot()
        return len(made.ids)

    async def _decided(self, slots: np.ndarray, most_bytes: float) -> tuple[Pass, Verdicts | None]:
        """A trace on which a policy fails is found by halving, and kept: the next start would fail on it too."""
        work = partial(decide, self._sampler, self._policies, sizes=self._caches, seconds=time.time())
        while True:
            try:
                return await self._retried(partial(work, slots=slots, most_bytes=most_bytes))
            except _Stopped:
                raise
            except Exception as error:  # noqa: BLE001 - a defect
                if len(slots) <= 1:
                    self._log.error("policies fail on a trace, which is kept", trace=trace_without_message(error))
                    return keep_undecided(self._sampler, self._policies, slots, self._caches), None
                slots = slots[: len(slots) // 2]

    async def _put(self, batch: Batch, number: int) -> None:
        while True:
            try:
                return await self._outlet.put(batch, self._digest(number))
            except Busy as busy:
                await self._rest(busy.retry_after or _RETRY_SECONDS)

    def _commit(self) -> None:
        if self._sampler.committed > self._inlet.reader.committed:
            self._inlet.reader.commit(self._sampler.committed)

    async def _retried(self, step: Callable[[], _Result]) -> _Result:
        """The result of a step that the disk may refuse for now: it has changed nothing then."""
        told = ""
        while True:
            try:
                return await asyncio.to_thread(step)
            except OSError as error:
                if str(error) != told:
                    self._log.error("tail sampling waits for the disk", reason=str(error))
                told = str(error)
            await self._rest(_RETRY_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Wait; where the journal keeps what is left, the beginning of draining ends it, and all work."""
        if not self._inlet.journal.durable:
            await asyncio.sleep(min(seconds, _RETRY_SECONDS))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        if self._draining.is_set():
            raise _Stopped

    async def score(self, scores: Scores) -> None:
        """Evaluations came in; on return they outlive the process. Raises `OSError`."""
        async with self._steps:
            if self._decisions is not None:
                await asyncio.to_thread(self._decisions.append, scores)
            self._sampler.score(scores, asyncio.get_running_loop().time())

    # Stopping.

    async def drain(self) -> None:
        self._draining.set()
        self._inlet.reader.wake()
        if self._task is None:
            return
        await asyncio.wait([self._task])
        if not self._is_through:
            return  # a pass that is not carried out must stay the last one
        with suppress(_Stopped):
            await self._take()
            await self._decide_due()
            if not self._inlet.journal.durable:
                await self._decide_rest()

    async def _decide_rest(self) -> None:
        """Decide what is pending with what is there: nothing is left of it otherwise."""
        everything = Waits(-np.inf)
        drop = self._config.drop_pending_traces_on_shutdown
        while len((found := due(self._sampler.index, everything, np.inf)).slots):
            await self._pass(found, drop=drop)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._decisions is not None:
            self._decisions.close()


def _report(host: Host, task: "asyncio.Task[None]") -> None:
    """A sampler that dies must not go unnoticed: its journal would fill up and nothing say why."""
    if not task.cancelled() and (error := task.exception()) is not None:
        host.report_fatal(error)
