"""Whatever ends the process, nothing is judged twice and nothing that was spent is forgotten."""

import asyncio
from pathlib import Path
from typing import Any

from spanmill.periods import Period
from tests.judge.model_server import model_server
from tests.processors.llm_judge.judging import Judging, calls, config, judging

GOOD = '{"reasoning": "it answers", "score": 5}'


async def test_after_a_crash_the_rest_is_judged_and_nothing_twice(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        run = await Judging(config(server), tmp_path, durable=True).start()
        await run.export(calls(12))
        await server.until(6)
        await run.die()
        first = {told["span"] for told in run.verdicts()}
        async with judging(config(server), tmp_path, durable=True) as again:
            await again.done()
            second = [told["span"] for told in again.verdicts()]
        assert first.isdisjoint(second)
        assert first | set(second) == set(range(1, 13))
        assert len(second) == len(set(second))


async def test_what_is_out_is_not_asked_again_though_an_older_question_held_the_cursor_back(tmp_path: Path) -> None:
    def all_but_the_first(body: dict[str, Any]) -> Any:
        return 500 if "What is 1 and 1?" in body["messages"][1]["content"] else GOOD

    async with model_server(always=all_but_the_first) as server:
        run = await Judging(config(server), tmp_path, durable=True).start()
        await run.export(calls(8))
        while len(run.consumer._book.answered) < 7:
            await asyncio.sleep(0.001)
        await run.consumer._book.save()
        await run.die()
        assert {told["span"] for told in run.verdicts()} == set(range(2, 9))
        server.always = GOOD
        again = Judging(config(server), tmp_path, durable=True)
        again.logs.forgets = True  # the outlet has: the book has not
        await again.start()
        await again.done()
        await again.stop()
        assert [told["span"] for told in again.verdicts()] == [1]


async def test_a_verdict_that_was_put_just_before_the_crash_is_known_by_its_digest(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        run = await Judging(config(server), tmp_path, durable=True).start()

        await run.export(calls(2))
        run.consumer._book.answered = set()
        while not run.verdicts():
            await asyncio.sleep(0.001)
        await run.die()
        (tmp_path / "state" / "judges" / "llm_judge" / "state.json").unlink(missing_ok=True)
        before = {told["span"] for told in run.verdicts()}
        async with judging(config(server), tmp_path, durable=True) as again:
            await again.done()
            assert before.isdisjoint(told["span"] for told in again.verdicts())


async def test_a_restart_forgets_nothing_that_was_spent_not_even_what_was_under_way(tmp_path: Path) -> None:
    written = {"budget": {"daily_tokens": 100_000}}
    async with model_server(always=GOOD) as server:
        run = await Judging(config(server, **written), tmp_path).start()
        await run.export(calls(3))
        await run.done()
        server.gate.clear()
        await run.export(calls(1, first=9))
        await server.until(4)
        await run.die()
        settled = 3 * 120
        async with judging(config(server, **written), tmp_path) as again:
            spent = again.consumer._spending.read(Period.DAY).tokens
            assert spent > settled + 1024  # what the fourth may have cost


async def test_a_damaged_state_is_set_aside_and_said(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        directory = tmp_path / "state" / "judges" / "llm_judge"
        directory.mkdir(parents=True)
        (directory / "state.json").write_bytes(b"{}\nnonsense")
        async with judging(config(server), tmp_path) as run:
            await run.export(calls(1))
            await run.done()
            assert any("damaged" in entry["event"] for entry in run.log.entries)
        assert list(directory.glob("state.json.corrupt-*"))


async def test_documents_that_came_before_the_crash_are_shown_after_it(tmp_path: Path) -> None:
    documents = '[{"id": "1", "content": "The moon is made of basalt."}]'
    async with model_server(always=GOOD) as server:
        server.gate.clear()
        run = await Judging(config(server, evaluators=["faithfulness"]), tmp_path, durable=True).start()
        retrieval = calls(3, is_llm_call=None, operation="retrieval", input=None, output=None, documents=documents)
        await run.export(retrieval)
        await run.export(calls(3))
        await run.die()
        server.gate.set()
        server.requests.clear()
        async with judging(config(server, evaluators=["faithfulness"]), tmp_path, durable=True) as again:
            await again.done()
        assert len(server.requests) == 3
        assert all("basalt" in request["messages"][1]["content"] for request in server.requests)


async def test_questions_of_an_evaluator_that_is_no_more_are_skipped(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        server.gate.clear()
        run = await Judging(config(server), tmp_path, durable=True).start()
        await run.export(calls(3))
        await run.die()
        server.gate.set()
        async with judging(config(server, evaluators=["conciseness"]), tmp_path, durable=True) as again:
            await again.done()
            assert again.samples(outcome="skipped", reason="evaluator_changed") == 3
