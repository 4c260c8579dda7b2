"""Asks the questions about some rows, a few at a time, and keeps the verdicts."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from spanmill.judge.answers import Verdict as Answer
from spanmill.judge.answers import parse
from spanmill.judge.choice import chosen, inclusion_probability
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.model import Failed, Reply
from spanmill.judge.questions import Question, Skipped, questions
from spanmill.judge.spending import Spent
from spanmill.offline.models import Models
from spanmill.offline.results import FAILED, SCORED, SKIPPED
from spanmill.offline.results_file import ResultsFile, Verdict
from spanmill.offline.span_rows import Chunk, Spans, fitting

_PATIENCE_SECONDS: Final = 300.0
"""How long one question is tried."""
_CUT_OFF: Final = {"length": "truncated", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what its verdict says beside the answer."""

    question: Question
    evaluator: Evaluator
    base: Verdict
    """Columns that are known beforehand."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking gave."""

    answer: Answer | None = None
    error: str = ""
    """One word; empty with an answer."""
    reply: Reply | None = None


class Judging:
    """Belongs to the event loop."""

    def __init__(self, models: Models, results: ResultsFile, most_under_way: int) -> None:
        self._models, self._results = models, results
        self._places = asyncio.Semaphore(2 * most_under_way)
        self._outcomes: dict[bytes, asyncio.Future[Outcome | None]] = {}
        self.stopped = ""
        """Why nothing more is asked; empty while something is."""
        self.asked = 0
        """Questions to which there was an answer, or a failure, in this run."""
        self.kept = 0
        """Questions that were answered before."""
        self.rows = 0
        """Rows that fit an evaluator, and were chosen."""
        self.cost_nano_usd = 0

    async def judge(
        self, chunk: Chunk, evaluators: Sequence[Evaluator], most_rows: int | None, advance: Callable[[float], None]
    ) -> None:
        """Returns when the rows have their verdicts, or nothing more may be asked. `most_rows`: of all chunks.
        `advance` is told of rows that are done, also of parts of them."""
        before = self.rows
        waiting = self._questions(chunk, evaluators, most_rows)
        rows = len(chunk.rows) if most_rows is None else self.rows - before
        if not waiting:
            advance(rows)
        async with asyncio.TaskGroup() as tasks:
            for asked in waiting:
                await self._places.acquire()
                if self.stopped:
                    self._places.release()
                    break
                tasks.create_task(self._one(asked, lambda: advance(rows / len(waiting))))

    def _questions(self, chunk: Chunk, evaluators: Sequence[Evaluator], most_rows: int | None) -> list[Asked]:
        fits = {each.name: fitting(chunk.rows, each) & _chosen(chunk.rows, each) for each in evaluators}
        rows = np.flatnonzero(np.logical_or.reduce(list(fits.values())))
        if most_rows is not None:
            rows = rows[: max(0, most_rows - self.rows)]
        self.rows += len(rows)
        kept = np.isin(np.arange(len(chunk.rows)), rows)
        waiting: list[Asked] = []
        for evaluator in evaluators:
            spans = chunk.rows.where(fits[evaluator.name] & kept)
            probability = inclusion_probability(evaluator.share)
            found, skipped = questions(spans, evaluator, trace=chunk.trace, probability=probability)
            services = _services(spans)
            for each in skipped:
                self._results.add(_base(each, chunk, evaluator, services) | _skipped(each))
            for question in found:
                base = _base(question, chunk, evaluator, services) | self._beside(question)
                if self._results.has(base["id"], evaluator.name, question.template_hash, base["judge_model"]):
                    self.kept += 1
                else:
                    waiting.append(Asked(question, evaluator, base))
        return waiting

    def _beside(self, question: Question) -> dict[str, Any]:
        model = self._models.config(question.model)
        return {
            "response_id": question.response_id or None,
            "judge_provider": model.seller,
            "judge_model": model.model,
            "sample_weight": question.sample_weight,
            **question.labels,
        }

    async def _one(self, asked: Asked, advance: Callable[[], None]) -> None:
        try:
            outcome, own = await self._shared(asked)
            if outcome is not None:
                self._results.add(dict(asked.base) | _told(asked.question, outcome, own=own))
                advance()
        finally:
            self._places.release()

    async def _shared(self, asked: Asked) -> tuple[Outcome | None, bool]:
        """Equal questions are asked once. Also whether it was this one; None when nothing more may be asked."""
        content = asked.question.content
        held = self._outcomes.get(content)
        if held is not None:
            return await asyncio.shield(held), False
        held = self._outcomes[content] = asyncio.get_running_loop().create_future()
        outcome = None
        try:
            outcome = await self._ask(asked)
        finally:
            held.set_result(outcome)
        return outcome, True

    async def _ask(self, asked: Asked) -> Outcome | None:
        question = asked.question
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        if self.stopped:
            return None
        try:
            reply = await self._models.asking(question.model).ask(question.messages, question.schema, deadline)
        except Spent:
            self.stopped = "the budget of this run is spent"
            return None
        except Failed as failed:
            if self._models.is_in_vain(question.model, failed):
                self.stopped = f"{self._models.config(question.model).url}: {failed.reason}"
                return None
            self.asked += 1
            return Outcome(error=failed.code)
        self.asked += 1
        self.cost_nano_usd += reply.cost_nano_usd or 0
        found = parse(asked.evaluator, reply.text)
        if isinstance(found, Answer):
            return Outcome(found, "", reply)
        return Outcome(None, _CUT_OFF.get(reply.finish_reason, "unparsable"), reply)


def _chosen(rows: Spans, evaluator: Evaluator) -> np.ndarray:
    by = "trace_id" if evaluator.choose_by == "trace" else "span_id"
    return chosen(rows.column(by), evaluator.share, evaluator.name)


def _services(rows: Spans) -> dict[tuple[str, str], str | None]:
    columns = (rows.column(name).to_pylist() for name in ("trace_id", "span_id", "service_name"))
    return {(trace or "", span or ""): service for trace, span, service in zip(*columns, strict=True)}


def _base(
    about: Question | Skipped, chunk: Chunk, evaluator: Evaluator, services: dict[tuple[str, str], str | None]
) -> dict[str, Any]:
    pair = (about.trace_id, about.span_id)
    own = pair not in chunk.made_up
    return {
        "id": chunk.ids[pair],
        "trace_id": about.trace_id if own else None,
        "span_id": (about.span_id or None) if own else None,
        "name": evaluator.name,
        "source": "judge",
        "template_hash": evaluator.template_hash,
        "threshold": evaluator.threshold,
        "service_name": services.get(pair),
    }


def _skipped(about: Skipped) -> dict[str, Any]:
    return {"time": _time(time.time_ns()), "outcome": SKIPPED, "error_type": f"no_{about.missing}"}


def _told(question: Question, outcome: Outcome, *, own: bool) -> dict[str, Any]:
    """What the outcome says. One that was asked for another row has cost nothing here."""
    answer, reply, now = outcome.answer, outcome.reply, time.time_ns()
    cost = None if reply is None or reply.cost_nano_usd is None else reply.cost_nano_usd / 1e9 if own else 0.0
    lag = max(0.0, (now - question.span_end_ns) / 1e9) if question.span_end_ns else None
    said = {"time": _time(now), "cost_usd": cost, "lag_seconds": lag}
    if answer is None:
        return {**said, "outcome": FAILED, "error_type": outcome.error}
    return {
        **said,
        "outcome": SCORED,
        "score": answer.score,
        "label": answer.label,
        "explanation": answer.explanation or None,
        "passed": answer.passed,
    }


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
