"""Natural batching: requests wait while the previous batch is worked on; the next batch takes all that is waiting.

No timer: an idle daemon answers one request at once, a busy one amortises decoding, transforms and the journal over
hundreds. Returning from `submit` means that every journal behind this intake has the request's items.

A batch is worked on while the journal writes the one before. A request that is sent again while it is under way, or
after it was stored, is answered like the first time and not stored twice.
"""

import asyncio
import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.component import Outcome, Sender
from spanmill.depositing import Packs, append, pack
from spanmill.errors import Busy, Rejected, is_defect
from spanmill.fair_queue import FairQueue
from spanmill.journal import digest
from spanmill.journal.format import DIGEST_BYTES
from spanmill.names import ComponentId
from spanmill.otlp.codec import decode
from spanmill.otlp.validate import invalid_rows
from spanmill.pipeline import Pipeline
from spanmill.senders import with_sender_attributes
from spanmill.signal import Signal
from spanmill.telemetry.lines import trace_without_message
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Counter, Metrics
from spanmill.utilization import Utilization

_INLINE_BYTES = 256 * 1024
"""The digest of this much takes far less than a millisecond; of more it is taken in a thread."""
_MOST_DEPOSITS = 4
"""Batches that are decoded and wait for the disk, for each intake."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    payload: bytes
    transport: str
    sender: Sender
    digest: bytes
    held: bool
    """Some journal, but not every one, has it: it was interrupted between the two."""
    answer: "asyncio.Future[Outcome]"


@dataclass(frozen=True, slots=True)
class _Worked:
    """What came of a batch of requests: deposits for the journals, and an outcome for each request."""

    deposits: Packs
    outcomes: list[Outcome]


class SignalIntake:
    """The way in for one signal of one receiver. Implements `component.Intake`."""

    def __init__(
        self,
        receiver: ComponentId,
        signal: Signal,
        pipelines: Sequence[Pipeline],
        *,
        max_batch_bytes: int,
        dedup: bool,
        executor: Executor,
        utilization: Utilization,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._receiver = receiver
        self._signal = signal
        self._pipelines = tuple(pipelines)
        self._max_batch_bytes = max_batch_bytes
        self._dedup = dedup
        self._executor = executor
        self._utilization = utilization
        self._metrics = metrics
        self._log = log
        self._waiting = FairQueue[_Waiting]()
        self._under_way: dict[bytes, asyncio.Future[Outcome]] = {}
        self._worker: asyncio.Task[None] | None = None
        self._deposits: set[asyncio.Task[None]] = set()
        self._batch_requests = metrics.histogram("spanmill_intake_batch_requests", **self._labels())
        self._batch_duration = metrics.histogram("spanmill_intake_batch_duration", **self._labels())

    async def submit(
        self, payload: bytes, transport: str, sender: Sender, weight: int = 0, *, sent_as: bytes = b""
    ) -> Outcome:
        for pipeline in self._pipelines:
            pipeline.check()
        known_by = await self._digest(sender.name, sent_as or payload)
        answer = self._under_way.get(known_by)
        holding = [journal.holds(known_by) for pipeline in self._pipelines for journal in pipeline.journals()]
        if answer is not None or (holding and all(holding)):
            self._counter("spanmill_intake_duplicate_requests", transport).add()
        if answer is None:
            if holding and all(holding):
                return Outcome(0)
            answer = asyncio.get_running_loop().create_future()
            self._under_way[known_by] = answer
            answer.add_done_callback(lambda done: self._forget(known_by, done))
            self._queue_up(
                max(weight, len(payload)), _Waiting(payload, transport, sender, known_by, any(holding), answer)
            )
        try:
            return await asyncio.shield(answer)  # a sender that goes away takes nobody's answer with it
        finally:
            del answer  # or an error in it would hold this frame, and the frame it, with the payload

    def _queue_up(self, weight: int, request: _Waiting) -> None:
        self._waiting.put(request.sender.name, weight, request)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name=f"intake {self._receiver} {self._signal}")

    async def _digest(self, sender: str, payload: bytes) -> bytes:
        """What the request is known by. Where requests are not to be told apart, no two have the same."""
        if not self._dedup:
            return os.urandom(DIGEST_BYTES)
        if len(payload) <= _INLINE_BYTES:
            return digest(sender, payload)
        return await asyncio.to_thread(digest, sender, payload)

    async def drain(self) -> None:
        """Wait until everything submitted is answered."""
        if self._worker is not None:
            await self._worker
        while self._deposits:
            await asyncio.wait(self._deposits)

    def _forget(self, known_by: bytes, answer: "asyncio.Future[Outcome]") -> None:
        del self._under_way[known_by]
        if not answer.cancelled():
            answer.exception()  # seen, also when the sender is gone

    async def _work(self) -> None:
        self._utilization.begin(self)
        try:
            while self._waiting:
                for requests in _together(self._waiting.take(self._max_batch_bytes)):
                    await self._answer(requests)
        finally:
            self._utilization.end(self)
            self._worker = None

    async def _answer(self, requests: Sequence[_Waiting]) -> None:
        """Work on requests and begin to deposit them. A fault in a batch of several is narrowed down by taking its
        requests one by one."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._batch_requests.observe(len(requests))
        try:
            worked = await loop.run_in_executor(self._executor, self._transform, requests)
        except Busy as busy:
            self._fail(requests, busy)
        except BaseException as error:  # whatever a request provokes must not stop the others
            if not is_defect(error):
                raise
            if len(requests) == 1:
                self._fail(requests, self._as_rejected(error))
            else:
                for request in requests:
                    await self._answer([request])
        else:
            if len(self._deposits) >= _MOST_DEPOSITS:
                await asyncio.wait(self._deposits, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._deposit(requests, worked, started))
            self._deposits.add(task)
            task.add_done_callback(self._deposits.discard)

    def _transform(self, requests: Sequence[_Waiting]) -> _Worked:
        """Decode, refuse invalid rows, run every pipeline. Runs in any thread."""
        decoded = decode(self._signal, [request.payload for request in requests])
        records = with_sender_attributes(decoded, [request.sender for request in requests])
        request_of_row = decoded.requests
        received = np.bincount(request_of_row, minlength=len(requests))
        rejected, reason = np.zeros(len(requests), dtype=np.int64), ""
        invalid = invalid_rows(self._signal, records)
        if invalid is not None:
            bad_rows = invalid.rows.to_numpy(zero_copy_only=False)
            rejected = np.bincount(request_of_row[bad_rows], minlength=len(requests))
            records, reason = records.filter(pc.invert(invalid.rows)), invalid.reason
        outcomes = [
            Outcome(int(total - bad), int(bad), reason if bad else "")
            for total, bad in zip(received, rejected, strict=True)
        ]
        batch = Batch(self._signal, records)
        deposits = [deposit for pipeline in self._pipelines for deposit in pipeline.process(batch)]
        held = requests[0].digest if requests[0].held else None
        packed = pack(deposits, [request.digest for request in requests], held=held)
        return _Worked(packed, outcomes)

    async def _deposit(self, requests: Sequence[_Waiting], worked: _Worked, started: float) -> None:
        try:
            await append(worked.deposits)
        except Busy as busy:
            self._fail(requests, busy)
        except Exception as error:  # noqa: BLE001 - a defect; the senders still get an answer
            self._fail(requests, self._as_rejected(error))
        else:
            self._succeed(requests, worked.outcomes)
        self._batch_duration.observe(asyncio.get_running_loop().time() - started)

    def _succeed(self, requests: Sequence[_Waiting], outcomes: list[Outcome]) -> None:
        for request, outcome in zip(requests, outcomes, strict=True):
            self._items("accepted", request.transport).add(outcome.accepted)
            if outcome.rejected:
                self._items("refused", request.transport).add(outcome.rejected)
            request.answer.set_result(outcome)

    def _fail(self, requests: Sequence[_Waiting], error: Busy | Rejected) -> None:
        for request in requests:  # each gets its own: a shared one would grow a common traceback
            request.answer.set_exception(copy.copy(error))

    def _as_rejected(self, error: BaseException) -> Rejected:
        if isinstance(error, Rejected):
            return error
        # An error may quote the data, which is not masked yet.
        masks = any(pipeline.masks for pipeline in self._pipelines)
        shown: dict[str, Any] = {"trace": trace_without_message(error)} if masks else {"exc_info": error}
        self._log.error("a request could not be processed", signal=self._signal.value, **shown)
        return Rejected(f"the collector could not process this request: {type(error).__name__}")

    def _items(self, outcome: str, transport: str) -> Counter:
        return self._counter(f"otelcol_receiver_{outcome}_{self._signal.item}", transport)

    def _counter(self, name: str, transport: str) -> Counter:
        return self._metrics.counter(name, receiver=str(self._receiver), transport=transport)

    def _labels(self) -> dict[str, str]:
        return {"receiver": str(self._receiver), "otel_signal": self._signal.value}


def _together(requests: list[_Waiting]) -> Iterator[list[_Waiting]]:
    """Requests that can be worked on as one batch: all, but those that some journal has already."""
    fresh = [request for request in requests if not request.held]
    if fresh:
        yield fresh
    for request in requests:
        if request.held:
            yield [request]
