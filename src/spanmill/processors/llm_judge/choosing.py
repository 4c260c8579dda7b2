"""From a batch to the questions about it: which spans are judged by whom. Work for a thread, one batch at a time."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.conditions import Condition
from spanmill.judge.choice import chosen
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.questions import Question, questions
from spanmill.judge.rendering import conversation
from spanmill.processors.llm_judge.context import TraceContext
from spanmill.processors.llm_judge.marks import own_spans
from spanmill.processors.llm_judge.samples import Sample
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log

_COMPLAINT: Final = "a condition cannot be worked out for some rows, which are not judged"


@dataclass(slots=True)
class Choice:
    """What was chosen of a batch. Counters go by evaluator."""

    samples: list[Sample] = field(default_factory=list)
    matched: Counter[str] = field(default_factory=Counter)
    """Spans that fit the conditions."""
    sampled: Counter[str] = field(default_factory=Counter)
    """Those of them that the share takes."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Those for which there is no room, and of which no question was made."""
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Those that cannot be asked about, by evaluator and variable."""


class Chooser:
    """Chooses the same spans of a batch each time, by their ids."""

    def __init__(
        self, evaluators: Sequence[Evaluator], where: str | None, excerpt_characters: int, log: Log,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`where`: what every span has to fit, beside an evaluator's own condition. `clock`: seconds since 1970."""
        self._evaluators, self._where, self._excerpt, self._log = evaluators, where, excerpt_characters, log
        texts = {sql for sql in (where, *(each.where for each in evaluators)) if sql}
        self._conditions = {sql: Condition(sql, Signal.TRACES) for sql in texts}
        self._context = TraceContext(evaluators)
        self._clock = clock

    def choose(self, batch: Batch, room: int) -> Choice:
        """At most so many questions about a batch. Never about spans of a judge."""
        choice = Choice()
        self._context.remember(batch)
        holds: dict[str, np.ndarray] = {}
        judgeable: np.ndarray | None = None
        for evaluator in self._evaluators:
            for sql in {self._where or "", evaluator.where} - holds.keys():
                holds[sql] = (
                    self._conditions[sql].rows(batch, self._log, _COMPLAINT) if sql else np.ones(len(batch), bool)
                )
            fits = holds[self._where or ""] & holds[evaluator.where]
            if fits.any():
                judgeable = ~own_spans(batch) if judgeable is None else judgeable
                self._ask(evaluator, batch, fits & judgeable, choice, room)
        return choice

    def _ask(self, evaluator: Evaluator, batch: Batch, fits: np.ndarray, choice: Choice, room: int) -> None:
        name = evaluator.name
        taken = fits & chosen(batch.column(f"{evaluator.choose_by}_id"), evaluator.share, name)
        choice.matched[name] += int(fits.sum())
        choice.sampled[name] += int(taken.sum())
        # Making a question costs as much as taking in ten spans: none is made to be thrown away.
        beyond = np.flatnonzero(taken)[max(0, room - len(choice.samples)) :]
        choice.left_out[name] += len(beyond)
        taken[beyond] = False
        if not taken.any():
            return
        rows = batch.filter(pa.array(taken))
        trace = self._context.of(rows) if evaluator.needs_trace else None
        asked, skipped = questions(rows, evaluator, trace=trace)
        for each in skipped:
            choice.missing[name, each.missing] += 1
        if asked:
            choice.samples += self._samples(rows, asked)

    def _samples(self, rows: Batch, asked: Sequence[Question]) -> list[Sample]:
        names = ("service_name", "user_id", "session_id", "output")
        columns = [rows.column(name).to_pylist() for name in ("trace_id", "span_id", *names)]
        spans = {(trace, span): told for trace, span, *told in zip(*columns, strict=True)}
        now = self._clock()
        return [self._sample(question, now, spans) for question in asked]

    def _sample(self, question: Question, now: float, spans: dict[tuple[Any, ...], list[Any]]) -> Sample:
        service, user, session, output = spans[question.trace_id or None, question.span_id or None]
        excerpt = conversation(output, "assistant")[: self._excerpt] if output and self._excerpt else ""
        return Sample(question, now, service, user, session, excerpt)
