"""The state of tail sampling: what is pending, what was decided.

It changes by two steps only, which lead to the same state again when they are repeated in the same order: records are
taken in, and passes are applied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.journal import Record, Unreadable
from spanmill.processors.tail_sampling.decided import Decided
from spanmill.processors.tail_sampling.decisions import DROPPED_BY_NONE, Pass, Scores, Snapshot
from spanmill.processors.tail_sampling.held_spans import DONE, Chunk, HeldSpans, take
from spanmill.processors.tail_sampling.sizes import row_sizes
from spanmill.processors.tail_sampling.trace_index import DROPPED, KEPT, PENDING, TraceIndex, trace_ids
from spanmill.sampling import with_kept_share

_NO_PARENT: Final = (b"", bytes(8))


@dataclass(slots=True)
class Counted:
    """What happened since it was last asked for."""

    new_traces: int = 0
    late_kept: int = 0
    """Spans that came after their trace was decided to be kept."""
    late_dropped: int = 0
    scored_late: int = 0
    """Evaluations of traces that were dropped already."""
    unreadable: int = 0
    """Spans that the journal could not give any more."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rows that go out with the next pass."""

    batch: Batch
    rejected: np.ndarray
    policies: np.ndarray
    first: int
    """The record that they came in."""


@dataclass(slots=True)
class Sampler:
    """Not safe from several threads at once."""

    held: HeldSpans
    names: list[str]
    """Of the policies, by number."""
    sizes: bool = False
    """Whether bytes of traces are wanted."""
    index: TraceIndex = field(default_factory=TraceIndex)
    counted: Counted = field(default_factory=Counted)
    upto: int = 0
    """The last record taken in."""
    number: int = 0
    """Of the last pass."""
    scored: int = 0
    """Traces of which evaluations came, and perhaps no span yet."""
    late: list[_Kept] = field(default_factory=list)
    kept: Decided = field(default_factory=Decided)
    dropped: Decided = field(default_factory=Decided)

    # Records.

    def take(self, records: Sequence[Record], *, settled: bool = False) -> None:
        """Take in the next records. `settled`: they were taken in before the snapshot that this state is from.

        Raises `OSError` before anything has changed.
        """
        readable, batches = self._load(records)
        self.upto = records[-1].sequence
        if not readable:
            return
        batch = Batch.concat(batches).whole()
        items = [len(each) for each in batches]
        rows = _Rows.of(batch, readable, items)
        slots = self.index.slots(rows.ids)
        if not settled:
            new = slots < 0
            slots[new] = self.index.add(rows.ids[new])
            self.counted.new_traces += int(new.sum())
        states = np.where(slots >= 0, self.index.state[slots], DROPPED)
        waits = (states == PENDING)[rows.of_row]
        if settled:
            waits &= rows.sequences >= self.index.first_sequence[slots][rows.of_row]
        else:
            self._take_late(batch, rows, slots, states)
        self._note(batch, rows, slots, waits)
        starts = np.concatenate(([0], np.cumsum(items)))
        self.held.add(readable, batch, starts, np.where(waits, slots[rows.of_row], DONE).astype(np.int32))

    def give_up(self, record: Record) -> None:
        """A record that cannot be taken in is passed over."""
        self.counted.unreadable += record.items
        self.upto = record.sequence

    def _load(self, records: Sequence[Record]) -> tuple[list[Record], list[Batch]]:
        readable, batches = [], []
        for record in records:
            try:
                batches.append(record.load())
            except Unreadable:
                self.counted.unreadable += record.items
            else:
                readable.append(record)
        return readable, batches

    def _take_late(self, batch: Batch, rows: "_Rows", slots: np.ndarray, states: np.ndarray) -> None:
        """Spans of traces that are decided share their fate."""
        late = np.flatnonzero((states == KEPT)[rows.of_row])
        self.counted.late_dropped += int(np.count_nonzero((states == DROPPED)[rows.of_row]))
        if len(late):
            self.counted.late_kept += len(late)
            of = slots[rows.of_row[late]]
            self.late.append(
                _Kept(take(batch, late), self.index.rejected[of], self.index.policy[of], int(rows.sequences[late[0]]))
            )

    def _note(self, batch: Batch, rows: "_Rows", slots: np.ndarray, waits: np.ndarray) -> None:
        """What is known of the traces of the rows that wait."""
        index, of_row, places = self.index, rows.of_row[waits], np.flatnonzero(waits)
        if not len(places):
            return
        first, last = np.full((2, len(slots)), -1)
        first[of_row[::-1]], last[of_row] = places[::-1], places
        seen = np.flatnonzero(first >= 0)
        slots, first, last = slots[seen], first[seen], last[seen]
        begins = index.spans[slots] == 0
        index.first_seen[slots[begins]] = rows.appended[first[begins]]
        index.first_sequence[slots[begins]] = rows.sequences[first[begins]]
        index.last_seen[slots] = rows.appended[last]
        index.spans[slots] += np.bincount(of_row, minlength=len(rows.ids))[seen].astype(np.int32)
        roots = np.flatnonzero(waits & _is_root(batch))[::-1]
        root_seen = np.full(len(rows.ids), np.inf)
        root_seen[rows.of_row[roots]] = rows.appended[roots]
        index.root_seen[slots] = np.minimum(index.root_seen[slots], root_seen[seen])
        if self.sizes:
            sizes = np.bincount(of_row, row_sizes(batch)[waits], len(rows.ids))
            index.size[slots] += sizes[seen].astype(np.int64)

    # Passes.

    def apply(self, made: Pass, *, emit: bool) -> Batch | None:
        """Do what a pass says. With `emit`: the rows that are kept by it, and late ones; None when there are none.

        Raises `OSError` before anything has changed.
        """
        known = self.index.slots(made.ids)
        wanted = np.zeros(len(self.index.state) + 1, bool)
        wanted[known[known >= 0]] = True
        found = list(self.held.of(wanted))
        batch = self._rows_kept(made, known, found) if emit else None
        missing = known < 0  # all its rows are done with, and only the decision matters
        known[missing] = self.index.add(made.ids[missing])
        self._settle(made, known)
        self.held.finish(found)
        self.late.clear()
        self.number = made.number
        return batch

    def _rows_kept(self, made: Pass, slots: np.ndarray, found: Iterable[tuple[Chunk, np.ndarray]]) -> Batch | None:
        of_slot = np.full(len(self.index.state) + 1, -1)
        is_kept = (slots >= 0) & (made.policies != DROPPED_BY_NONE)
        of_slot[slots[is_kept]] = np.flatnonzero(is_kept)
        parts = list(self.late)
        for chunk, rows in found:
            wanted = rows[of_slot[chunk.slots[rows]] >= 0]
            read = self.held.read(chunk, wanted) if len(wanted) else None
            if read is not None:
                part, places, sound = read
                traces = of_slot[chunk.slots[sound]]
                parts.append(_Kept(take(part, places), made.rejected[traces], made.policies[traces], 0))
        if not parts:
            return None
        batch = with_kept_share(
            Batch.concat(part.batch for part in parts), np.concatenate([part.rejected for part in parts])
        )
        policies = np.concatenate([part.policies for part in parts])
        # For certain is a weight of 1: who sums up weights need not know that none would mean the same.
        weights = batch.column("sample_weight").fill_null(1.0)
        names = pa.array(self.names, pa.string()).take(pa.array(policies))
        return batch.with_record_columns({"sample_weight": weights, "sampled_by": names})

    def _settle(self, made: Pass, slots: np.ndarray) -> None:
        is_kept = made.policies != DROPPED_BY_NONE
        self.index.state[slots] = np.where(is_kept, KEPT, DROPPED)
        self.index.rejected[slots], self.index.policy[slots] = made.rejected, made.policies
        self.kept.add(slots[is_kept])
        self.dropped.add(slots[~is_kept])
        for decided, count in ((self.kept, made.forgotten_kept), (self.dropped, made.forgotten_dropped)):
            self.index.remove(decided.take(count))

    def score(self, scores: Scores, now: float) -> None:
        """Evaluations came. A trace may be known by them before its first span comes."""
        slots = self.index.slots(scores.ids)
        new = slots < 0
        slots[new] = self.index.add(scores.ids[new])
        self.index.first_seen[slots[new]] = now
        self.scored += int(new.sum())
        self.counted.scored_late += int(np.count_nonzero(self.index.state[slots] == DROPPED))
        np.fmin.at(self.index.lowest_score, slots, scores.scores)
        np.logical_or.at(self.index.negative_feedback, slots, scores.negative)

    def forget_scored(self, before: float) -> None:
        """Forget traces of which evaluations came before this time, and never a span."""
        if not self.scored:
            return
        slots = self.index.in_state(PENDING)
        slots = slots[self.index.spans[slots] == 0]
        is_old = self.index.first_seen[slots] < before
        self.index.remove(slots[is_old])
        self.scored = int(np.count_nonzero(~is_old))

    # What is to be remembered.

    @property
    def pending(self) -> int:
        """Traces that are not decided."""
        return len(self.index) - len(self.kept) - len(self.dropped)

    @property
    def committed(self) -> int:
        """Everything up to this record is done with."""
        firsts = [kept.first for kept in self.late]
        if self.held.first_waiting is not None:
            firsts.append(self.held.first_waiting)
        return min(firsts) - 1 if firsts else self.upto

    def snapshot(self, journal: str, limits: dict[str, object]) -> Snapshot:
        """The state after a pass; there is nothing late then."""
        index, kept, dropped = self.index, self.kept.slots, self.dropped.slots
        pending = index.in_state(PENDING)
        return Snapshot(
            self.number, self.upto, journal, self.names, limits,
            index.ids[kept], index.rejected[kept], index.policy[kept], index.ids[dropped],
            index.ids[pending], index.first_sequence[pending], index.lowest_score[pending],
            index.negative_feedback[pending],
        )  # fmt: skip

    def renumbered(self, made: Pass, names: Sequence[str]) -> Pass:
        """A pass that was made when the policies had these names."""
        return replace(made, policies=self._numbers(names)[made.policies])

    def _numbers(self, names: Sequence[str]) -> np.ndarray:
        """The numbers that policies of these names have here, and behind them the number of none."""
        self.names += [name for name in names if name not in self.names]
        return np.array([*(self.names.index(name) for name in names), DROPPED_BY_NONE], np.int16)

    def restore(self, snapshot: Snapshot, journal: str) -> None:
        """Begin with a snapshot. Of another journal only the decisions matter."""
        numbers = self._numbers(snapshot.names)
        kept, dropped = self.index.add(snapshot.kept), self.index.add(snapshot.dropped)
        self.index.state[kept], self.index.state[dropped] = KEPT, DROPPED
        self.index.rejected[kept], self.index.policy[kept] = snapshot.kept_rejected, numbers[snapshot.kept_policies]
        self.kept.add(kept)
        self.dropped.add(dropped)
        self.number = snapshot.number
        if snapshot.journal == journal:
            self.upto = snapshot.upto
            pending = self.index.add(snapshot.pending)
            self.index.first_sequence[pending] = snapshot.pending_from
            self.index.lowest_score[pending] = snapshot.pending_scores
            self.index.negative_feedback[pending] = snapshot.pending_negative
            self.scored = len(pending)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a batch. Arrays have an element for each, but for `ids`."""

    ids: np.ndarray
    """The distinct traces."""
    of_row: np.ndarray
    sequences: np.ndarray
    appended: np.ndarray

    @classmethod
    def of(cls, batch: Batch, records: Sequence[Record], items: Sequence[int]) -> "_Rows":
        sequences = np.repeat([record.sequence for record in records], items)
        appended = np.repeat([record.appended for record in records], items)
        return cls(*trace_ids(batch), sequences, appended)


def _is_root(batch: Batch) -> np.ndarray:
    """Whether a span has no parent."""
    parents = batch.records.column("parent_span_id")
    absent = pc.is_in(parents, pa.array([*_NO_PARENT, None], parents.type))
    return np.asarray(absent.to_numpy(zero_copy_only=False))
