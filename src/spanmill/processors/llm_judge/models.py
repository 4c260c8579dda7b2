"""The models of a judge, each with its limits, and the money that they share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from spanmill.config.blocks import RetryOnFailure
from spanmill.judge.asking import Asking
from spanmill.judge.client import Client
from spanmill.judge.model_config import ModelConfig
from spanmill.judge.rates import Rates
from spanmill.judge.spending import Spending, Spent
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.telemetry.logs import Log


class Models:
    """By the name that evaluators call them; the usual one has the empty name."""

    def __init__(
        self, config: LlmJudgeProcessorConfig, names: Iterable[str], spending: Spending, log: Log,
        save: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.traces_calls = config.trace_calls
        self.spending = spending
        self.trouble = ""
        """Why nothing is asked; empty when something is."""
        self._trouble_at = 0.0
        self._resets_at = 0.0
        self._said: set[tuple[str, str, int]] = set()
        self._log = log
        self._usual = config.model.model
        self._configs = {name: config.model_of(name) for name in sorted({self._key(name) for name in names})}
        self._clients = {name: Client(each, log) for name, each in self._configs.items()}
        retry: RetryOnFailure = config.retry_on_failure
        self._asking = {
            name: Asking(client, Rates(config.concurrency, config.requests_per_minute), spending, retry, log, save)
            for name, client in self._clients.items()
        }

    async def start(self) -> None:
        """Raises `OSError` when certificates cannot be used."""
        for client in self._clients.values():
            await client.start()

    async def stop(self) -> None:
        """Safe twice, and without `start`."""
        await asyncio.gather(*(client.stop() for client in self._clients.values()))

    def config(self, name: str) -> ModelConfig:
        """The model of that name. Raises `KeyError`."""
        return self._configs[self._key(name)]

    def asking(self, name: str) -> Asking:
        """The way to ask it. Raises `KeyError`."""
        return self._asking[self._key(name)]

    def by_model(self) -> dict[str, Asking]:
        """The ways to ask, by the models' own names."""
        return {self._configs[name].model: asking for name, asking in self._asking.items()}

    def say_spent(self, spent: Spent) -> None:
        """A question was not asked for want of money: said once for each limit and period."""
        self._resets_at = spent.resets_at
        until = datetime.fromtimestamp(spent.resets_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        self.trouble, self._trouble_at = f"{spent} until {until}", asyncio.get_running_loop().time()
        said = (spent.period, spent.unit, spent.resets_at)
        if said not in self._said:
            self._said = {*(each for each in self._said if each[2] >= spent.resets_at), said}
            self._log.warning("the judge's budget is spent: samples are skipped", reason=str(spent), until=until)

    def is_spent(self, now: float) -> bool:
        """Whether there is no money for questions at this time (seconds since 1970)."""
        return bool(self.trouble) and now < self._resets_at

    def say_unspent(self, began: float) -> None:
        """A question was asked, and its turn began then (event loop time)."""
        if began > self._trouble_at:
            self.trouble = ""

    def _key(self, name: str) -> str:
        return "" if name == self._usual else name
