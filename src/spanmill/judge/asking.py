"""Asks a model within its limits: pace, money, and patience with a server that does not answer.

A question is tried until its deadline. While the server is taken to be down (`Breaker`) one question at a time is
tried, and the others wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from spanmill.breaker import Breaker
from spanmill.config.blocks import RetryOnFailure
from spanmill.judge.model import Failed, Message, Reply, Throttled
from spanmill.judge.pricing import Usage
from spanmill.judge.rates import Rates
from spanmill.judge.spending import NOTHING, Amount, Spending
from spanmill.retrying import Retrying
from spanmill.telemetry.logs import Log


class PricedModel(Protocol):
    """A `model.Model` that knows beforehand what a question takes."""

    async def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str = "") -> Reply: ...
    def estimate(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Usage: ...
    def cost(self, usage: Usage) -> int | None: ...


async def _nothing_to_save() -> None:
    """Sums that are only in memory."""


class Asking:
    """Belongs to the event loop. Any number of questions may wait in it."""

    def __init__(
        self, model: PricedModel, rates: Rates, spending: Spending, retry: RetryOnFailure, log: Log,
        save: Callable[[], Awaitable[None]] = _nothing_to_save,
    ) -> None:  # fmt: skip
        """`save` returns when the sums are where they outlive the process; it may raise `OSError`."""
        self._model, self._retry, self._log, self._save = model, retry, log, save
        self.rates, self.spending, self.breaker = rates, spending, Breaker()

    async def ask(
        self, messages: Sequence[Message], schema: Mapping[str, Any], deadline: float, trace: str = ""
    ) -> Reply:
        """The answer. `deadline`: event loop time. Raises `Failed` (code `too_late` when there is no time left), and
        `spending.Spent`, in which case nothing was asked."""
        retrying = Retrying(self._retry, durable=True)
        retrying.begin()
        last: list[Failed] = []
        attempts = 0
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    reply = await self._turn(messages, schema, trace, retrying, last)
                    attempts += 1
                    if reply is not None:
                        return replace(reply, attempts=attempts)
                    if not retrying.enabled or retrying.too_late:
                        break
                    await asyncio.sleep(retrying.wait_seconds)
        except TimeoutError:
            if not last:
                raise Failed("there was no answer in time", transient=True, code="too_late") from None
        raise last[-1]

    async def _turn(
        self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str, retrying: Retrying, last: list[Failed]
    ) -> Reply | None:
        """One attempt; None when another may be made. Its failure goes into `last`."""
        while True:
            async with self.breaker.turn() as probe:
                if self.breaker.is_open and not probe:
                    continue
                async with self.rates.turn() as began:
                    if self.breaker.is_open and not probe:
                        continue
                    try:
                        reply = await self._paid(messages, schema, trace)
                    except Throttled as throttled:
                        pause = retrying.back_off(throttled.retry_after)
                        self.rates.throttled(began, pause)
                        last.append(Failed(str(throttled), transient=True, code="429"))
                        return None
                    except Failed as failed:
                        if not failed.transient:
                            self._answered()
                            raise
                        self._failed(failed, retrying)
                        last.append(failed)
                        return None
                    self._answered()
                    self.rates.answered()
                    return reply

    async def _paid(self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str) -> Reply:
        """One request, and what it took. Whatever may have made the server work counts as spent."""
        usage = self._model.estimate(messages, schema)
        amount = Amount(usage.input_tokens + usage.output_tokens, self._model.cost(usage) or 0)
        set_aside = self.spending.set_aside(amount)
        spent = NOTHING
        try:
            await self._saved()
            spent = amount
            reply = await self._model.ask(messages, schema, trace)
            spent = Amount(reply.input_tokens + reply.output_tokens, reply.cost_nano_usd or 0)
        except Throttled:
            spent = NOTHING
            raise
        except Failed as failed:
            spent = amount if failed.in_doubt else NOTHING
            raise
        finally:
            self.spending.settle(set_aside, spent)
        return reply

    async def _saved(self) -> None:
        try:
            await self._save()
        except OSError as error:
            reason = f"what is spent cannot be written: {error.strerror or error}"
            raise Failed(reason, transient=True, code="disk") from error

    def _failed(self, failed: Failed, retrying: Retrying) -> None:
        if failed.reason != self.breaker.reason:
            self._log.warning("a question to the model failed and is asked again", reason=failed.reason)
        self.breaker.failed(failed.reason, retrying.back_off())

    def _answered(self) -> None:
        if self.breaker.is_open:
            self._log.info("the model answers again")
        self.breaker.answered()
