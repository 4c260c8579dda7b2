"""Samples as they wait in the queue: a row for each, with the columns that its question is made of.

The question itself is made when it can be asked. Making one costs as much as taking in a span, and where the judge does
not keep up most samples are never asked about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.questions import COLUMNS as OF_QUESTIONS
from spanmill.judge.questions import key_of
from spanmill.judge.sources import Rows
from spanmill.lazy_records import JoinedRecords
from spanmill.schema import SPANS
from spanmill.signal import Signal

OF_SPAN: Final = ("service_name", "user_id", "session_id", "output")
"""What is to be known of the span beside its question."""
_EVALUATOR, _TEMPLATE, _PROBABILITY = "judge_evaluator", "judge_template", "judge_probability"
_QUEUED_AT, _CONTEXT = "judge_queued_at", "judge_context"
_OWN: Final = {
    _EVALUATOR: pa.string(), _TEMPLATE: pa.string(), _PROBABILITY: pa.float64(), _QUEUED_AT: pa.float64(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Samples:
    """Spans that an evaluator is to look at, chosen together."""

    evaluator: str
    template_hash: str
    """Of the evaluator when they were chosen."""
    probability: float
    """With which each of them was chosen."""
    queued_at: float
    """Seconds since 1970."""
    rows: "Spans"
    context: "Spans"
    """Other spans of their traces."""

    def __len__(self) -> int:
        return len(self.rows)

    def question_keys(self) -> list[bytes]:
        """The `Question.key` of each."""
        ids = (self.rows.column(name).fill_null("").to_pylist() for name in ("trace_id", "span_id"))
        return [key_of(self.evaluator, self.template_hash, *each) for each in zip(*ids, strict=True)]

    def parts(self, size: int) -> Iterator["Samples"]:
        """So many at a time."""
        for first in range(0, len(self), size):
            part = Spans(self.rows.records.slice(first, size))
            yield Samples(self.evaluator, self.template_hash, self.probability, self.queued_at, part, self.context)


@dataclass(frozen=True, slots=True)
class Spans:
    """Some public columns of spans. Implements `judge.sources.Rows`."""

    records: pa.RecordBatch

    def __len__(self) -> int:
        return int(self.records.num_rows)

    def column(self, name: str) -> pa.Array:
        """A public column; nulls where it was not kept."""
        held = self.records.schema.get_field_index(name)
        return pa.nulls(len(self), SPANS.column(name).type) if held < 0 else self.records.column(held)


def to_queue(
    rows: Rows, evaluator: Evaluator, probability: float, queued_at: float, context: Rows | None, kept: Sequence[str]
) -> pa.RecordBatch:
    """These spans as samples of an evaluator. `context`: other spans of their traces, of which these columns are kept;
    None: there are none."""
    sources = [source for each in evaluator.variables.values() for source in each if not source.of_trace]
    names = dict.fromkeys([*OF_QUESTIONS, *OF_SPAN, *(source.held_in for source in sources)])
    columns = {name: rows.column(name) for name in names}
    own = (evaluator.name, evaluator.template_hash, probability, queued_at)
    for (name, kind), value in zip(_OWN.items(), own, strict=True):
        columns[name] = pa.repeat(pa.scalar(value, kind), len(rows))
    if context is not None:
        columns[_CONTEXT] = _beside(rows, context, kept)
    return pa.RecordBatch.from_pydict(columns)


def batch_of(parts: Sequence[pa.RecordBatch]) -> Batch:
    """What `to_queue` made, at least one, for the queue."""
    return Batch(Signal.TRACES, JoinedRecords(parts).whole())


def samples_of(batch: Batch) -> list[Samples]:
    """What `batch_of` was given, by evaluator. Raises `ValueError` for anything else."""
    records = batch.records
    if not {*_OWN, *OF_QUESTIONS} <= set(records.schema.names):
        raise ValueError("not samples")
    evaluators = records.column(_EVALUATOR)
    return [_samples(records.filter(pc.equal(evaluators, name))) for name in pc.unique(evaluators)]


def _samples(records: pa.RecordBatch) -> Samples:
    evaluator, template_hash, probability, queued_at = (records.column(name)[0].as_py() for name in _OWN)
    context = records.slice(0, 0)
    if _CONTEXT in records.schema.names:
        context = pa.RecordBatch.from_struct_array(records.column(_CONTEXT).flatten())
    return Samples(evaluator, template_hash, probability, queued_at, Spans(records), Spans(context))


def _beside(rows: Rows, context: Rows, names: Sequence[str]) -> pa.ListArray:
    """For each row the spans of its trace, unless a row before it has them: so a row is a sample, and no span is there
    twice."""
    there: dict[str, list[int]] = {}
    for place, trace in enumerate(context.column("trace_id").to_pylist()):
        there.setdefault(trace, []).append(place)
    found = [there.pop(trace, []) for trace in rows.column("trace_id").to_pylist()]
    offsets = [0]
    for places in found:
        offsets.append(offsets[-1] + len(places))
    taken = pa.array([place for places in found for place in places], pa.int64())
    spans = pa.StructArray.from_arrays([context.column(name).take(taken) for name in names], names=list(names))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), spans)
