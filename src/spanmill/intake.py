"""Natural batching: requests wait while the previous batch is worked on; the next batch takes all that is waiting.

No timer: an idle daemon answers one request at once, a busy one amortises decoding, transforms and the journal over
hundreds. Returning from `submit` means that every journal behind this intake has the request's items.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.component import Outcome, Sender
from spanmill.errors import Busy, Rejected
from spanmill.journal import Journal, Packed
from spanmill.names import ComponentId
from spanmill.otlp.codec import decode
from spanmill.otlp.validate import invalid_rows
from spanmill.pipeline import Pipeline
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Counter, Metrics


@dataclass(frozen=True, slots=True)
class _Waiting:
    payload: bytes
    transport: str
    answer: "asyncio.Future[Outcome]"


@dataclass(frozen=True, slots=True)
class _Worked:
    """What came of a batch of requests: deposits for the journals, and an outcome for each request."""

    deposits: list[tuple[Journal, Packed]]
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
        executor: Executor,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._receiver = receiver
        self._signal = signal
        self._pipelines = tuple(pipelines)
        self._max_batch_bytes = max_batch_bytes
        self._executor = executor
        self._metrics = metrics
        self._log = log
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._batch_requests = metrics.histogram("spanmill_intake_batch_requests", **self._labels())
        self._batch_duration = metrics.histogram("spanmill_intake_batch_duration", **self._labels())

    async def submit(self, payload: bytes, transport: str, sender: Sender) -> Outcome:
        for pipeline in self._pipelines:
            pipeline.check()
        waiting = _Waiting(payload, transport, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name=f"intake {self._receiver} {self._signal}")
        return await waiting.answer

    async def drain(self) -> None:
        """Wait until everything submitted is answered."""
        if self._worker is not None:
            await self._worker

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._take())
        finally:
            self._worker = None

    def _take(self) -> list[_Waiting]:
        taken = [self._waiting.popleft()]
        size = len(taken[0].payload)
        while self._waiting and size + len(self._waiting[0].payload) <= self._max_batch_bytes:
            size += len(self._waiting[0].payload)
            taken.append(self._waiting.popleft())
        return taken

    async def _answer(self, requests: list[_Waiting]) -> None:
        """Answer every request. A fault in a batch of several is narrowed down by taking its requests one by one."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._batch_requests.observe(len(requests))
        try:
            payloads = [request.payload for request in requests]
            worked = await loop.run_in_executor(self._executor, self._transform, payloads)
            await self._deposit(worked.deposits)
        except Busy as busy:
            self._fail(requests, busy)
        except Exception as error:  # noqa: BLE001 - whatever a request provokes must not stop the others
            if len(requests) == 1:
                self._fail(requests, self._as_rejected(error))
            else:
                for request in requests:
                    await self._answer([request])
        else:
            self._succeed(requests, worked.outcomes)
        self._batch_duration.observe(loop.time() - started)

    def _transform(self, payloads: list[bytes]) -> _Worked:
        """Decode, refuse invalid rows, run every pipeline. Runs in any thread."""
        decoded = decode(self._signal, payloads)
        records, requests = decoded.records, decoded.requests
        received = np.bincount(requests, minlength=len(payloads))
        rejected, reason = np.zeros(len(payloads), dtype=np.int64), ""
        invalid = invalid_rows(self._signal, records)
        if invalid is not None:
            rejected = np.bincount(requests[invalid.rows.to_numpy(zero_copy_only=False)], minlength=len(payloads))
            records, reason = records.filter(pc.invert(invalid.rows)), invalid.reason
        outcomes = [
            Outcome(int(total - bad), int(bad), reason if bad else "")
            for total, bad in zip(received, rejected, strict=True)
        ]
        batch = Batch(self._signal, records)
        deposits = [deposit for pipeline in self._pipelines for deposit in pipeline.process(batch)]
        return _Worked([(journal, journal.pack(kept)) for journal, kept in deposits], outcomes)

    async def _deposit(self, deposits: list[tuple[Journal, Packed]]) -> None:
        """Append to every journal; to none when one of them is full, so that a resent request is not stored twice."""
        for journal, packed in deposits:
            journal.reserve(packed.size)
        for journal, packed in deposits:
            await journal.append(packed)

    def _succeed(self, requests: list[_Waiting], outcomes: list[Outcome]) -> None:
        for request, outcome in zip(requests, outcomes, strict=True):
            self._counter("accepted", request.transport).add(outcome.accepted)
            if outcome.rejected:
                self._counter("refused", request.transport).add(outcome.rejected)
            if not request.answer.done():
                request.answer.set_result(outcome)

    def _fail(self, requests: list[_Waiting], error: Busy | Rejected) -> None:
        for request in requests:
            if not request.answer.done():  # each gets its own: a shared one would grow a common traceback
                request.answer.set_exception(copy.copy(error))

    def _as_rejected(self, error: Exception) -> Rejected:
        if isinstance(error, Rejected):
            return error
        self._log.error("a request could not be processed", signal=self._signal.value, exc_info=error)
        return Rejected(f"the collector could not process this request: {type(error).__name__}")

    def _counter(self, outcome: str, transport: str) -> Counter:
        return self._metrics.counter(
            f"otelcol_receiver_{outcome}_{self._signal.item}", receiver=str(self._receiver), transport=transport
        )

    def _labels(self) -> dict[str, str]:
        return {"receiver": str(self._receiver), "otel_signal": self._signal.value}
