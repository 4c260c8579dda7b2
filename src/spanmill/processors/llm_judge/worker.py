"""Works off the queue: asks what has to be asked, puts out what was found, and moves the queue's cursor behind it.

Nothing is judged twice. The verdict's digest is the question's key: what an outlet holds under it is not asked again,
nor what the book has as answered. The cursor moves only when every question up to it is done.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Final

from spanmill.component import Inlet, Outlet
from spanmill.journal import Record, Unreadable
from spanmill.judge.answers import Verdict, parse
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.model import Failed, Reply
from spanmill.judge.spending import Spent
from spanmill.processors.llm_judge.alerts import Alerts
from spanmill.processors.llm_judge.book import JudgeBook
from spanmill.processors.llm_judge.marks import new_trace_id, traceparent
from spanmill.processors.llm_judge.measures import Measures
from spanmill.processors.llm_judge.models import Models
from spanmill.processors.llm_judge.outcomes import (
    SKIPPED,
    Outcome,
    answered,
    evaluation_of,
    failed,
    lag_seconds,
    skipped,
)
from spanmill.processors.llm_judge.own_calls import OwnCall
from spanmill.processors.llm_judge.progress import Progress
from spanmill.processors.llm_judge.questioning import Questioner, Sample
from spanmill.processors.llm_judge.samples import Samples, samples_of
from spanmill.processors.llm_judge.telling import Teller, Told
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log
from spanmill.utilization import Utilization

_DRAIN_SECONDS: Final = 2.0
"""How long what is under way may take to end when the daemon stops. The rest is asked after the next start."""
_READ_AGAIN_SECONDS: Final = 1.0
_IN_HAND: Final = 16
"""Samples for each question that is asked at a time: the others' verdicts are on their way out."""
_AT_ONCE: Final = 16
"""Questions that are made together."""
_BUSY: Final = 0.5
"""Of the time senders' requests are being worked on: the daemon has better things to do."""
_ROUND, _ROUND_SECONDS = 16, 60.0
"""So many questions begin in so long while it is so: together, since verdicts that go out together cost a quarter."""
_LOOK_SECONDS = 1.0
"""After so long it is asked whether it still is."""


