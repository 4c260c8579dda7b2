"""From a batch to samples: which spans are judged by whom. Work for a thread, one batch at a time."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.conditions import Condition
from spanmill.judge.choice import chosen, inclusion_probability
from spanmill.judge.evaluator import Evaluator
from spanmill.processors.llm_judge.context import TraceContext
from spanmill.processors.llm_judge.marks import own_spans
from spanmill.processors.llm_judge.samples import to_queue
from spanmill.signal import Signal
from spanmill.telemetry.logs import Log

_COMPLAINT: Final = "a condition cannot be worked out for some rows, which are not judged"


@dataclass(slots=True)
class Choice:
    """What was chosen of a batch. Counters go by evaluator."""

    samples: list[pa.RecordBatch] = field(default_factory=list)
    """For the queue (`samples.batch_of`)."""
    sampled: Counter[str] = field(default_factory=Counter)
    """Spans that the share takes, that fit the conditions and are not of a judge."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Those of the sampled for which there is no room."""

    @property
    def queued(self) -> Counter[str]:
        """Those for which there is."""
        return self.sampled - self.left_out


class Chooser:
    """Chooses the same spans of a batch each time, by their ids."""

    def __init__(
        self, evaluators: Sequence[Evaluator], where: str | None, log: Log, clock: Callable[[], float] = time.time
    ) -> None:
        """`where`: what every span has to fit, beside an evaluator's own condition. `clock`: seconds since 1970."""
        self._evaluators, self._where, self._log, self._clock = evaluators, where, log, clock
        texts = {sql for sql in (where, *(each.where for each in evaluators)) if sql}
        self._conditions = {sql: Condition(sql, Signal.TRACES) for sql in texts}
        self._context = TraceContext(evaluators)

    def choose(self, batch: Batch, room: int) -> Choice:
        """At most so many samples of a batch. Never spans of a judge."""
        choice, now = Choice(), self._clock()
        self._context.remember(batch)
        for evaluator in self._evaluators:
            # The share first, for all else costs more: conditions, and columns, of a hundredth of the rows.
            share = chosen(batch.column(f"{evaluator.choose_by}_id"), evaluator.share, evaluator.name)
            rows = self._fitting(batch.filter(pa.array(share)), evaluator)
            choice.sampled[evaluator.name] += len(rows)
            choice.left_out[evaluator.name] += max(0, len(rows) - room)
            if len(rows) > room:
                rows = rows.filter(pa.array(np.arange(len(rows)) < room))
            if len(rows):
                room -= len(rows)
                context = self._context.of(rows) if evaluator.needs_trace else None
                probability = inclusion_probability(evaluator.share)
                choice.samples.append(to_queue(rows, evaluator, probability, now, context, self._context.columns))
        return choice

    def _fitting(self, rows: Batch, evaluator: Evaluator) -> Batch:
        """Those that fit the conditions and are not of a judge."""
        for sql in filter(None, dict.fromkeys((self._where, evaluator.where))):
            if len(rows):
                holds = self._conditions[sql].rows(rows, self._log, _COMPLAINT)
                rows = rows if holds.all() else rows.filter(pa.array(holds))
        if len(rows) and (own := own_spans(rows)).any():
            rows = rows.filter(pa.array(~own))
        return rows
