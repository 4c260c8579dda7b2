"""What became of a sample, and how that is told as an evaluation."""

from dataclasses import dataclass
from typing import Final

from spanmill.judge.answers import Unparsable, Verdict
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.model import Reply
from spanmill.llm.evaluations import Evaluation
from spanmill.processors.llm_judge.questioning import Sample

SCORED: Final = "scored"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking gave."""

    result: str
    """`scored`, `failed` or `skipped`."""
    reason: str = ""
    """One word; empty for a verdict of this question's own."""
    verdict: Verdict | None = None
    reply: Reply | None = None
    """None: no model answered this very question."""


def skipped(reason: str) -> Outcome:
    """Nobody was asked."""
    return Outcome(SKIPPED, reason)


def failed(reason: str) -> Outcome:
    """There was no answer."""
    return Outcome(FAILED, reason)


def answered(found: Verdict | Unparsable, reply: Reply) -> Outcome:
    """There was an answer. One without a verdict has failed: nothing is made up for it."""
    if isinstance(found, Verdict):
        return Outcome(SCORED, "", found, reply)
    # A cut off answer is a matter of `max_output_tokens`, and not of the model's manners.
    reasons = {"length": "truncated", "content_filter": "content_filter"}
    return Outcome(FAILED, reasons.get(reply.finish_reason, "unparsable"), None, reply)


def evaluation_of(
    sample: Sample, evaluator: Evaluator, outcome: Outcome, *, provider: str, model: str, now_ns: int
) -> Evaluation:
    """The event of a sample that was scored, or failed. `model` is the judge's, `now_ns` since 1970."""
    question, verdict, reply = sample.question, outcome.verdict, outcome.reply
    cost = reply.cost_nano_usd if reply is not None else 0 if verdict is not None else None
    labels = question.labels
    return Evaluation(
        name=question.evaluator,
        trace_id=question.trace_id,
        span_id=question.span_id or None,
        time_unix_nano=now_ns,
        source="judge",
        score=verdict.score if verdict else None,
        label=verdict.label if verdict else None,
        explanation=(verdict.explanation or None) if verdict else None,
        outcome=outcome.result,
        error_type=None if verdict else outcome.reason,
        response_id=question.response_id or None,
        judge_provider=provider,
        judge_model=model,
        template_hash=question.template_hash,
        cost_nano_usd=cost,
        sample_weight=question.sample_weight,
        threshold=evaluator.threshold,
        passed=verdict.passed if verdict else None,
        lag_seconds=lag_seconds(sample, now_ns),
        user_id=sample.user_id,
        session_id=sample.session_id,
        service_name=sample.service_name,
        model=labels.get("model"),
        feature=labels.get("feature"),
        prompt=labels.get("prompt"),
        prompt_version=labels.get("prompt_version"),
        language=labels.get("language"),
    )


def lag_seconds(sample: Sample, now_ns: int) -> float | None:
    """From the judged span's end; None when that is not known. Clocks of others may be ahead of ours."""
    end = sample.question.span_end_ns
    return max(0.0, (now_ns - end) / 1e9) if end else None
