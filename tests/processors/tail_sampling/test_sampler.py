"""The state of tail sampling against a plain model, and against itself after a crash."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanmill.batch import Batch
from spanmill.journal import Packed, Record, Unreadable
from spanmill.processors.tail_sampling.decisions import Pass, Snapshot, decode, encode
from spanmill.processors.tail_sampling.held_spans import HeldSpans
from spanmill.processors.tail_sampling.sampler import Sampler
from spanmill.processors.tail_sampling.trace_index import PENDING
from tests.data import batch_of

NAMES = ["errors", "rest"]
RECORDS = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=12)
"""Of each record, the traces of its spans."""
CHOICES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2**6 - 1), st.integers(0, 2**6 - 1)), max_size=12)
"""Steps: so many records are taken in, then of the pending traces those in the first set are decided, and those of
these in the second set kept."""


class Forgetful:
    """Gives a record while the journal has it."""

    def __init__(self) -> None:
        self.forgotten = 0

    def load(self, sequence: int, batch: Batch) -> Batch:
        if sequence <= self.forgotten:
            raise Unreadable(f"{sequence} is gone")
        return batch


def record(sequence: int, traces: list[int], journal: Forgetful | None = None) -> Record:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for place, trace in enumerate(traces):
        parent = b"" if place % 2 else b"\1" * 8
        scope.spans.add(
            trace_id=trace.to_bytes(16), span_id=(100 * sequence + place).to_bytes(8), parent_span_id=parent, name="s"
        )
    batch = batch_of(request)
    load = partial((journal or Forgetful()).load, sequence, batch)
    return Record(sequence, float(sequence), Packed(len(batch), batch.nbytes, load, ()))


def span_ids(batch: Batch | None) -> list[int]:
    return [] if batch is None else sorted(int(text, 16) for text in batch.column("span_id").to_pylist())


def numbers(sampler: Sampler, slots: np.ndarray) -> list[int]:
    return [int(number) for number in sampler.index.ids[slots, 1]]


def a_pass(sampler: Sampler, decided: int, kept: int, cache: int) -> Pass:
    """Decides the pending traces whose bit is in `decided`, and keeps those whose bit is in `kept`."""
    slots = np.array([s for s in sampler.index.in_state(PENDING) if decided >> int(sampler.index.ids[s, 1]) & 1], int)
    keeps = np.array([bool(kept >> number & 1) for number in numbers(sampler, slots)], bool)
    return Pass(
        sampler.number + 1, sampler.upto, sampler.index.ids[slots], np.full(len(slots), 1 << 55, np.uint64),
        np.where(keeps, 1, -1).astype(np.int16), max(0, len(sampler.kept) + int(keeps.sum()) - cache),
        max(0, len(sampler.dropped) + int((~keeps).sum()) - cache), {},
    )  # fmt: skip


def state(sampler: Sampler) -> object:
    """Everything that matters of the state, in a form that compares."""
    index = sampler.index
    known = sorted(
        (int(index.ids[s, 1]), int(index.state[s]), int(index.spans[s]) if index.state[s] == PENDING else 0)
        for s in np.flatnonzero(index.state)
    )
    waiting = sorted((r.sequence, place) for r, place in held_rows(sampler))
    return known, waiting, numbers(sampler, sampler.kept.slots), numbers(sampler, sampler.dropped.slots), sampler.upto


def held_rows(sampler: Sampler) -> list[tuple[Record, int]]:
    rows = []
    for chunk in sampler.held.chunks:
        for row in np.flatnonzero(chunk.slots >= 0):
            at = int(np.searchsorted(chunk.starts, row, side="right")) - 1
            rows.append((chunk.records[at], int(row - chunk.starts[at])))
    return rows


@dataclass
class Model:
    """What should be, span by span."""

    pending: dict[int, list[int]] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)

    def take(self, sequence: int, traces: list[int]) -> None:
        for place, trace in enumerate(traces):
            if trace in self.kept:
                self.late.append(100 * sequence + place)
            elif trace not in self.dropped:
                self.pending.setdefault(trace, []).append(100 * sequence + place)

    def apply(self, made: Pass) -> list[int]:
        out, self.late = self.late, []
        for (_, trace), policy in zip(made.ids.tolist(), made.policies.tolist(), strict=True):
            spans = self.pending.pop(trace)
            out += spans if policy >= 0 else []
            (self.kept if policy >= 0 else self.dropped).append(trace)
        del self.kept[: made.forgotten_kept], self.dropped[: made.forgotten_dropped]
        return sorted(out)


@given(RECORDS, CHOICES, st.sampled_from([0, 3_000, 10**9]), st.integers(0, 3))
@example([[1], [2], [3]], [(2, 1, 0), (1, 2, 2)], 0, 3)
@settings(max_examples=80, deadline=None)
def test_every_span_goes_out_with_its_trace_or_not_at_all_whatever_memory_there_is(
    records: list[list[int]], choices: list[tuple[int, int, int]], memory: int, cache: int
) -> None:
    sampler, model, sequence, journal = Sampler(HeldSpans(memory), list(NAMES)), Model(), 0, Forgetful()
    for count, decided, kept in choices:
        taken = records[sequence : sequence + count]
        if taken:
            sampler.take([record(sequence + 1 + place, traces, journal) for place, traces in enumerate(taken)])
        for traces in taken:
            sequence += 1
            model.take(sequence, traces)
        made = a_pass(sampler, decided << 1, kept << 1, cache)
        out = sampler.apply(made, emit=True)
        assert span_ids(out) == model.apply(made)
        if out is not None:
            assert set(out.column("sampled_by").to_pylist()) == {"rest"}
            assert set(out.column("sample_weight").to_pylist()) == {2.0}
        waiting = [r.sequence for r, _ in held_rows(sampler)]
        assert sampler.committed == (min(waiting) - 1 if waiting else sampler.upto)
        assert sampler.held.rows == len(waiting) == sum(map(len, model.pending.values()))
        assert sampler.pending == len(model.pending)
        journal.forgotten = sampler.committed


@given(RECORDS, CHOICES, st.integers(0, 12), st.integers(0, 12), st.integers(0, 3))
@example([[1], [2], [2]], [(2, 2, 0), (1, 0, 0)], 1, 1, 0)
@settings(max_examples=80, deadline=None)
def test_a_sampler_that_begins_with_a_snapshot_and_repeats_the_passes_is_as_it_was(
    records: list[list[int]], choices: list[tuple[int, int, int]], snapshot_at: int, committed_at: int, cache: int
) -> None:
    """The cursor may be anywhere between what the snapshot and what the end would allow."""
    sampler, sequence = Sampler(HeldSpans(10**9), list(NAMES)), 0
    snapshot, passes, cursor = sampler.snapshot("journal", {}), list[Pass](), 0
    for step, (count, decided, kept) in enumerate(choices):
        taken = records[sequence : sequence + count]
        if taken:
            sampler.take([record(sequence + 1 + place, traces) for place, traces in enumerate(taken)])
        sequence += len(taken)
        passes.append(a_pass(sampler, decided << 1, kept << 1, cache))
        sampler.apply(passes[-1], emit=False)
        if step <= committed_at:
            cursor = sampler.committed
        if step == snapshot_at:
            written = decode(encode(sampler.snapshot("journal", {})))
            assert isinstance(written, Snapshot)
            snapshot, passes = written, []
    again = Sampler(HeldSpans(0), list(NAMES))
    again.restore(snapshot, "journal")
    left = [record(number, traces) for number, traces in enumerate(records[:sequence], 1) if number > cursor]
    for upto, settled in [(snapshot.upto, True), *((made.upto, False) for made in passes)]:
        now, left = [r for r in left if r.sequence <= upto], [r for r in left if r.sequence > upto]
        if now:
            again.take(now, settled=settled)
        if not settled:
            again.apply(passes.pop(0), emit=False)
    again.upto = max(again.upto, cursor)
    assert state(again) == state(sampler)
