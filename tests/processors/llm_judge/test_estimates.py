"""Scores of a share of what tail sampling kept say what the scores of all calls would be: weighted, and only so."""

import re
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pytest

from spanmill.batch import Batch
from spanmill.judge.answers import Verdict, parse
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.making import evaluators_of
from spanmill.judge.questions import Question
from spanmill.processors.llm_judge.choosing import Chooser
from spanmill.processors.llm_judge.questioning import Questioner
from spanmill.processors.llm_judge.samples import batch_of, samples_of
from spanmill.sampling.randomness import of_trace_ids
from spanmill.sampling.thresholds import of_probability
from spanmill.sampling.weights import with_kept_share
from tests.logs import CapturedLog
from tests.processors.llm_judge.judging import calls, messages

CALLS, DAYS = 4_000, 20
ERRORS, KEPT_OF_REST, SHARE = 0.05, 0.1, 0.2
CERTAIN = 1.96
"""Standard errors to each side of the estimate: nineteen of twenty intervals hold the truth."""


class Estimate(NamedTuple):
    mean: float
    error: float
    """Standard error."""

    def holds(self, truth: float) -> bool:
        return abs(self.mean - truth) <= CERTAIN * self.error


@pytest.fixture(scope="module")
def traffic() -> tuple[Batch, np.ndarray]:
    """Calls with the marks that the model will give each; those that fail get the worse ones."""
    random = np.random.default_rng(1)
    failed = random.random(CALLS) < ERRORS
    marks = np.where(failed, random.integers(1, 3, CALLS), random.integers(3, 6, CALLS))
    said = [messages("assistant", f"An answer worth {mark} of 5.") for mark in marks]
    return calls(CALLS, output=said, error_type=["timeout" if each else None for each in failed]), marks


def kept(batch: Batch, random: np.random.Generator) -> Batch:
    """With new ids, what tail sampling keeps: all errors, and a share of the rest by the trace's randomness."""
    for name, size in (("trace_id", 16), ("span_id", 8)):
        ids = [random.bytes(size) for _ in range(len(batch))]
        batch = batch.with_record_column(name, pa.array(ids, batch.records.schema.field(name).type))
    threshold = np.uint64(of_probability(KEPT_OF_REST))
    rejected = np.where(batch.column("error_type").is_valid(), np.uint64(0), threshold)
    passes = of_trace_ids(batch.records.column("trace_id")).values >= rejected
    return with_kept_share(batch.filter(pa.array(passes)), rejected[passes])


def score(question: Question) -> float:
    """What the stand-in for a model answers, read as an answer of any model is."""
    found = re.search(r"worth (\d) of 5", question.messages[1]["content"])
    assert found is not None
    verdict = parse(EVALUATOR, orjson.dumps({"reasoning": "as it says", "score": int(found[1])}).decode())
    assert isinstance(verdict, Verdict)
    return verdict.score


(EVALUATOR,) = evaluators_of([EvaluatorConfig.model_validate("relevance")], share=SHARE)


def estimate(scores: np.ndarray, weights: np.ndarray) -> Estimate:
    """The weighted mean (Hájek), and its error for calls that were taken independently."""
    mean = float(np.average(scores, weights=weights))
    taken = weights * (weights - 1) * (scores - mean) ** 2
    return Estimate(mean, float(np.sqrt(taken.sum()) / weights.sum()))


def test_weighted_means_are_those_of_all_traffic_and_plain_ones_are_not(traffic: tuple[Batch, np.ndarray]) -> None:
    batch, marks = traffic
    truth = float(((marks - 1) / 4).mean())
    random, chooser = np.random.default_rng(2), Chooser([EVALUATOR], None, CapturedLog())
    questioner = Questioner({EVALUATOR.name: EVALUATOR})
    weighted, plain = [], []
    for _ in range(DAYS):
        (queued,) = samples_of(batch_of(chooser.choose(kept(batch, random), room=CALLS).samples))
        judged = [sample.question for sample in questioner.ask(queued)[0]]
        scores = np.array([score(each) for each in judged])
        weights = np.array([each.sample_weight for each in judged])
        assert set(weights.round(6)) == {1 / SHARE, 1 / SHARE / KEPT_OF_REST}
        weighted.append(estimate(scores, weights))
        plain.append(Estimate(float(scores.mean()), float(scores.std() / np.sqrt(len(scores)))))
    assert sum(each.holds(truth) for each in weighted) >= 0.85 * DAYS
    assert abs(np.mean([each.mean - truth for each in weighted])) < 3 * weighted[0].error / np.sqrt(DAYS)
    assert sum(each.holds(truth) for each in plain) <= 0.05 * DAYS