class Worker:
    """Belongs to the event loop."""

    def __init__(
        self, queue: Inlet, outlets: Mapping[Signal, Outlet], models: Models, evaluators: Mapping[str, Evaluator],
        questioner: Questioner, book: JudgeBook, measures: Measures, log: Log, *, utilization: Utilization,
        most: int, max_age_seconds: float, remembered: int, alerts: Alerts | None, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """`most`: questions that are asked at a time. `clock`: seconds since 1970."""
        self._queue, self._models, self._evaluators, self._questioner = queue, models, evaluators, questioner
        self._utilization, self._round_began, self._asked_in_round = utilization, 0.0, 0
        self._book, self._measures, self._log, self._alerts, self._clock = book, measures, log, alerts, clock
        self._max_age, self._most_remembered = max_age_seconds, remembered
        self._room, self._hands = asyncio.Semaphore(most), asyncio.Semaphore(most * _IN_HAND)
        self._progress = Progress()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand: set[bytes] = set()
        self._teller = Teller(outlets, book, lambda: min(self._progress.left, most * _IN_HAND // 2))
        self._asking: dict[bytes, asyncio.Future[None]] = {}
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def start(self, fatal: Callable[[BaseException], None]) -> None:
        """Begin where the cursor is. `fatal` is called when the worker dies."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                fatal(error)

        self._task = asyncio.create_task(self._run(), name="judge")
        self._task.add_done_callback(ended)

    async def drain(self) -> None:
        """Read no more, let what is under way end if it does at once. Safe twice, and without `start`."""
        task, self._task = self._task, None
        if task is not None:
            await _cancelled(task)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_DRAIN_SECONDS)
        for each in list(self._tasks):
            await _cancelled(each)
        await self._teller.stop()

    async def _run(self) -> None:
        while True:
            record = self._queue.reader.read()
            if record is None:
                await self._queue.reader.wait()
                continue
            found = await self._load(record)
            self._progress.begin(record.sequence, [key for samples in found for key in samples.question_keys()])
            self._commit()
            for samples in found:
                for part in samples.parts(_AT_ONCE):
                    await self._begin(record.sequence, part)

    async def _begin(self, sequence: int, samples: Samples) -> None:
        """Make the questions of some samples, and begin to ask them."""
        if self._clock() >= samples.queued_at + self._max_age:
            self._end(sequence, samples.evaluator, skipped("too_old"), len(samples))
            return
        try:
            ready, others = await asyncio.to_thread(self._questioner.ask, samples)
        except Exception as error:  # noqa: BLE001 - as in `_finish`
            self._log.error("questions cannot be made by a defect", defect=type(error).__name__)
            self._end(sequence, samples.evaluator, failed("defect"), len(samples))
            return
        for reason, count in others.items():
            self._end(sequence, samples.evaluator, skipped(reason), count)
        for sample in ready:
            await self._give_way()
            await self._hands.acquire()
            await self._room.acquire()
            task = asyncio.create_task(self._finish(sequence, sample), name="judge question")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _give_way(self) -> None:
        """While the way in is busy, ask a round and rest: a verdict takes as much of a core as some thirty spans."""
        now = asyncio.get_running_loop().time
        while self._asked_in_round >= _ROUND and self._utilization.share > _BUSY:
            left = self._round_began + _ROUND_SECONDS - now()
            if left <= 0:
                break
            await asyncio.sleep(min(left, _LOOK_SECONDS))
        if now() >= self._round_began + _ROUND_SECONDS:
            self._round_began, self._asked_in_round = now(), 0
        self._asked_in_round += 1

    async def _load(self, record: Record) -> list[Samples]:
        while True:
            try:
                return await asyncio.to_thread(lambda: samples_of(record.load()))
            except (Unreadable, ValueError) as error:
                self._log.error("questions to judge are lost: the queue is damaged", reason=str(error))
                self._measures.lost("damaged")
                return []
            except OSError as error:
                self._log.warning("the queue of the judge cannot be read", reason=error.strerror or str(error))
                await asyncio.sleep(_READ_AGAIN_SECONDS)

    def _commit(self) -> None:
        advanced = self._progress.advance()
        if advanced is not None:
            sequence, keys = advanced
            self._queue.reader.commit(sequence)
            self._book.answered.difference_update(keys)

    async def _finish(self, sequence: int, sample: Sample) -> None:
        """One sample to its end, whatever that is; a cancelled one stays undone."""
        try:
            try:
                with ExitStack() as turn:
                    turn.callback(self._room.release)
                    outcome = await self._judge(sample, turn)
            except Exception as error:  # noqa: BLE001 - a defect must not end the judging of others
                self._log.error("judging failed by a defect", defect=type(error).__name__)
                outcome = failed("defect")
            self._end(sequence, sample.question.evaluator, outcome)
        finally:
            self._hands.release()

    def _end(self, sequence: int, evaluator: str, outcome: Outcome, count: int = 1) -> None:
        """So many samples of a record are done."""
        self._measures.ended(evaluator, outcome, count)
        self._progress.end(sequence, count)
        self._commit()

    async def _judge(self, sample: Sample, turn: ExitStack) -> Outcome:
        """`turn` is closed when another question may be asked."""
        question = sample.question
        if question.key in self._in_hand or self._teller.holds(question.key):
            return skipped("already_judged")
        self._in_hand.add(question.key)
        try:
            return await self._ask_and_tell(sample, self._evaluators[question.evaluator], turn)
        finally:
            self._in_hand.discard(question.key)

    async def _ask_and_tell(self, sample: Sample, evaluator: Evaluator, turn: ExitStack) -> Outcome:
        deadline = sample.queued_at + self._max_age
        if self._clock() >= deadline:
            return skipped("too_old")
        async with self._alone(sample.question.content):
            known = self._verdicts.get(sample.question.content)
            if known is not None:
                outcome, call = Outcome("scored", "reused", known), None
            else:
                outcome, call = await self._ask(sample, evaluator, deadline)
                self._remember(sample, outcome)
        turn.close()
        if outcome.result != SKIPPED:
            await self._tell(sample, evaluator, outcome, call)
        return outcome

    async def _ask(self, sample: Sample, evaluator: Evaluator, deadline: float) -> tuple[Outcome, OwnCall | None]:
        """What a model says, and the call."""
        question, config = sample.question, self._models.config(sample.question.model)
        trace_id, span_id, began = new_trace_id(), secrets.token_bytes(8), time.time_ns()
        now = asyncio.get_running_loop().time()
        until = now + deadline - self._clock()
        reply: Reply | None = None
        try:
            asking = self._models.asking(question.model)
            reply = await asking.ask(question.messages, question.schema, until, traceparent(trace_id, span_id))
        except Spent as spent:
            self._models.say_spent(spent)
            return skipped("budget"), None
        except Failed as error:
            outcome = skipped("too_old") if error.code == "too_late" else failed(error.code)
        else:
            self._models.say_unspent(now)
            self._measures.spent(config.model, reply)
            outcome = answered(parse(evaluator, reply.text), reply)
        if outcome.result == SKIPPED or not self._models.traces_calls:
            return outcome, None
        call = OwnCall(
            trace_id=trace_id, span_id=span_id, start_ns=began, end_ns=time.time_ns(), provider=config.seller,
            model=config.model, question=question, reply=reply, error_type=outcome.reason,
        )  # fmt: skip
        return outcome, call

    async def _tell(self, sample: Sample, evaluator: Evaluator, outcome: Outcome, call: OwnCall | None) -> None:
        question, config = sample.question, self._models.config(sample.question.model)
        now_ns = int(self._clock() * 1e9)
        evaluation = evaluation_of(
            sample, evaluator, outcome, provider=config.seller, model=config.model, now_ns=now_ns
        )
        await self._teller.tell(Told(question.key, evaluation, call))
        if (seconds := lag_seconds(sample, now_ns)) is not None:
            self._measures.lagged(question.evaluator, seconds)
        if self._alerts is not None:
            self._alerts.consider(evaluation, sample.excerpt)

    def _alone(self, content: bytes) -> "_Alone":
        return _Alone(self._asking, content)

    def _remember(self, sample: Sample, outcome: Outcome) -> None:
        if outcome.verdict is not None and self._most_remembered:
            self._verdicts[sample.question.content] = outcome.verdict
            if len(self._verdicts) > self._most_remembered:
                self._verdicts.popitem(last=False)


class _Alone:
    """Of questions with the same content one is asked at a time, and the others wait for what it finds."""

    def __init__(self, asking: dict[bytes, asyncio.Future[None]], content: bytes) -> None:
        self._asking, self._content = asking, content

    async def __aenter__(self) -> None:
        while (other := self._asking.get(self._content)) is not None:
            await asyncio.wait([other])
        self._asking[self._content] = asyncio.get_running_loop().create_future()

    async def __aexit__(self, *_: object) -> None:
        self._asking.pop(self._content).set_result(None)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
