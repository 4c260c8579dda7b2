"""From samples to questions, when they are about to be asked. Work for a thread."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from spanmill.judge.evaluator import Evaluator
from spanmill.judge.questions import Question, questions
from spanmill.judge.rendering import conversation
from spanmill.processors.llm_judge.samples import OF_SPAN, Samples


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, and what is to be known of its span beside it."""

    question: Question
    queued_at: float
    """Seconds since 1970."""
    service_name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    excerpt: str = ""
    """The beginning of the judged answer, for people who are told of a low score."""


class Questioner:
    """Makes questions by the evaluators that there are now."""

    def __init__(self, evaluators: Mapping[str, Evaluator], excerpt_characters: int = 0) -> None:
        self._evaluators, self._excerpt = evaluators, excerpt_characters

    def ask(self, samples: Samples) -> tuple[list[Sample], Counter[str]]:
        """Those that can be asked, in their order; and how many cannot, by reason."""
        evaluator = self._evaluators.get(samples.evaluator)
        if evaluator is None or evaluator.template_hash != samples.template_hash:
            return [], Counter(evaluator_changed=len(samples))
        context = samples.context if evaluator.needs_trace else None
        asked, skipped = questions(samples.rows, evaluator, trace=context, probability=samples.probability)
        columns = [samples.rows.column(name).to_pylist() for name in ("trace_id", "span_id", *OF_SPAN)]
        spans = {(trace or "", span or ""): known for trace, span, *known in zip(*columns, strict=True)}
        ready = [self._sample(each, samples.queued_at, *spans[each.trace_id, each.span_id]) for each in asked]
        return ready, Counter(f"missing_{each.missing}" for each in skipped)

    def _sample(
        self, question: Question, queued_at: float, service: str | None, user: str | None, session: str | None,
        output: str | None,
    ) -> Sample:  # fmt: skip
        excerpt = conversation(output, "assistant")[: self._excerpt] if output and self._excerpt else ""
        return Sample(question, queued_at, service, user, session, excerpt)
