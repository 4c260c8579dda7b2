"""Who is told what when a share of a budget is spent: once for each threshold and period, whatever happens."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spanmill.periods import Period
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.budgets.counting import Scope
from spanmill.processors.llm_cost.budgets.tally import Notice, NoticeKey, NoticeState
from tests.processors.llm_cost.budgets.calls import DAY, HOUR, NOW, Call, budgets
from tests.processors.llm_cost.budgets.running import Clock, Receiver, Run, receiving, running

QUICK = {"initial_interval": "1ms", "max_interval": "2ms"}


def config(receiver: Receiver, retry: dict[str, Any] | None = None, **more: Any) -> Budgets:
    written = {"limits": {"company": {"daily_usd": 10}}} | more
    return budgets(webhook={"url": receiver.url, "retry_on_failure": retry or QUICK}, **written)


async def settled(run: Run) -> None:
    """Wait until nothing is to be told any more."""
    while any(notice.state is not NoticeState.SETTLED for notice in run.tally.notices.values()):
        await asyncio.sleep(0.001)


async def test_each_threshold_is_told_once(tmp_path: Path) -> None:
    async with receiving() as receiver, running(config(receiver), tmp_path) as run:
        for _ in range(12):
            await run.export([Call("1")])
        await settled(run)
        assert [text.split("\n")[0] for text in receiver.texts] == [
            f"LLM budget company: {threshold} % of the limit is spent" for threshold in (50, 90, 100)
        ]
        assert run.metrics.value("llm_budget_notifications", budget="company", result="sent") == 3


async def test_the_text_has_what_the_person_who_is_called_has_to_know(tmp_path: Path) -> None:
    limits = {"features": {"per": "feature", "daily_usd": 2000, "thresholds": [90]}}
    async with receiving() as receiver:
        config_of_berlin = config(receiver, limits=limits, timezone="Europe/Berlin")
        async with running(config_of_berlin, tmp_path) as run:
            await run.export([Call("1850.5", feature="search"), Call(None, feature="search"), Call(None)])
            await settled(run)
    assert list(receiver.bodies[0]) == ["text"]
    assert receiver.texts[0].split("\n") == [
        "LLM budget features: 90 % of the limit is spent",
        "Spent: 1,850.50 of 2,000.00 USD (92.5 %)",
        "Scope: feature = search",
        "Period: day, 2025-10-09 (Europe/Berlin)",
        "Resets at 2025-10-10 00:00 CEST",
        "Not included: 1 call whose price is not known. More was spent than this says.",
    ]


async def test_a_value_cannot_call_a_whole_channel(tmp_path: Path) -> None:
    limits = {"features": {"per": "feature", "daily_usd": 0.001, "thresholds": [100]}}
    async with receiving() as receiver, running(config(receiver, limits=limits), tmp_path) as run:
        await run.export([Call("0.002", feature="<!channel>\n& all")])
        await settled(run)
        assert "Scope: feature = &lt;!channel&gt; &amp; all\n" in receiver.texts[0]
        assert "Spent: 0.002 of 0.001 USD (200.0 %)" in receiver.texts[0]


async def test_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    async with receiving() as receiver:
        for first in range(1, 4):
            async with running(config(receiver), tmp_path) as run:
                await run.export([Call("3")], first=first)
                await settled(run)
        assert len(receiver.texts) == 2


async def test_what_was_due_when_the_process_died_is_told_by_the_next(tmp_path: Path) -> None:
    async with receiving() as receiver:
        run = await Run(config(receiver), tmp_path).start()
        task = run.consumer._notifier and run.consumer._notifier._task
        assert task
        task.cancel()
        await run.export([Call("6")])
        run.die()
        assert receiver.texts == []
        async with running(config(receiver), tmp_path) as run:
            await settled(run)
        assert len(receiver.texts) == 1


async def test_a_request_whose_outcome_a_crash_has_hidden_is_not_made_again(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [-1]
        run = await Run(config(receiver), tmp_path).start()
        await run.export([Call("6")])
        await receiver.until(1)
        run.die()
        async with running(config(receiver), tmp_path) as run:
            await settled(run)
            assert run.metrics.value("llm_budget_notifications", budget="company", result="in_doubt") == 1
        assert len(receiver.texts) == 1


async def test_a_crash_amid_requests_that_fail_costs_nobody_the_notice(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500, -1]
        run = await Run(config(receiver), tmp_path).start()
        await run.export([Call("6")])
        await receiver.until(2)
        run.die()
        async with running(config(receiver), tmp_path) as run:
            await settled(run)
            assert run.metrics.value("llm_budget_notifications", budget="company", result="sent") == 1
        assert len(receiver.texts) == 3


async def test_a_server_that_is_down_is_tried_again_and_holds_up_no_counting(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500, 503, 429, 408]
        async with running(config(receiver), tmp_path) as run:
            await run.export([Call("6")])
            await run.export([Call("1")])
            assert run.values("llm_budget_spent_usd") == {("company", "day", ""): 7}
            await settled(run)
        assert len(receiver.texts) == 5
        assert len(set(receiver.keys)) == 1
        assert run.metrics.value("llm_budget_notifications", budget="company", result="sent") == 1


async def test_a_server_that_stays_down_is_given_up_after_a_time(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500] * 10_000
        quick = QUICK | {"max_elapsed_time": "20ms"}
        async with running(config(receiver, quick), tmp_path) as run:
            await run.export([Call("6")])
            await settled(run)
            assert run.metrics.value("llm_budget_notifications", budget="company", result="failed") == 1
            await run.export([Call("1")])
            assert len(run.events("error")) == 1


async def test_a_refusal_is_not_repeated_and_others_are_told(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [404]
        async with running(config(receiver), tmp_path) as run:
            await run.export([Call("9.5")])
            await settled(run)
        assert len(receiver.texts) == 2
        results = {r: run.metrics.value("llm_budget_notifications", result=r) for r in ("sent", "failed")}
        assert results == {"sent": 1, "failed": 1}


async def test_the_url_is_in_no_log_whatever_the_server_says(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500, 302, 400]
        async with running(config(receiver), tmp_path) as run:
            await run.export([Call("20")])
            await settled(run)
    unreachable = config(receiver, QUICK | {"enabled": False})
    async with running(unreachable, tmp_path / "other") as other:
        await other.export([Call("20")])
        await settled(other)
    assert run.events("error")
    assert other.events("error")
    assert "hush" not in repr(run.log.entries + other.log.entries + [unreachable])


async def test_stopping_leaves_what_cannot_be_told_to_the_next_start(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [500] * 2
        slow = {"initial_interval": "1h", "max_interval": "1h", "max_elapsed_time": 0}
        async with running(config(receiver, slow), tmp_path) as run:
            await run.export([Call("6")])
            while not any("tried again" in event for event in run.events("warning")):
                await asyncio.sleep(0.001)
        assert len(receiver.texts) == 2
        async with running(config(receiver, slow), tmp_path) as run:
            await settled(run)
        assert len(receiver.texts) == 3


async def test_a_new_period_is_told_anew(tmp_path: Path) -> None:
    clock = Clock()
    async with receiving() as receiver, running(config(receiver), tmp_path, clock) as run:
        await run.export([Call("6")])
        clock.time += DAY
        await run.export([Call("6", at=clock.time)])
        await settled(run)
        assert len(receiver.texts) == 2


async def test_a_limit_of_a_period_that_is_over_for_long_calls_nobody(tmp_path: Path) -> None:
    clock = Clock(NOW - NOW % DAY + 2 * HOUR)
    async with receiving() as receiver, running(config(receiver), tmp_path, clock) as run:
        await run.export([Call("20", at=clock.time - 3 * HOUR)])
        await settled(run)
        assert receiver.texts == []
        assert run.metrics.value("llm_budget_notifications", result="late") == 3


async def test_a_limit_that_is_changed_is_held_against_what_was_spent(tmp_path: Path) -> None:
    async with receiving() as receiver:
        for daily, told in ((10, 1), (6, 2), (20, 2), (11.5, 2), (100, 2), (10, 2)):
            async with running(config(receiver, limits={"company": {"daily_usd": daily}}), tmp_path) as run:
                if daily == 10 and told == 1:
                    await run.export([Call("5.5")])
                await settled(run)
            assert len(receiver.texts) == told, daily
        async with running(config(receiver, limits={"company": {"daily_usd": 100}}), tmp_path) as run:
            await run.export([Call("45")], first=2)
            await settled(run)
        assert len(receiver.texts) == 3, "50 % of what it was raised to"


async def test_a_notice_of_a_budget_that_is_gone_is_told_to_nobody(tmp_path: Path) -> None:
    async with receiving() as receiver:
        run = await Run(config(receiver), tmp_path).start()
        key = NoticeKey("gone", Period.DAY, NOW - NOW % DAY, "", 50)
        await run.consumer._book.change(lambda tally: (tally.with_notices({key: Notice(NoticeState.DUE, 1)}), None))
        run.die()
        async with running(config(receiver), tmp_path) as run:
            await settled(run)
        assert receiver.texts == []


async def test_without_a_webhook_thresholds_are_in_the_log(tmp_path: Path) -> None:
    async with running(budgets(limits={"company": {"daily_usd": 10}}), tmp_path) as run:
        await run.export([Call("9")])
        assert [(e["percent"], e["limit_usd"]) for e in run.log.entries if "share" in e["event"]] == [
            (50, 10),
            (90, 10),
        ]
        assert run.values("llm_budget_notifications") == {}


async def test_a_stop_that_is_cut_short_lets_the_next_collector_have_the_state(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [-1]
        run = await Run(config(receiver), tmp_path).start()
        await run.export([Call("6")])
        await receiver.until(1)
        stopping = asyncio.create_task(run.consumer.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert run.tally.spent(Scope("", ""), Period.DAY, NOW - NOW % DAY).nano_usd == 6 * 10**9
        async with running(config(receiver), tmp_path):
            pass
