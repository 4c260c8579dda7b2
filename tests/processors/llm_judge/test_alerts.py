"""Who is told of low scores, how often, and with which words."""

import asyncio
from pathlib import Path
from typing import Any

from tests.judge.model_server import ModelServer, model_server
from tests.processors.llm_cost.budgets.running import Receiver, receiving
from tests.processors.llm_judge.judging import Judging, calls, config, judging, messages

BAD = '{"reasoning": "it does not <answer>", "score": 1}'
QUICK = {"initial_interval": "1ms", "max_interval": "2ms"}


def alerting(server: ModelServer, receiver: Receiver, **more: Any) -> Any:
    alerts = {"webhook": {"url": receiver.url, "retry_on_failure": QUICK}, **more}
    return config(server, alerts=alerts)


async def alerts_of(run: Judging, result: str, count: int) -> None:
    async with asyncio.timeout(20):
        while run.metrics.value("spanmill_llm_judge_alerts", result=result) < count:
            await asyncio.sleep(0.002)


async def test_a_low_score_is_told_once_for_each_kind(tmp_path: Path) -> None:
    async with model_server(always=BAD) as server, receiving() as receiver:
        async with judging(alerting(server, receiver), tmp_path) as run:
            await run.export(calls(5, feature=["search", "search", "chat", "search", "chat"]))
            await run.done()
            await alerts_of(run, "sent", 2)
            assert run.metrics.value("spanmill_llm_judge_alerts", result="repeated") == 3
        assert len(receiver.texts) == 2
        lines = receiver.texts[0].split("\n")
        assert lines[0] == "LLM quality: relevance is 0.00, below 0.5"
        assert "Model: gpt-4o" in lines[1]
        assert lines[3] == "Why: it does not &lt;answer&gt;"
        assert lines[4].startswith("Answer: It is ")


async def test_texts_are_no_longer_than_configured_and_good_scores_are_not_told(tmp_path: Path) -> None:
    async with model_server(always=BAD) as server, receiving() as receiver:
        async with judging(alerting(server, receiver, text_characters=10), tmp_path) as run:
            await run.export(calls(1, output=messages("assistant", "x" * 500)))
            await run.done()
            await alerts_of(run, "sent", 1)
            server.always = '{"reasoning": "good", "score": 5}'
            await run.export(calls(1, first=5, feature="other"))
            await run.done()
        assert len(receiver.texts) == 1
        assert "x" * 10 in receiver.texts[0]
        assert "x" * 11 not in receiver.texts[0]


async def test_an_hour_has_no_more_messages_than_allowed(tmp_path: Path) -> None:
    async with model_server(always=BAD) as server, receiving() as receiver:
        async with judging(alerting(server, receiver, max_per_hour=2), tmp_path) as run:
            await run.export(calls(6, feature=[f"f{number}" for number in range(6)]))
            await run.done()
            await alerts_of(run, "sent", 2)
            assert run.metrics.value("spanmill_llm_judge_alerts", result="limited") == 4
        assert len(receiver.texts) == 2


async def test_a_webhook_that_fails_is_tried_again_and_holds_no_verdict_up(tmp_path: Path) -> None:
    async with model_server(always=BAD) as server, receiving() as receiver:
        receiver.answers = [500, 500]
        async with judging(alerting(server, receiver), tmp_path) as run:
            await run.export(calls(1))
            await run.done()
            assert len(run.verdicts()) == 1
            await alerts_of(run, "sent", 1)
        assert len(receiver.texts) == 3
