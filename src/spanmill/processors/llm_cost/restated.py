"""Which calls count: each once, however many spans tell of it.

A span that restates calls below it (an agent or a wrapper that is typed as a call) is not counted, and nor is a second
report of a call under the same response id, by a gateway beside the SDK, say. Of two spans that tell of one call, the
one with usage counts; of two with usage, the inner one if it comes first or together with the other, as it does where
spans are sent when they end; else the one that came first, since that has been counted already.

Two limits. Spans are remembered for a while only (`Remembered`). And a wrapper is recognised by the chain of parents
down to the call: a span between the two has to come before the later of them.
"""

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np

from spanmill.processors.llm_cost.remembered import Remembered

NO_CALL, COUNTED, RESTATED, DUPLICATE = 0, 1, 2, 4
"""Verdicts. They are bits of what is remembered of a span, among these:"""
_USED, _BELOW, _USED_BELOW, _SEEN, _CALL = 8, 16, 32, 64, 128
"""It has usage; a counted call is below it, or one with usage; it has come itself, not only a child; as a call."""
_PARENT, _OWNER, _START = 0, 0, 1
"""Numbers of the values that are remembered of a span, and of a response id."""
_VERDICT: Final = COUNTED | RESTATED | DUPLICATE
_MARKS: Final = _BELOW | _USED_BELOW
_DEEPEST: Final = 64
"""Levels of parents that are looked up."""
_MOST_ROWS: Final = 16_384
_SPANS_SHARE: Final = 0.75
"""Of the memory; the rest is for response ids."""


@dataclass(frozen=True, slots=True)
class Spans:
    """All spans of a batch, calls or not; an element for each."""

    keys: np.ndarray
    """uint64, see `identity`; 0 for a span without an id, which is always counted."""
    parents: np.ndarray
    """The same for the parent; 0 for none."""
    is_call: np.ndarray
    """bool: typed as a call of a model."""
    has_usage: np.ndarray
    """bool"""
    responses: np.ndarray
    """uint64: the response id; 0 for none."""
    starts: np.ndarray
    """int64: nanoseconds since 1970."""

    def slice(self, first: int, last: int) -> "Spans":
        columns = (self.keys, self.parents, self.is_call, self.has_usage, self.responses, self.starts)
        return Spans(*(column[first:last] for column in columns))


