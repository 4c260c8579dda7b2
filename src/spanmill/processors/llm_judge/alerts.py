"""Tells somebody of scores below their threshold: not of each, and never in the way of judging.

One that is alike (evaluator, model, feature) is told again only after `repeat_after`, with how many came meanwhile.
What is not told when the process ends is not told.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from spanmill.config.webhook import GIVE_UP_SECONDS
from spanmill.llm.evaluations import Evaluation
from spanmill.net.webhook import Answer, Poster, Result, quoted
from spanmill.processors.llm_judge.config import AlertsConfig
from spanmill.retrying import Retrying
from spanmill.telemetry.logs import Log

_HOUR: Final = 3600.0
_MOST_WAITING: Final = 20
_MOST_KINDS: Final = 10_000
_LONGEST_NAME: Final = 100
_STOP_SECONDS: Final = 2.0

Count = Callable[[str], None]
"""Takes what became of an alert: sent, failed, repeated, limited."""


class _Kind(NamedTuple):
    """Alerts of one kind are alike."""

    evaluator: str
    model: str
    feature: str


class Alerts:
    """Belongs to the event loop."""

    def __init__(
        self, config: AlertsConfig, log: Log, count: Count, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._log, self._count, self._clock = config, log, count, clock
        self._told: dict[_Kind, float] = {}
        self._untold: dict[_Kind, int] = {}
        self._hour: deque[float] = deque()
        self._waiting: deque[str] = deque()
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tell what there is to tell from now on."""
        self._task = asyncio.create_task(self._run(), name="judge alerts")

    def consider(self, evaluation: Evaluation, excerpt: str) -> None:
        """Tell of the evaluation if it is below its threshold, and nobody was told of the like lately."""
        if evaluation.passed is not False:
            return
        kind, now = _Kind(evaluation.name, evaluation.model or "", evaluation.feature or ""), self._clock()
        if now - self._told.get(kind, -self._config.repeat_after) < self._config.repeat_after:
            self._leave_out(kind, "repeated")
            return
        while self._hour and now - self._hour[0] >= _HOUR:
            self._hour.popleft()
        if len(self._hour) >= self._config.max_per_hour or len(self._waiting) >= _MOST_WAITING:
            self._leave_out(kind, "limited")
            return
        self._told.pop(kind, None)  # so that the dictionary is in order of time
        self._told[kind] = now
        while len(self._told) > _MOST_KINDS:
            del self._told[next(iter(self._told))]
        self._hour.append(now)
        self._waiting.append(message(evaluation, excerpt, self._untold.pop(kind, 0), self._config.text_characters))
        self._woken.set()

    async def stop(self) -> None:
        """Tell what waits, for a moment. Safe twice, and without `start`."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping.set()
        self._woken.set()
        try:
            await asyncio.wait([task], timeout=_STOP_SECONDS)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _leave_out(self, kind: _Kind, why: str) -> None:
        if kind in self._untold or len(self._untold) < _MOST_KINDS:
            self._untold[kind] = self._untold.get(kind, 0) + 1
        self._count(why)

    async def _run(self) -> None:
        poster = Poster(self._config.webhook)
        try:
            while True:
                self._woken.clear()
                while self._waiting:
                    await self._tell(poster, self._waiting.popleft())
                if self._stopping.is_set():
                    return
                await self._woken.wait()
        finally:
            await poster.close()

    async def _tell(self, poster: Poster, text: str) -> None:
        retry = self._config.webhook.retry_on_failure
        if retry.max_elapsed_time is None:
            retry = retry.model_copy(update={"max_elapsed_time": GIVE_UP_SECONDS})
        retrying, key = Retrying(retry, durable=False), secrets.token_hex(16)
        retrying.begin()
        while (answer := await self._attempt(poster, text, key)).result is Result.FAILED and retrying.enabled:
            retrying.back_off(answer.retry_after_seconds)
            if retrying.too_late or self._stopping.is_set():
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(retrying.wait_seconds):
                    await self._stopping.wait()
        if answer.result is not Result.TOLD:
            self._log.warning("nobody could be told of a low score", reason=answer.reason)
        self._count("sent" if answer.result is Result.TOLD else "failed")

    async def _attempt(self, poster: Poster, text: str, key: str) -> Answer:
        try:
            return await poster.post(text, key)
        except Exception as error:  # noqa: BLE001 - a defect must not end the telling of others
            return Answer(Result.REFUSED, type(error).__name__)


def message(evaluation: Evaluation, excerpt: str, left_out: int, most_characters: int) -> str:
    """What the person reads who is told, in Slack's markup. `left_out`: the like of it that nobody was told of."""
    named = (("Service", evaluation.service_name), ("Model", evaluation.model), ("Feature", evaluation.feature),
             ("Prompt", evaluation.prompt))  # fmt: skip
    lines = [
        f"LLM quality: {evaluation.name} is {evaluation.score:.2f}, below {evaluation.threshold:g}",
        ", ".join(f"{name}: {quoted(value, _LONGEST_NAME)}" for name, value in named if value),
        f"Trace: {evaluation.trace_id}, span {evaluation.span_id}",
    ]
    for name, text in (("Why", evaluation.explanation), ("Answer", excerpt)):
        if text and most_characters:
            lines.append(f"{name}: {quoted(text, most_characters)}")
    if left_out:
        lines.append(f"And {left_out:,} more like it since the last message.")
    return "\n".join(line for line in lines if line)
