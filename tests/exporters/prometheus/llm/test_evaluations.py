"""Metrics of evaluations: what a judge, people and applications said, from log records."""

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.exporters.prometheus.llm.aggregator import LlmMetrics
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.exporters.prometheus.llm.subjects import EVALUATED
from spanmill.llm.evaluations import SAMPLE_WEIGHT, SCORE, Evaluation, batch_of
from spanmill.signal import Signal
from spanmill.telemetry.exposition import Format, merge, render
from tests import data
from tests.exporters.prometheus.llm.spans import Clock, batch, call, read
from tests.exporters.prometheus.points import Page
from tests.llm.evaluations import TRACE, judged, sent

POSITION = Position("journal", 1, 1)
OVERFLOWED = "llm_evaluations_overflowed_label_values_total"


class Counted:
    """The metrics of evaluations by themselves."""

    def __init__(self, *, exemplars: bool = False, **config: Any) -> None:
        self.clock = Clock()
        self.metrics = LlmMetrics(
            LlmMetricsConfig.model_validate(config),
            subject=EVALUATED,
            max_lines=100_000,
            exemplars=exemplars,
            clock=self.clock,
        )

    def send(self, *evaluations: Evaluation) -> None:
        self.consume(batch_of(evaluations, resource_attributes={"service.name": "judge"}))

    def consume(self, batch: Batch) -> None:
        assert self.metrics.consume(batch) == 0

    def text(self, page: Format | None = None) -> str:
        page = page or Format()
        return render(merge(self.metrics.families(), page.utf8).families, page)

    def value(self, name: str, **labels: str) -> float | None:
        return read(self.text()).get((name, frozenset(labels.items())))


QUALITY = {"evaluator": "relevance", "model": "gpt-4o", "feature": "search", "prompt": "answer", "source": "judge"}


def test_a_score_counts_as_often_as_its_weight_says() -> None:
    page = Counted()
    page.send(judged(score=0.25), judged(score=1.0, sample_weight=None), judged(score=0.0, sample_weight=2.5))
    assert page.value("llm_quality_score_count", **QUALITY) == 23.5
    assert page.value("llm_quality_score_sum", **QUALITY) == 6.0
    assert page.value("llm_quality_score_bucket", le="0.1", **QUALITY) == 2.5
    assert page.value("llm_quality_score_bucket", le="0.3", **QUALITY) == 22.5
    assert page.value("llm_quality_score_bucket", le="1", **QUALITY) == 23.5


def test_a_failure_is_counted_and_has_no_score() -> None:
    page = Counted()
    failed = judged(score=None, label=None, outcome="failed")
    page.send(failed, replace(failed, error_type="timeout"), replace(failed, outcome="skipped"), judged())
    of = {"evaluator": "relevance", "model": "gpt-4o", "source": "judge"}
    assert page.value("llm_evaluations_total", outcome="scored", **of) == 1
    assert page.value("llm_evaluations_total", outcome="skipped", **of) == 1
    assert page.value("llm_evaluations_total", outcome="failed", error_type="timeout", **of) == 1
    assert page.value("llm_evaluations_total", outcome="failed", error_type="_OTHER", **of) == 1
    assert page.value("llm_quality_score_count", **QUALITY) == 20


def test_money_is_what_was_spent_whatever_the_verdict_stands_for() -> None:
    page = Counted()
    page.send(judged(), judged(score=None, outcome="failed"), judged(cost_nano_usd=None))
    cost = page.value("llm_judge_cost_usd_total", evaluator="relevance", judge_model="gpt-4o-mini")
    assert cost == pytest.approx(0.003)


def test_the_lag_is_that_of_judges_and_not_of_people() -> None:
    page = Counted()
    page.send(judged(lag_seconds=30.0), judged(source="person", lag_seconds=90_000.0), judged(lag_seconds=-1.0))
    assert page.value("llm_judge_lag_seconds_count", evaluator="relevance") == 1
    assert page.value("llm_judge_lag_seconds_bucket", evaluator="relevance", le="15") == 0
    assert page.value("llm_judge_lag_seconds_bucket", evaluator="relevance", le="30") == 1


def test_what_applications_send_counts_alike_and_plain_log_lines_do_not() -> None:
    page = Counted()
    page.consume(data.batch_of(sent({}, {SCORE: "0.5", SAMPLE_WEIGHT: 3}), Signal.LOGS))
    labels = {"evaluator": "helpful", "model": "unknown", "source": "application"}
    assert page.value("llm_quality_score_count", **labels) == 4
    assert page.value("llm_quality_score_sum", **labels) == 2.5
    assert page.value("llm_evaluations_total", outcome="scored", **labels) == 2
    nothing = Counted()
    nothing.consume(data.batch_of(sent(), Signal.LOGS))
    assert nothing.text() == ""


