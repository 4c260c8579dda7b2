"""A model asked within limits, over a real server: patience, pace and money."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from spanmill.config.blocks import RetryOnFailure
from spanmill.judge.asking import Asking
from spanmill.judge.model import Failed, Reply
from spanmill.judge.rates import Rates
from spanmill.judge.spending import Spending, Spent
from spanmill.judge.spending_config import SpendingConfig
from spanmill.periods import Period
from tests.judge.model_server import ModelServer, model_server
from tests.judge.test_client import MESSAGES, SCHEMA, client_of
from tests.logs import CapturedLog

QUICK = RetryOnFailure.model_validate({"initial_interval": "1ms", "max_interval": "5ms"})


@asynccontextmanager
async def asking_of(server: ModelServer, most: int = 4, **budget: Any) -> AsyncIterator[Asking]:
    async with client_of(server, max_output_tokens=100) as client:
        spending = Spending(SpendingConfig.model_validate(budget) if budget else None)
        yield Asking(client, Rates(most), spending, QUICK, CapturedLog())


async def ask(asking: Asking, seconds: float = 20) -> Reply:
    return await asking.ask(MESSAGES, SCHEMA, asyncio.get_running_loop().time() + seconds)


async def test_a_failure_that_passes_is_tried_until_there_is_an_answer() -> None:
    async with model_server(answers=[500, 503, 429]) as server, asking_of(server) as asking:
        reply = await ask(asking)
    assert (reply.attempts, len(server.requests)) == (4, 4)
    assert asking.spending.read(Period.DAY).tokens == 120


async def test_a_failure_that_stays_is_tried_no_longer_than_the_deadline() -> None:
    async with model_server(always=500) as server, asking_of(server) as asking:
        with pytest.raises(Failed, match="500"):
            await ask(asking, 0.1)
        async with client_of(server, max_output_tokens=100) as client:
            usage = client.estimate(MESSAGES, SCHEMA)
    assert len(server.requests) > 2
    # A call that the deadline cuts off may have been answered, and counts as spent; those that failed do not.
    assert asking.spending.read(Period.DAY).tokens in {0, usage.input_tokens + usage.output_tokens}


async def test_a_failure_for_good_is_tried_once() -> None:
    async with model_server(always=400) as server, asking_of(server) as asking:
        with pytest.raises(Failed, match="400"):
            await ask(asking)
    assert len(server.requests) == 1


async def test_while_the_server_is_down_one_question_at_a_time_tries_it() -> None:
    async with model_server(answers=[500] * 8) as server, asking_of(server, most=8) as asking:
        replies = await asyncio.gather(*(ask(asking) for _ in range(8)))
    assert len(replies) == 8
    assert len(server.requests) <= 8 + 8 + 8


async def test_a_server_that_asks_for_fewer_requests_gets_fewer() -> None:
    async with model_server(answers=[429] * 4) as server, asking_of(server, most=8) as asking:
        await asyncio.gather(*(ask(asking) for _ in range(8)))
        assert asking.rates.limit < 8


async def test_no_more_is_spent_than_the_budget_however_many_ask_at_once() -> None:
    async with model_server() as server, asking_of(server, most=8, daily_tokens=1000) as asking:
        results = await asyncio.gather(*(ask(asking) for _ in range(30)), return_exceptions=True)
        spent = [result for result in results if isinstance(result, Spent)]
        answered = [result for result in results if isinstance(result, Reply)]
        assert len(spent) + len(answered) == 30
        assert len(server.requests) == len(answered)
        assert 120 * len(answered) == asking.spending.read(Period.DAY).tokens <= 1000
        assert spent


async def test_an_answer_that_never_came_counts_as_spent() -> None:
    async with model_server() as server, asking_of(server, daily_tokens=10_000) as asking:
        server.gate.clear()
        with pytest.raises(Failed, match="in time"):
            await ask(asking, 0.1)
        assert 100 < asking.spending.read(Period.DAY).tokens < 250


async def test_nothing_is_asked_while_the_sums_cannot_be_written() -> None:
    attempts = 0

    async def save() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise OSError(28, "No space left on device")

    async with model_server() as server, client_of(server) as client:
        asking = Asking(client, Rates(1), Spending(), QUICK, CapturedLog(), save)
        await ask(asking)
        assert (attempts, len(server.requests)) == (3, 1)