class Ledger:
    """Remembers which calls were counted. Safe from any thread; batches are judged one after the other."""

    def __init__(self, max_bytes: int, duplicate_window_seconds: float) -> None:
        spans_bytes = int(max_bytes * _SPANS_SHARE)
        # Of each span its parent; of each response id the span that counts for it, and when that began.
        self._spans = Remembered(spans_bytes, values=1)
        self._responses = Remembered(max_bytes - spans_bytes, values=2)
        self._window = int(duplicate_window_seconds * 1e9)
        # So few that no bucket runs over with the spans of one step.
        self._rows_at_once = max(1, min(_MOST_ROWS, self._spans.buckets // 8))
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that it takes at most."""
        return self._spans.nbytes + self._responses.nbytes

    def judge(self, spans: Spans) -> np.ndarray:
        """The verdict (uint8) on each span. One that was judged before gets the same again."""
        step = self._rows_at_once
        with self._lock:
            parts = [self._judge(spans.slice(first, first + step)) for first in range(0, len(spans.keys), step)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8)

    def _judge(self, spans: Spans) -> np.ndarray:
        verdicts = np.where(spans.is_call, COUNTED, NO_CALL).astype(np.uint8)
        places = np.full(len(spans.keys), -1)
        named = spans.keys.nonzero()[0]
        places[named] = self._spans.add(spans.keys[named])[0]
        held = np.flatnonzero(places >= 0)
        sources, rows, opened = self._arrive(spans, places, held)
        if len(sources):
            climb = _Climb(self._spans, sources)
            self._decide(climb, opened.nonzero()[0])
            self._find_duplicates(spans, sources[opened], rows[opened])
        calls = held[spans.is_call[held]]
        verdicts[calls] = self._spans.flags(places[calls]) & _VERDICT
        if len(sources):
            self._mark_unseen(climb)
        return verdicts

    def _arrive(self, spans: Spans, places: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Note the spans. Returns the places from which to look upwards, their rows, and which are new calls.

        A span that is there twice has its place twice, which changes nothing: what is noted are bits.
        """
        at = places[held]
        before = self._spans.flags(at)
        self._spans.set_value(at, _PARENT, np.where(spans.parents[held] == spans.keys[held], 0, spans.parents[held]))
        is_call, has_usage = spans.is_call[held], spans.has_usage[held]
        opens = is_call & (before & _CALL == 0)
        # A child came before, and could not tell whose parent this is.
        links = (before & _SEEN == 0) & (before & _MARKS != 0)
        self._spans.set_flags(at, _SEEN)
        self._spans.set_flags(at[opens], _CALL)
        self._spans.set_flags(at[opens & has_usage], _USED)
        chosen = np.flatnonzero(opens | links)
        return at[chosen], held[chosen], opens[chosen]

    def _decide(self, climb: "_Climb", opened: np.ndarray) -> None:
        """The verdict on the new calls, which are `opened` among the sources."""
        spans, sources, who, above = self._spans, climb.sources, climb.who, climb.above
        known = spans.flags(sources)
        used = known & _USED != 0
        undecided = np.zeros(len(sources), dtype=bool)
        undecided[opened] = True

        def settle(condition: np.ndarray, verdict: int) -> None:
            chosen = undecided & condition
            spans.set_flags(sources[chosen], verdict)
            undecided[chosen] = False

        def covered() -> np.ndarray:
            """Sources below a counted call that tells at least as much."""
            flags = spans.flags(above)
            accounted = flags & (COUNTED | DUPLICATE) != 0
            return climb.any_edge(accounted & ((flags & _USED != 0) | ~used[who]))

        def has(flag: int) -> np.ndarray:
            return np.asarray(spans.flags(sources) & flag != 0)

        for mark in (_BELOW, _USED_BELOW):
            marked = known & mark != 0
            if marked.any():
                spans.set_flags(above[marked[who]], mark)
        if len(who):
            settle(covered(), RESTATED)
            spans.set_flags(above[(undecided & used)[who]], _MARKS)
        settle(has(_USED_BELOW), RESTATED)
        settle(used, COUNTED)
        if not undecided.any():
            return
        settle(covered(), RESTATED)
        spans.set_flags(above[undecided[who]], _BELOW)
        settle(has(_BELOW), RESTATED)
        settle(undecided, COUNTED)

    def _mark_unseen(self, climb: "_Climb") -> None:
        """Leave word for parents that have not come yet."""
        if not len(climb.gap_who):
            return
        flags = self._spans.flags(climb.sources)
        counted = flags & (COUNTED | DUPLICATE) != 0
        marks = flags & _MARKS
        marks = np.where(counted, marks | _BELOW, marks)
        marks = np.where(counted & (flags & _USED != 0), marks | _USED_BELOW, marks)[climb.gap_who]
        told = marks != 0
        if not told.any():
            return
        places, _ = self._spans.add(climb.gap_keys[told])
        for mark in (_BELOW, _USED_BELOW):
            chosen = places[(marks[told] & mark != 0) & (places >= 0)]
            self._spans.set_flags(chosen, mark)

    def _find_duplicates(self, spans: Spans, places: np.ndarray, rows: np.ndarray) -> None:
        """Of the new calls that count so far, those that were reported by another span already, or are twice here."""
        tell = (self._spans.flags(places) & COUNTED != 0) & (spans.responses[rows] != 0)
        places, rows = places[tell], rows[tell]
        if not len(rows):
            return
        ids, starts, used = spans.responses[rows], spans.starts[rows], spans.has_usage[rows]
        keys = spans.keys[rows]
        repeated = self._repeated_here(ids, starts, used, keys)
        held, new = self._responses.add(ids)
        repeated |= ~new & (held >= 0) & self._reported(held, starts, used, keys)
        self._spans.toggle_flags(places[repeated], COUNTED | DUPLICATE)
        owners = np.flatnonzero(~repeated & (held >= 0))
        held = held[owners]
        self._responses.set_value(held, _OWNER, keys[owners])
        self._responses.set_value(held, _START, starts[owners].view(np.uint64))
        self._responses.set_flags(held[used[owners]], _USED)

    def _reported(self, held: np.ndarray, starts: np.ndarray, used: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Where another span owns the response id and tells at least as much of the same call."""
        responses = self._responses
        owner, start = responses.value(held, _OWNER), responses.value(held, _START).view(np.int64)
        near = np.abs(starts - start) <= self._window
        return np.asarray((owner != keys) & near & ((responses.flags(held) & _USED != 0) | ~used))

    def _repeated_here(self, ids: np.ndarray, starts: np.ndarray, used: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """All but the first with an id, where one with usage is before one without."""
        repeated = np.zeros(len(ids), dtype=bool)
        ordered = np.sort(ids)
        if not (ordered[1:] == ordered[:-1]).any():
            return repeated
        order = np.lexsort((starts, ~used, ids))
        numbers = np.arange(len(ids))
        is_first = np.ones(len(ids), dtype=bool)
        is_first[1:] = ids[order][1:] != ids[order][:-1]
        leaders = order[np.maximum.accumulate(np.where(is_first, numbers, 0))]
        near = np.abs(starts[order] - starts[leaders]) <= self._window
        repeated[order] = near & (keys[order] != keys[leaders])
        return repeated


class _Climb:
    """The remembered ancestors of spans: pairs of a source's number (`who`) and an ancestor's place (`above`), and
    where chains end in a span that has not come: (`gap_who`, `gap_keys`)."""

    def __init__(self, spans: Remembered, sources: np.ndarray) -> None:
        self.sources = sources
        who, at = np.arange(len(sources)), sources
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        gaps: list[tuple[np.ndarray, np.ndarray]] = []
        for _ in range(_DEEPEST):
            keys = spans.value(at, _PARENT)
            has_parent = keys != 0
            if not has_parent.all():
                who, keys = who[has_parent], keys[has_parent]
            if not len(who):
                break
            at = spans.find(keys)
            missing = at < 0
            if missing.any():
                gaps.append((who[missing], keys[missing]))
            known = ~missing & (at != sources[who])
            who, at = who[known], at[known]
            pairs.append((who, at))
        self.who, self.above = _joined(pairs, np.int64)
        self.gap_who, self.gap_keys = _joined(gaps, np.uint64)

    def any_edge(self, chosen: np.ndarray) -> np.ndarray:
        """For each source, whether any of its pairs is chosen."""
        result = np.zeros(len(self.sources), dtype=bool)
        result[self.who[chosen]] = True
        return result


def _joined(pairs: list[tuple[np.ndarray, np.ndarray]], kind: type[np.generic]) -> tuple[np.ndarray, np.ndarray]:
    if not pairs:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=kind)
    return np.concatenate([who for who, _ in pairs]), np.concatenate([values for _, values in pairs])