def test_values_beyond_the_limit_are_other_and_counted() -> None:
    page = Counted(
        max_values={"evaluator": 2}, labels={"language": {"max_values": 1, "metrics": ["llm_quality_score"]}}
    )
    page.send(*(judged(name=f"e{number}", language=("ko", "ja")[number % 2]) for number in range(5)))
    total = {"model": "gpt-4o", "source": "judge", "outcome": "scored"}
    assert page.value("llm_evaluations_total", evaluator="other", **total) == 3
    assert page.value("llm_quality_score_count", **QUALITY | {"evaluator": "other", "language": "ko"}) == 40
    assert page.value(OVERFLOWED, label="evaluator") == 3
    assert page.value(OVERFLOWED, label="language") == 2


def test_labels_of_calls_are_found_in_evaluations_under_the_same_names() -> None:
    labels = {"user": None, "version": {"column": "prompt_version"}, "team": None, "prompt": {"column": "feature"}}
    page = Counted(labels=labels | {"service": None, "host": {"resource_attribute": "service.name"}})
    page.send(judged(user_id="u1", prompt_version="3"))
    more = {"user": "u1", "version": "3", "service": "judge", "host": "judge"}
    assert page.value("llm_quality_score_count", **QUALITY | more) == 20


def test_scores_carry_the_trace_of_their_latest_evaluation() -> None:
    page = Counted(exemplars=True)
    page.send(judged(score=0.25))
    text = page.text(Format(open_metrics=True, utf8=True, version="1.0.0"))
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    [exemplar] = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]
    assert (exemplar.labels, exemplar.value) == ({"trace_id": TRACE}, 0.25)


def test_they_can_be_switched_off() -> None:
    page = Counted(evaluations=False)
    page.send(judged())
    assert page.text() == ""


@given(
    st.lists(
        st.builds(
            judged,
            name=st.sampled_from(["relevance", "safety"]),
            score=st.none() | st.integers(0, 8).map(lambda number: number / 8),
            outcome=st.sampled_from(["scored", "failed", None]),
            model=st.none() | st.sampled_from(["a", "b"]),
            sample_weight=st.none() | st.sampled_from([0.5, 1.0, 4.0]),
        )
    )
)
def test_every_number_is_the_one_that_plain_python_adds_up(evaluations: list[Evaluation]) -> None:
    page = Counted()
    page.send(*evaluations)
    scores: Counter[tuple[str, str]] = Counter()
    for one in evaluations:
        if one.score is not None:
            scores[one.name, one.model or "unknown"] += one.sample_weight or 1.0  # type: ignore[assignment]
    shown = {
        (dict(labels)["evaluator"], dict(labels)["model"]): value
        for (name, labels), value in read(page.text()).items()
        if name == "llm_quality_score_count"
    }
    assert shown == dict(scores)
    totals = [value for (name, _), value in read(page.text()).items() if name == "llm_evaluations_total"]
    assert sum(totals) == len(evaluations)


async def test_an_exporter_of_calls_and_evaluations_shows_both_on_one_page() -> None:
    page = Page(namespace="ns", const_labels={"shard": "1"})
    await page.exporter.export(batch_of([judged()], resource_attributes={}), POSITION)
    await page.exporter.export(batch(call()), POSITION)
    series = read(page.text())
    assert series["ns_llm_judge_lag_seconds_count", frozenset({("evaluator", "relevance"), ("shard", "1")})] == 1
    assert any(name == "ns_llm_requests_total" for name, _ in series)
    assert page.exporter._lines() == len([name for name, _ in series])


async def test_evaluations_without_room_are_counted_as_dropped() -> None:
    page = Page(max_series=100)
    many = [judged(name=f"e{number}") for number in range(50)]
    await page.exporter.export(batch_of(many, resource_attributes={}), POSITION)
    assert page.dropped("llm_limit") > 40


async def test_batches_are_counted_once_from_any_thread() -> None:
    page = Counted()
    made = batch_of([judged()] * 100, resource_attributes={})
    threads = [threading.Thread(target=page.consume, args=(made.slice(start, 10),)) for start in range(0, 100, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    of = {"evaluator": "relevance", "model": "gpt-4o", "source": "judge"}
    assert page.value("llm_evaluations_total", outcome="scored", **of) == 100


def test_a_column_that_is_none_is_told_in_a_logs_pipeline_too() -> None:
    config = PrometheusExporterConfig.model_validate({"endpoint": "localhost:1", "llm": {"labels": ["team", "teem"]}})
    assert [misfit.path for misfit in config.misfits(Signal.LOGS)] == [("llm", "labels", "teem")]
