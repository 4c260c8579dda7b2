"""The judge as a consumer of its pipeline's journal: it chooses, puts into a queue of its own, and never waits.

What is asked, and when, is the worker's matter.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Inlet, Outlet, Position, Settings
from spanmill.errors import Busy, StartError
from spanmill.journal import Journal, Packed, digest
from spanmill.judge.making import evaluators_of
from spanmill.judge.spending import Spending
from spanmill.processors.llm_judge import samples
from spanmill.processors.llm_judge.alerts import Alerts
from spanmill.processors.llm_judge.book import JudgeBook
from spanmill.processors.llm_judge.choosing import Choice, Chooser
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.processors.llm_judge.measures import Measures
from spanmill.processors.llm_judge.models import Models
from spanmill.processors.llm_judge.questioning import Questioner
from spanmill.processors.llm_judge.worker import Worker
from spanmill.signal import Signal

_PREFERENCE: Final = BatchPreference(min_items=20_000, max_age_seconds=2.0)
"""Choosing costs some milliseconds, however few the spans."""


class JudgeConsumer:
    """Implements `component.Exporter` and `component.Emitting`, for one pipeline."""

    def __init__(
        self, config: LlmJudgeProcessorConfig, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: seconds since 1970."""
        self._config, self._settings, self._clock = config, settings, clock
        self._name = f"{settings.kind.singular} {settings.id}"
        self._measures = Measures(settings.metrics, str(settings.id))
        self._spending = Spending(config.budget, clock)
        directory = config.directory or settings.state_directory / "judges" / quote(str(settings.id), safe="")
        self._book = JudgeBook(Path(directory), self._name, self._spending, settings.log)
        self._queue: Inlet | None = None
        self._outlets: Mapping[Signal, Outlet] = {}
        self._chooser: Chooser | None = None
        self._models: Models | None = None
        self._alerts: Alerts | None = None
        self._worker: Worker | None = None

    @property
    def trouble(self) -> str:
        """Why nothing is judged, for the daemon's status; empty when something is."""
        if self._models is None:
            return ""
        down = [each.breaker.reason for each in self._models.by_model().values() if each.breaker.is_open]
        return self._models.trouble or (down[0] if down else "")

    def connect(self, queue: Inlet, outlets: Mapping[Signal, Outlet]) -> None:
        self._queue, self._outlets = queue, outlets

    def preference(self, signal: Signal) -> BatchPreference:
        return _PREFERENCE

    async def start(self, host: Host) -> None:
        config, settings = self._config, self._settings
        if self._queue is None:
            raise StartError(self._name, "it has no queue: nothing connected it")
        try:
            evaluators = await asyncio.to_thread(evaluators_of, config.evaluators, share=config.share)
        except OSError as error:
            raise StartError(self._name, f"{error.filename}: {error.strerror}") from error
        excerpt = config.alerts.text_characters if config.alerts else 0
        self._chooser = Chooser(evaluators, config.where, settings.log, self._clock)
        await self._book.open()
        models = Models(config, [each.model for each in evaluators], self._spending, settings.log, self._book.save)
        self._models = models
        try:
            await models.start()
        except OSError as error:
            raise StartError(self._name, str(error)) from error
        if config.alerts is not None:
            self._alerts = Alerts(config.alerts, settings.log, self._measures.alerted)
            self._alerts.start()
        if Signal.LOGS not in self._outlets:
            settings.log.warning("nobody takes what the judge finds: no exporter of the pipeline takes logs")
        self._measures.watch(self._spending, models.by_model())
        by_name = {each.name: each for each in evaluators}
        self._worker = Worker(
            self._queue, self._outlets, models, by_name, Questioner(by_name, excerpt), self._book, self._measures,
            settings.log, utilization=host.utilization, most=config.concurrency * len(models.by_model()),
            max_age_seconds=config.max_age, remembered=config.remember_answers, alerts=self._alerts, clock=self._clock,
        )  # fmt: skip
        settings.metrics.gauge("spanmill_llm_judge_waiting_samples", self._waiting, processor=str(settings.id))
        self._worker.start(host.report_fatal)

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        assert self._chooser is not None, "not started"
        assert self._queue is not None
        assert self._models is not None
        name = digest(position.journal, f"{position.first}-{position.last}".encode())
        if self._queue.journal.holds(name):
            return
        is_spent = self._models.is_spent(self._clock())
        room = 0 if is_spent else max(0, self._config.max_waiting - self._waiting())
        choice, packed = await asyncio.to_thread(_choose, self._chooser, batch, room, self._queue.journal, name)
        self._measures.chose(choice, "budget" if is_spent else "queue_full")
        if choice.left_out.total() and not is_spent:
            self._complain(f"{self._config.max_waiting} samples wait")
        if packed is None:
            return
        try:
            await self._queue.journal.append(packed)
        except Busy as busy:
            self._complain(busy.reason)
            self._measures.queued(choice.queued, "queue_full")
        else:
            self._measures.queued(choice.queued)

    async def drain(self) -> None:
        if self._worker is not None:
            await self._worker.drain()

    async def stop(self) -> None:
        await self.drain()
        try:
            if self._alerts is not None:
                await self._alerts.stop()
            if self._models is not None:
                await self._models.stop()
        finally:
            await self._book.close()

    def _complain(self, reason: str) -> None:
        self._settings.log.warning("the judge does not keep up: samples are skipped", reason=reason)

    def _waiting(self) -> int:
        """Samples that are not done."""
        return self._queue.reader.held_items if self._queue is not None else 0


def _choose(chooser: Chooser, batch: Batch, room: int, queue: Journal, name: bytes) -> tuple[Choice, Packed | None]:
    """What is chosen, and that as a record for the queue; None: there is nothing."""
    choice = chooser.choose(batch, room)
    return choice, queue.pack(samples.batch_of(choice.samples), [name]) if choice.samples else None
