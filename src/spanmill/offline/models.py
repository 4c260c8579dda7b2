"""The models that are asked, with limits and one budget for the run; what waiting cannot mend ends it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

from spanmill.judge.asking import Asking
from spanmill.judge.client import Client
from spanmill.judge.model import Failed, Message, Reply
from spanmill.judge.model_config import ModelConfig
from spanmill.judge.pricing import Usage
from spanmill.judge.rates import Rates
from spanmill.judge.spending import Spending
from spanmill.judge.spending_config import SpendingConfig
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.telemetry.logs import Log

_NEVER: Final = frozenset({"401", "insufficient_quota"})
"""Failures that no other question would be spared."""
_NOT_AT_FIRST: Final = frozenset({"403", "404", "407", "connection", "nonsense", "refused"})
"""Failures that, before there was any answer, are rather mistakes of the command line than of the moment."""


class Unforgiving:
    """A client that does not have questions repeated which are in vain. Implements `judge.asking.PricedModel`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._answered = False

    def estimate(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Usage:
        return self.client.estimate(messages, schema)

    def cost(self, usage: Usage) -> int | None:
        return self.client.cost(usage)

    async def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str = "") -> Reply:
        try:
            reply = await self.client.ask(messages, schema, trace)
        except Failed as failed:
            if self.is_in_vain(failed):
                raise Failed(failed.reason, transient=False, code=failed.code, in_doubt=failed.in_doubt) from None
            raise
        self._answered = True
        return reply

    def is_in_vain(self, failed: Failed) -> bool:
        """Whether nobody need ask anything more."""
        return failed.code in _NEVER or (not self._answered and failed.code in _NOT_AT_FIRST)


class Models:
    """By the name that evaluators call them; the usual one has the empty name. A context manager."""

    def __init__(
        self, config: LlmJudgeProcessorConfig, names: Iterable[str], budget_usd: float | None, log: Log
    ) -> None:
        self._configs = {name: config.model_of(name) for name in sorted(set(names))}
        self._clients = {name: Unforgiving(Client(each, log)) for name, each in self._configs.items()}
        began = time.time()
        limits = None if budget_usd is None else SpendingConfig(monthly_usd=budget_usd)
        spending = Spending(limits, clock=lambda: began)  # one period for the run, however long it takes
        self._asking = {
            name: Asking(
                client, Rates(config.concurrency, config.requests_per_minute), spending, config.retry_on_failure, log
            )
            for name, client in self._clients.items()
        }

    async def __aenter__(self) -> Self:
        """Raises `OSError` when certificates cannot be used."""
        for each in self._clients.values():
            await each.client.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._clients.values():
            await each.client.stop()

    def config(self, name: str) -> ModelConfig:
        """The model of that name."""
        return self._configs[name]

    def asking(self, name: str) -> Asking:
        """The way to ask it."""
        return self._asking[name]

    def is_in_vain(self, name: str, failed: Failed) -> bool:
        """Whether nobody need ask that model anything more."""
        return self._clients[name].is_in_vain(failed)
