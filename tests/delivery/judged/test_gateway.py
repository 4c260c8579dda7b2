"""The example of a gateway that masks, prices, samples and judges, run whole: what it leaves behind."""

import asyncio
import json
import math
from collections import Counter
from decimal import Decimal

import pytest

from spanmill.exit_codes import ExitCode
from tests.delivery.judged import traffic
from tests.delivery.judged.gateway import COMMENT, EVALUATORS, TRACES, Row, Run, judged, run, weight
from tests.delivery.judged.traffic import Trace

STORES = ("parquet", "duckdb")
JUDGE = "gpt-4o-mini"
CALL_USD = Decimal("0.000027")
"""Of a question with as many tokens as the model server says, at the price of gpt-4o-mini."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(run(tmp_path_factory.mktemp("gateway")))


def of_judge(rows: list[Row]) -> list[Row]:
    return [row for row in rows if dict(row["attributes"] or {}).get("spanmill.judge") == "true"]


def of_traces(rows: list[Row], sent: list[Trace]) -> list[Row]:
    ids = {trace.trace_id for trace in sent}
    return [row for row in rows if row["trace_id"] in ids]


def test_the_days_end_in_peace_and_nothing_went_wrong(done: Run) -> None:
    assert done.ends == [ExitCode.OK, ExitCode.OK]
    assert '"level":"error"' not in done.said
    assert "error" not in {line.split()[1] for line in done.said.splitlines() if len(line.split()) > 1}
    assert done.healthy["status"] == "Server available"


@pytest.mark.parametrize("store", STORES)
def test_the_spans_are_whole_traces_masked_and_priced_and_say_for_how_many_they_stand(done: Run, store: str) -> None:
    rows = of_traces(done.rows[store]["spans"], done.sent)
    kept = {trace.trace_id: trace for trace in done.sent if weight(trace) is not None}
    assert {trace.trace_id for trace in kept.values()} == {row["trace_id"] for row in rows}
    assert Counter(row["trace_id"] for row in rows) == {key: 2 + each.has_documents for key, each in kept.items()}
    for row in rows:
        trace = kept[row["trace_id"]]
        assert (row["sample_weight"] or 1) == pytest.approx(weight(trace))
        assert row["sampled_by"] == reason(trace)
        if row["span_id"] == trace.call_id:
            usd = traffic.EXPENSIVE_USD if trace.is_expensive else traffic.CALL_USD
            assert float(row["cost_usd"]) == pytest.approx(usd)
            assert (row["feature"], row["user_id"]) == ("returns", "<EMAIL>")
            assert f"Question {trace.number}, from <EMAIL>" in row["input"]


def reason(trace: Trace) -> str:
    """The policy that keeps it: the first of those that keep all."""
    named = (("errors", trace.is_error), ("expensive", trace.is_expensive), ("slow", trace.is_slow),
             ("disliked", trace.is_disliked))  # fmt: skip
    return next((name for name, holds in named if holds), "rest")


def test_what_was_kept_stands_for_what_was_sent(done: Run) -> None:
    calls = [row for row in done.rows["parquet"]["spans"] if row["is_llm_call"] and row["service_name"] == "assistant"]
    weights = [row["sample_weight"] or 1 for row in calls]
    error = math.sqrt(sum(each * (each - 1) for each in weights))
    assert abs(sum(weights) - TRACES) < 4 * error


@pytest.mark.parametrize("store", STORES)
def test_every_chosen_call_has_one_verdict_of_each_judge(done: Run, store: str) -> None:
    rows = [row for row in done.rows[store]["evaluations"] if row["source"] == "judge"]
    expected = judged(done.sent)
    assert len(expected) > 20
    assert Counter((row["name"], row["span_id"]) for row in rows) == dict.fromkeys(expected, 1)
    calls = {trace.call_id: trace for trace in done.sent}
    for row in rows:
        trace = calls[row["span_id"]]
        bad = trace.is_bad and row["name"] != "safety"
        assert (row["outcome"], row["trace_id"]) == ("scored", trace.trace_id)
        assert row["sample_weight"] == pytest.approx(expected[row["name"], row["span_id"]])
        assert (row["score"], row["passed"]) == (0.25 if bad else 1.0, not bad)
        assert row["explanation"] == ("It is off topic." if trace.is_bad else "It answers.")
        assert (row["judge_model"], row["judge_provider"]) == (JUDGE, "openai")
        assert row["cost_usd"] == CALL_USD
        assert (row["model"], row["feature"], row["service_name"]) == (traffic.MODEL, "returns", traffic.SERVICE)
    assert len({(row["name"], row["template_hash"]) for row in rows}) == len(EVALUATORS)
    assert all(len(row["template_hash"]) == 16 for row in rows)


@pytest.mark.parametrize("store", STORES)
def test_what_people_and_the_application_think_is_beside_it(done: Run, store: str) -> None:
    rows = [row for row in done.rows[store]["evaluations"] if row["source"] != "judge"]
    asked = [trace for trace in done.sent if trace.is_disliked or trace.number == 0]
    found = {row["span_id"]: (row["label"], row["score"]) for row in rows if row["source"] == "person"}
    assert found == {each.call_id: ("down", 0.0) if each.is_disliked else ("up", 1.0) for each in asked}
    assert {row["explanation"] for row in rows if row["source"] == "person"} == {"Too slow, says <EMAIL>"}
    assert {row["user_id"] for row in rows if row["source"] == "person"} == {"<EMAIL>"}
    own = [(row["name"], row["score"], row["span_id"]) for row in rows if row["source"] == "application"]
    assert own == [("cites_a_source", 1.0, done.sent[0].call_id)]
    logs = done.rows[store]["logs"]
    assert len(logs) == len(done.rows[store]["evaluations"]) + 1
    assert [row["body"] for row in logs if row["event_name"] is None] == ["<EMAIL> has asked"]


@pytest.mark.parametrize("store", STORES)
def test_the_judges_own_calls_are_there_marked_and_priced_and_nobody_judged_them(done: Run, store: str) -> None:
    own = of_judge(done.rows[store]["spans"])
    expected = judged(done.sent)
    about = Counter((dict(row["attributes"])["gen_ai.evaluation.name"], row["links"][0]["span_id"]) for row in own)
    assert about == dict.fromkeys(expected, 1)
    assert {(row["feature"], row["request_model"], row["is_llm_call"]) for row in own} == {
        ("spanmill.judge", JUDGE, True)
    }
    assert {row["cost_usd"] for row in own} == {CALL_USD}
    others = {row["trace_id"] for row in done.rows[store]["spans"]} - {row["trace_id"] for row in own}
    assert {row["trace_id"] for row in done.rows[store]["evaluations"] if row["source"] == "judge"} <= others


def test_calls_are_counted_before_sampling_and_scores_as_often_as_they_stand_for(done: Run) -> None:
    usd = sum(traffic.EXPENSIVE_USD if trace.is_expensive else traffic.CALL_USD for trace in done.sent)
    assert done.series("calls", "llm_requests_total", model=traffic.MODEL, feature="returns") == TRACES
    assert done.series("calls", "llm_requests_total", status="error") == sum(trace.is_error for trace in done.sent)
    assert done.series("calls", "llm_cost_usd_total") == pytest.approx(usd)
    assert done.series("calls", "llm_tokens_total", type="input") == TRACES * traffic.INPUT_TOKENS
    assert done.series("calls", "llm_evaluations_total") == done.series("quality", "llm_requests_total") == 0
    expected = judged(done.sent)
    for evaluator in EVALUATORS:
        stands_for = sum(each for (name, _), each in expected.items() if name == evaluator)
        labels = {"evaluator": evaluator, "source": "judge", "model": traffic.MODEL, "feature": "returns"}
        assert done.series("quality", "llm_quality_score_count", **labels) == pytest.approx(stands_for)
    assert done.series("quality", "llm_judge_cost_usd_total", judge_model=JUDGE) == pytest.approx(
        float(len(expected) * CALL_USD)
    )
    assert done.series("quality", "llm_evaluations_total", source="judge", outcome="scored") == len(expected)
    assert done.series("quality", "llm_judge_lag_seconds_count") == len(expected)
    liked = done.series("quality", "llm_quality_score_sum", evaluator="helpful", source="person")
    assert (liked, done.series("quality", "llm_quality_score_count", evaluator="helpful")) == (1, TRACES / 40 + 1)


def test_the_judges_own_numbers_add_up(done: Run) -> None:
    count = len(judged(done.sent))
    without_documents = done.series("own", "spanmill_llm_judge_samples", outcome="skipped", reason="missing_context")
    assert done.numbers["spanmill_llm_judge_queued_samples"] == count + without_documents
    assert done.series("own", "spanmill_llm_judge_samples", outcome="scored") == count
    assert done.series("own", "spanmill_llm_judge_cost_usd") == pytest.approx(float(count * CALL_USD))
    spent = done.series("own", "spanmill_llm_judge_budget_spent", period="hour", unit="usd")
    assert spent == pytest.approx(float(count * CALL_USD)) or spent == 0  # the hour is over


def test_nothing_that_was_to_be_masked_reached_the_model_slack_the_stores_the_pages_or_the_log(done: Run) -> None:
    assert len(done.asked) == len(judged(done.sent))
    assert "from <EMAIL>" in json.dumps(done.asked)
    places = {"model": repr(done.asked), "slack": repr(done.told), "rows": repr(done.rows), "log": done.said,
              "pages": repr(done.pages)}  # fmt: skip
    for place, text in places.items():
        assert [name for name, secret in traffic.PERSONAL.items() if secret in text] == [], place
    assert COMMENT not in places["rows"]


def test_somebody_is_told_of_low_scores_once_for_each_evaluator(done: Run) -> None:
    told = [json.loads(body)["text"] for body in done.told]
    assert Counter(text.split()[2] for text in told) == {"relevance": 1, "faithfulness": 1}
    assert all("below 0." in text and "It is off topic." in text and traffic.BAD in text for text in told)


def test_the_health_check_says_that_the_budget_is_spent_after_a_restart_too(done: Run) -> None:
    """And the collector is as ready as ever: nobody's data waits for the judge."""
    assert done.spent["status"] == "Server available"
    state = done.spent["components"]["processor/llm_judge"]
    assert "the budget of 1,000 tokens for this month is spent until" in state
