"""What a judge makes of calls, whatever its model's server does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spanmill.batch import Batch
from spanmill.llm import evaluations
from spanmill.names import Kind
from spanmill.periods import Period
from spanmill.processors.llm_judge import worker
from spanmill.processors.llm_judge.marks import ATTRIBUTE, own_spans
from spanmill.processors.llm_judge.processor import LlmJudgeProcessor
from tests.judge.model_server import model_server
from tests.processors.building import settings
from tests.processors.llm_judge.judging import Judging, calls, config, judging, messages

GOOD = '{"reasoning": "it answers", "score": 5}'
BAD = '{"reasoning": "it does not answer", "score": 1}'


def test_batches_pass_untouched() -> None:
    processor, batch = LlmJudgeProcessor(config(), settings(Kind.PROCESSORS, "llm_judge")), calls(3)
    assert processor(batch) is batch


async def test_each_call_is_scored_and_the_score_tied_to_its_span(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        await run.export(calls(3, feature="search", user_id="u1"))
        await run.done()
        verdicts = sorted(run.verdicts(), key=lambda told: told["span"])
        assert [told["span"] for told in verdicts] == [1, 2, 3]
        told = verdicts[0]
        assert told[evaluations.NAME] == "relevance"
        assert told[evaluations.SCORE] == 1.0
        assert told[evaluations.EXPLANATION] == "it answers"
        assert (told[evaluations.SOURCE], told[evaluations.OUTCOME]) == ("judge", "scored")
        assert (told[evaluations.JUDGE_MODEL], told[evaluations.FEATURE]) == ("gpt-4o-mini", "search")
        assert told[evaluations.COST_USD] == pytest.approx(27e-6)
        assert told[evaluations.PASSED] is True
        assert told[evaluations.USER_ID] == "u1"
        assert told[evaluations.LAG_SECONDS] == pytest.approx(5, abs=0.1)
        assert run.samples(outcome="scored", evaluator="relevance") == 3
        assert run.metrics.value("spanmill_llm_judge_cost_usd") == pytest.approx(81e-6)
        assert run.metrics.value("spanmill_llm_judge_tokens", type="output") == 60


async def test_the_judges_own_calls_are_spans_with_their_cost_and_never_judged(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        await run.export(calls(2))
        await run.done()
        own = Batch.concat(run.traces.taken)
        assert len(own) == 2
        told = ["attributes", "request_model", "input_tokens", "is_llm_call", "cost_usd"]
        row = own.table(told).to_pylist()[0]
        assert dict(row["attributes"])[ATTRIBUTE] == "true"
        assert (row["request_model"], row["input_tokens"], row["is_llm_call"]) == ("gpt-4o-mini", 100, True)
        assert float(row["cost_usd"]) == pytest.approx(27e-6)
        (link,) = own.records.column("links").to_pylist()[0]
        assert int.from_bytes(link["span_id"], "big") in {1, 2}
        # Shown to it again, as the journal does, and with texts that would make them fit.
        for batch in list(run.traces.taken):
            assert own_spans(batch).all()
            texts = calls(len(batch)).records
            shown = batch.with_record_column("input", texts.column("input"))
            await run.export(shown.with_record_column("output", texts.column("output")))
        await run.done()
        assert len(server.requests) == 2
        assert run.metrics.value("spanmill_llm_judge_sampled_spans") == 2


async def test_spans_of_a_gateway_within_the_judges_trace_are_not_judged(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        await run.export(calls(1))
        await run.done()
        import pyarrow as pa

        trace = bytes.fromhex(server.headers[0]["traceparent"].split("-")[1])
        assert trace == run.traces.taken[0].records.column("trace_id")[0].as_py()
        gateway = calls(1, first=7).with_record_column("trace_id", pa.array([trace], pa.binary()))
        await run.export(gateway)
        await run.done()
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("always", "error"),
    [
        ("I would say four out of five.", "unparsable"),
        ('{"reasoning": "cut o', "unparsable"),
        ('{"reasoning": "beyond", "score": 99}', "unparsable"),
        ("", "unparsable"),
        (400, "400"),
    ],
)
async def test_an_answer_without_a_verdict_is_an_error_and_never_a_score(
    tmp_path: Path, always: Any, error: str
) -> None:
    async with model_server(always=always) as server, judging(config(server), tmp_path) as run:
        await run.export(calls(1))
        await run.done()
        (told,) = run.verdicts()
        assert evaluations.SCORE not in told
        assert (told[evaluations.OUTCOME], told[evaluations.ERROR_TYPE]) == ("failed", error)
        assert run.samples(outcome="failed", reason=error) == 1
        assert run.traces.taken[0].column("error_type").to_pylist() == [error]


async def test_an_answer_that_was_cut_off_says_so(tmp_path: Path) -> None:
    async with (
        model_server(always='{"reas', finish_reason="length") as server,
        judging(config(server), tmp_path) as run,
    ):
        await run.export(calls(1))
        await run.done()
        assert run.verdicts()[0][evaluations.ERROR_TYPE] == "truncated"


async def test_failures_that_pass_cost_nothing_but_time(tmp_path: Path) -> None:
    server_of = model_server(always=GOOD, answers=[500, 429, 503, 500])
    async with server_of as server, judging(config(server), tmp_path) as run:
        await run.export(calls(4))
        await run.done()
        assert run.samples(outcome="scored") == 4
        assert len(server.requests) == 8


async def test_a_server_that_never_answers_holds_nobody_up(tmp_path: Path) -> None:
    async with model_server() as server:
        server.gate.clear()
        written = {"model": {"timeout": "50ms"}, "max_age": "200ms"}
        async with judging(config(server, **written), tmp_path) as run:
            async with asyncio.timeout(5):
                for first in range(1, 200, 20):
                    await run.export(calls(20, first))
            run.clock.time += 10  # whoever was not asked by now is too old
            await run.done()
            assert run.samples() == 200
            assert run.samples(outcome="skipped", reason="too_old") >= 190
            assert run.samples(outcome="scored") == 0


async def test_no_more_are_asked_at_a_time_than_configured(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server, concurrency=3), tmp_path) as run:
        server.gate.clear()
        await run.export(calls(30))
        await server.until(3)
        server.gate.set()
        await run.done()
        assert server.most_under_way == 3


async def test_a_budget_stops_the_judge_and_says_so(tmp_path: Path) -> None:
    written = {"budget": {"daily_usd": 0.01}, "model": {"max_output_tokens": 100}, "concurrency": 8}
    server_of = model_server(always=GOOD, usage=(2000, 2000))
    async with server_of as server, judging(config(server, **written), tmp_path) as run:
        await run.export(calls(60))
        await run.done()
        spent = run.consumer._spending.read(Period.DAY).nano_usd / 1e9
        each = 0.0015
        assert spent == pytest.approx(len(server.requests) * each)
        assert 0.009 < spent <= 0.01 + 8 * each
        assert run.samples(outcome="skipped", reason="budget") == 60 - len(server.requests)
        assert len(run.verdicts()) == len(server.requests)
        assert "budget" in run.consumer.trouble
        assert run.gauge("spanmill_llm_judge_budget_spent", unit="usd") == pytest.approx(spent)
        said = [entry["event"] for entry in run.log.entries if "budget" in entry["event"]]
        assert len(said) == 1
        await run.export(calls(5, first=100))  # no question is made that nobody can pay for
        assert run.samples(outcome="skipped", reason="budget") == 65 - len(server.requests)
        run.clock.time += 24 * 3600
        await run.export(calls(1, first=100))
        await run.done()
        assert run.samples(outcome="scored") == len(server.requests)
        assert run.consumer.trouble == ""


async def test_equal_questions_are_asked_once(tmp_path: Path) -> None:
    same: dict[str, Any] = {"input": messages("user", "Hi"), "output": messages("assistant", "Hello")}
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        await run.export(calls(20, **same))
        await run.export(calls(5, first=50, **same))
        await run.done()
        assert len(server.requests) == 1
        verdicts = run.verdicts()
        assert len(verdicts) == 25
        assert {told[evaluations.SCORE] for told in verdicts} == {1.0}
        assert sorted(told[evaluations.COST_USD] for told in verdicts)[:24] == [0.0] * 24
        assert run.samples(outcome="scored", reason="reused") == 24


async def test_a_record_that_is_shown_twice_is_queued_once(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        server.gate.clear()
        await run.export(calls(3), first=1)
        await run.export(calls(3), first=1)
        server.gate.set()
        await run.done()
        await run.export(calls(6), first=2)  # gathered otherwise after a crash: the same spans, and others
        await run.done()
        assert len(server.requests) == 6
        assert len(run.verdicts()) == 6


async def test_a_full_queue_leaves_samples_out_and_never_the_pipeline(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server, judging(config(server, max_waiting=10), tmp_path) as run:
        server.gate.clear()
        await run.export(calls(8))
        await run.export(calls(8, first=20))
        server.gate.set()
        await run.done()
        assert run.samples(outcome="scored") == 10
        assert run.samples(outcome="skipped", reason="queue_full") == 6


async def test_a_share_is_of_the_ids_and_stands_in_the_weight(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        runs = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            async with judging(config(server, share=0.25), tmp_path / name) as run:
                await run.export(calls(200))
                await run.done()
                runs.append(run.verdicts())
    assert {told["span"] for told in runs[0]} == {told["span"] for told in runs[1]}
    assert 25 < len(runs[0]) < 80
    assert {told[evaluations.SAMPLE_WEIGHT] for told in runs[0]} == {4.0}


async def test_documents_of_other_spans_of_the_trace_are_found(tmp_path: Path) -> None:
    written = {"evaluators": [{"use": "faithfulness"}]}
    documents = '[{"id": "1", "content": "The moon is made of basalt."}]'
    async with model_server(always=GOOD) as server, judging(config(server, **written), tmp_path) as run:
        retrieval = calls(2, is_llm_call=None, operation="retrieval", input=None, output=None, documents=documents)
        await run.export(retrieval)
        await run.export(calls(3))
        await run.done()
        assert len(server.requests) == 2
        assert all("basalt" in request["messages"][1]["content"] for request in server.requests)
        assert run.samples(outcome="skipped", reason="missing_context") == 1


async def test_while_senders_keep_the_daemon_busy_few_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_ROUND", 4)
    monkeypatch.setattr(worker, "_ROUND_SECONDS", 0.2)
    now = asyncio.get_running_loop().time
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        run.host.clock.time += 60  # since `begin`
        began = now()
        await run.export(calls(10))
        await run.done()
        assert now() - began >= 2 * 0.2  # before the fifth, and before the ninth
        assert len(server.requests) == 10


async def test_when_senders_are_calm_again_the_others_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_ROUND", 4)
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.05)
    async with model_server(always=GOOD) as server, judging(config(server), tmp_path) as run:
        run.host.clock.time += 60
        await run.export(calls(10))
        await server.until(4)
        run.host.utilization.end("otlp")
        run.host.clock.time += 60
        await run.done()
        assert len(server.requests) == 10


async def test_conditions_choose_and_failed_calls_are_no_questions(tmp_path: Path) -> None:
    written = {"where": "environment = 'production'", "evaluators": [{"use": "relevance", "where": "feature = 'a'"}]}
    async with model_server(always=GOOD) as server, judging(config(server, **written), tmp_path) as run:
        await run.export(
            calls(4, environment=["production", "production", "staging", None], feature=["a", "b", "a", "a"])
        )
        await run.done()
        assert [told["span"] for told in run.verdicts()] == [1]


async def test_another_model_of_an_evaluator_is_asked_at_the_same_endpoint(tmp_path: Path) -> None:
    written = {"evaluators": ["relevance", {"use": "conciseness", "model": "gpt-4o"}]}
    async with model_server(always=GOOD) as server, judging(config(server, **written), tmp_path) as run:
        await run.export(calls(1))
        await run.done()
        assert sorted(request["model"] for request in server.requests) == ["gpt-4o", "gpt-4o-mini"]
        models = {told[evaluations.NAME]: told[evaluations.JUDGE_MODEL] for told in run.verdicts()}
        assert models == {"relevance": "gpt-4o-mini", "conciseness": "gpt-4o"}


async def test_nothing_is_put_out_after_draining(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        run = await Judging(config(server), tmp_path).start()
        server.gate.clear()
        await run.export(calls(10))
        await server.until(4)
        draining = asyncio.create_task(run.consumer.drain())
        await asyncio.sleep(0)
        server.gate.set()
        await draining
        out = len(run.verdicts())
        assert out == 4  # what was under way ended; nothing else began
        await run.stop()
        assert len(run.verdicts()) == out


async def test_without_an_outlet_for_logs_the_judge_says_that_nobody_takes_its_scores(tmp_path: Path) -> None:
    async with model_server(always=GOOD) as server:
        run = Judging(config(server), tmp_path)
        run.consumer.connect(run.inlet, {})
        await run.consumer.start(run.host)  # type: ignore[arg-type]
        await run.consumer.stop()
        assert any("nobody takes" in entry["event"] for entry in run.log.entries)


def test_the_processor_follows_its_pipeline_and_makes_rows_of_its_own() -> None:
    from spanmill.component import Emitting, Following

    processor = LlmJudgeProcessor(config(), settings(Kind.PROCESSORS, "llm_judge"))
    assert isinstance(processor, Following)
    assert isinstance(processor.consumer, Emitting)
