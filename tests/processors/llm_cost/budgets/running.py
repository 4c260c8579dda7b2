"""A consumer of budgets on a journal that a test plays; and a webhook's server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from spanmill.component import Position, Settings
from spanmill.disk import Disk
from spanmill.names import ComponentId, Kind
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.budgets.consumer import BudgetConsumer
from spanmill.processors.llm_cost.budgets.tally import Tally
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from tests.exporters.hosts import NO_HOST
from tests.logs import CapturedLog
from tests.processors.llm_cost.budgets.calls import NOW, Call, batch


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, time: float = NOW) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


async def _dead(_: Any) -> Any:
    """Nothing is written by a process that died."""


class Run:
    """One run of the processor's consumer on a directory; made again after a stop or a crash."""

    def __init__(self, config: Budgets, directory: Path, clock: Clock | None = None, disk: Disk | None = None) -> None:
        self.log, self.metrics = CapturedLog(), Metrics()
        settings = Settings(
            Kind.PROCESSORS, ComponentId("llm_cost"), self.log, self.metrics, Signal.TRACES, state_directory=directory
        )
        self.consumer = BudgetConsumer(config, settings, clock or Clock(), disk)
        self._next = 1

    async def start(self) -> "Run":
        await self.consumer.start(NO_HOST)
        return self

    async def export(self, calls: Sequence[Call], journal: str = "j", first: int | None = None) -> None:
        """Hand over the next record of a journal."""
        number = self._next if first is None else first
        self._next = number + 1
        await self.consumer.export(batch(calls), Position(journal, number, number))

    @property
    def tally(self) -> Tally:
        return self.consumer._book.tally

    def die(self) -> None:
        """The process ends, and its locks with it."""
        task = self.consumer._notifier and self.consumer._notifier._task
        if task:
            self.consumer._book.change = _dead  # type: ignore[assignment, method-assign]
            task.cancel()
        self.consumer._book.close()

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """The series of a metric by the values of their labels."""
        return {
            tuple(value for _, value in reading.labels): reading.value
            for reading in self.metrics.read()
            if reading.definition.name == name and reading.value is not None
        }

    def events(self, level: str) -> list[str]:
        return [entry["event"] for entry in self.log.entries if entry["log_level"] == level]


@asynccontextmanager
async def running(config: Budgets, directory: Path, clock: Clock | None = None) -> AsyncIterator[Run]:
    run = Run(config, directory, clock)
    try:
        yield await run.start()
    finally:
        await run.consumer.stop()


class Receiver:
    """Answers as told: by `answers` first, then 200. A negative number: no answer at all."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.keys: list[str] = []
        self.bodies: list[Any] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.url = ""
        self.came = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        self.texts.append(body["text"])
        self.keys.append(request.headers["Idempotency-Key"])
        self.came.set()
        answer = self.answers.pop(0) if self.answers else 200
        if answer < 0:
            await asyncio.sleep(60)
        return web.Response(status=answer, text=f"you called {request.url}", headers=self.headers)

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.texts) < count:
            self.came.clear()
            await asyncio.wait_for(self.came.wait(), 10)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/services/{secret}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/services/hush-hush"
        yield receiver
    finally:
        await runner.cleanup()
