"""Counts LLM calls, or evaluations: a batch in, families for the page out.

A batch is looked at in columns. What is counted of it is grouped by all labels at once; what a group's series are is
remembered, so that the work is some fixed number of passes over the rows, however many label sets there are.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.combinations import Combinations
from spanmill.exporters.prometheus.llm.config import LlmMetricsConfig
from spanmill.exporters.prometheus.llm.counted import Counted
from spanmill.exporters.prometheus.llm.exemplars import LatestExemplars
from spanmill.exporters.prometheus.llm.families import Definition, Observation
from spanmill.exporters.prometheus.llm.label_values import Texts
from spanmill.exporters.prometheus.llm.spaces import NOWHERE, Parts, Room, Space
from spanmill.exporters.prometheus.llm.subjects import CALLS, Subject
from spanmill.exporters.prometheus.llm.values import NEVER, Counters, Histograms, Ratios, Update
from spanmill.telemetry.exposition import Family, FamilyType, LabelSet, Sample

_ERROR_TYPE: Final = "error_type"
_OTHER_ERROR: Final = "_OTHER"
"""OpenTelemetry's `error.type` of a failure that nobody names."""
_MAX_COMBINATIONS: Final = 65_536
"""How many combinations of all labels are remembered: 100 bytes each."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A family with its values."""

    definition: Definition[Any]
    name: str
    space: int
    values: Counters | Histograms | Ratios


class LlmMetrics:
    """The series of one exporter. Safe from any thread."""

    def __init__(
        self,
        config: LlmMetricsConfig,
        *,
        subject: Subject = CALLS,
        max_lines: int,
        name: Callable[[str, FamilyType], str] = lambda name, _type: name,
        constant: Mapping[str, str] | None = None,
        exemplars: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`subject`: what is counted. `name`: what a family is called. `constant`: labels of every series."""
        self.clock = clock
        self._config, self._subject = config, subject
        self._lock = threading.Lock()
        self._room = Room(max_lines)
        self._constant = dict(constant or {})
        self._exemplars = exemplars
        self._spaces: list[Space] = []
        self._families: list[_Held] = []
        for definition in subject.definitions(config):
            self._add(definition, name(definition.name, definition.type))
        self._observers = {held.definition.observe: None for held in self._families}
        wanted = {label for space in self._spaces for label in space.labels}
        self._labels = [label for label in subject.labels(config) if label.name in wanted]
        self._texts = Texts()
        self._overflowed: Counter[str] = Counter()
        self._overflowed_name = name(subject.overflowed, "counter")
        self._next_purge = clock() + self._purge_seconds
        self._forget()

    # Building.

    def _add(self, definition: Definition[Any], name: str) -> None:
        labels = definition.labels
        if definition.name.startswith("llm_"):
            more = [key for key, label in self._config.labels.items() if label.is_of(definition.name)]
            labels += tuple(key for key in more if key not in labels)
        space = self._space(labels, definition.parts)
        held = _Held(definition, name, space, self._values(definition))
        self._spaces[space].hold(held.values)
        self._families.append(held)

    def _space(self, labels: tuple[str, ...], parts: Parts) -> int:
        for index, space in enumerate(self._spaces):
            if (space.labels, space.parts) == (labels, parts):
                return index
        self._spaces.append(Space(labels, parts, self._constant, self._room))
        return len(self._spaces) - 1

    def _values(self, definition: Definition[Any]) -> Counters | Histograms | Ratios:
        if definition.type == "counter":
            return Counters()
        if definition.type == "gauge":
            return Ratios(self._config.cache_hit_window)
        bounds = definition.buckets
        if isinstance(bounds, str):
            bounds = getattr(self._config.buckets, bounds)
        exemplars = self._exemplars and definition.exemplars
        return Histograms(bounds, LatestExemplars(len(bounds) + 1) if exemplars else None)

    def _forget(self) -> None:
        """What is remembered of combinations can be found out again.

        `_first` has for each space and combination the first series, `_used` when the combination last came.
        """
        self._combinations = Combinations([label.bits for label in self._labels])
        self._first = np.full((len(self._spaces), 64), NOWHERE)
        self._used = np.full(64, NEVER)

    # Counting.

    def consume(self, batch: Batch) -> int:
        """Count what there is in a batch, all or, when it raises, nothing of it.

        How many of them lack a series, because the page is full.
        """
        calls = self._subject.read(batch)
        if not calls.count or not self._spaces:
            return 0
        with self._lock:
            now = self.clock()
            self._purge(now, when_due=True)
            first, overflowed = self._locate(calls, now)
            told = {observe: observe(calls) for observe in self._observers}
            updates = [
                update
                for held in self._families
                for update in self._updates(held, calls, told[held.definition.observe], first[held.space], now)
            ]
            # All that may fail has been done.
            for update in updates:
                update()
            self._overflowed += overflowed
        return int((first == NOWHERE).any(axis=0).sum()) if self._room.refused else 0

    def _locate(self, calls: Counted, now: float) -> tuple[np.ndarray, Counter[str]]:
        """For each space and each call its first series; and how many calls have a label's value as `other`."""
        if self._combinations.held > _MAX_COMBINATIONS:
            self._forget()
        columns, overflowed = self._numbered(calls, now)
        try:
            known = len(self._combinations)
            numbers, new = self._combinations.numbers(columns, calls.count)
            if len(new):
                self._learn(known, columns, new)
        except BaseException:
            self._forget()
            raise
        self._used[numbers] = now
        return self._first.take(numbers, axis=1), overflowed

    def _numbered(self, calls: Counted, now: float) -> tuple[list[np.ndarray | None], Counter[str]]:
        """For each label the number of each call's value, None for all missing."""
        if self._texts.is_full:
            self._texts.forget()
            for label in self._labels:
                label.forget_texts()
        columns = [calls.text(label.source) for label in self._labels]
        distinct = {id(column): column for column in columns if column is not None}
        rows = dict(zip(distinct, self._texts.numbers(list(distinct.values())), strict=True)) if distinct else {}
        overflowed: Counter[str] = Counter()
        numbered: list[np.ndarray | None] = []
        for label, column in zip(self._labels, columns, strict=True):
            numbers = None
            if column is not None:
                numbers, over = label.numbers(rows[id(column)], self._texts, now)
                if over:
                    overflowed[label.name] = over
            if label.name == _ERROR_TYPE and calls.failed.any():
                known = np.zeros(calls.count, np.int64) if numbers is None else numbers
                numbers = np.where(calls.failed & (known == 0), label.number(_OTHER_ERROR), known)
            numbered.append(numbers)
        return numbered, overflowed

    def _learn(self, known: int, columns: list[np.ndarray | None], new: np.ndarray) -> None:
        """Find the series of combinations not seen before, each of which a row in `new` has."""
        missing = known + len(new) - self._first.shape[1]
        if missing > 0:
            wider = np.full((len(self._spaces), max(missing, known)), NOWHERE)
            self._first = np.concatenate((self._first, wider), axis=1)
            self._used = np.concatenate((self._used, np.full(wider.shape[1], NEVER)))
        texts: dict[str, list[str]] = {}
        for label, column in zip(self._labels, columns, strict=True):
            numbers = [0] * len(new) if column is None else column[new].tolist()
            texts[label.name] = [label.values[number] for number in numbers]
        sets = [list(zip(*(texts[label] for label in space.labels), strict=True)) for space in self._spaces]
        for combination in range(len(new)):
            self._first[:, known + combination] = [
                space.series(sets[index][combination]) for index, space in enumerate(self._spaces)
            ]

    def _updates(
        self, held: _Held, calls: Counted, observation: Observation | None, series: np.ndarray, now: float
    ) -> Iterator[Update]:
        """What `observation` changes. `series`: the first one of each call."""
        if held.definition.starts_at_zero:
            for part in range(self._spaces[held.space].width):
                yield held.values.show(series + part, now)
        if observation is None:
            return
        weights = calls.weight if held.definition.weighted else np.ones(calls.count)
        if observation.rows is not None:
            series, weights = series[observation.rows], weights[observation.rows]
        series = series + observation.part
        yield _prepared(held.values, series, observation, weights, now)
        if isinstance(held.values, Histograms) and held.values.exemplars is not None:
            yield _marked(held.values, held.values.exemplars, series, observation, calls)

    # Showing.

    def families(self) -> list[Family]:
        """What is on the page now."""
        with self._lock:
            now = self.clock()
            self._purge(now)
            found = [self._family(held, now) for held in self._families]
            if self._overflowed:
                found.append(self._overflow_family())
            return found

    def _family(self, held: _Held, now: float) -> Family:
        space, definition = self._spaces[held.space], held.definition
        series = space.shown(held.values)
        labels = [space.label_sets[one] for one in series.tolist()]
        samples = _Samples(held.values.samples(series, labels, now))
        return Family(held.name, definition.type, definition.help, samples, definition.unit)

    def _overflow_family(self) -> Family:
        samples = [
            Sample("", LabelSet(sorted((self._constant | {"label": label}).items())), count)
            for label, count in sorted(self._overflowed.items())
        ]
        return Family(self._overflowed_name, "counter", self._subject.overflowed_help, samples)

    @property
    def lines(self) -> int:
        """How many lines of the page the series take."""
        with self._lock:
            return sum(len(self._spaces[held.space].shown(held.values)) * held.values.lines for held in self._families)

    # Forgetting.

    @property
    def _purge_seconds(self) -> float:
        return max(1.0, self._config.idle_expiration / 4)

    def _purge(self, now: float, *, when_due: bool = False) -> None:
        """Remove what has been idle for too long; with `when_due` not more often than needed."""
        if when_due and now < self._next_purge:
            return
        self._next_purge = now + self._purge_seconds
        oldest = now - self._config.idle_expiration
        used = self._first[:, self._used >= oldest]
        changed = [space.expire(oldest, first) for space, first in zip(self._spaces, used, strict=True)]
        changed += [label.forget(oldest) for label in self._labels]
        if any(changed):
            self._forget()


@dataclass(frozen=True, slots=True)
class _Samples:
    """Lines that are made when they are asked for."""

    make: Callable[[], list[Sample]]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.make())


def _prepared(
    values: Counters | Histograms | Ratios,
    series: np.ndarray,
    observation: Observation,
    weights: np.ndarray,
    now: float,
) -> Update:
    if isinstance(values, Ratios):
        assert observation.wholes is not None
        return values.prepare(series, observation.values, observation.wholes, weights, now)
    return values.prepare(series, observation.values, weights, now)


def _marked(
    values: Histograms, exemplars: LatestExemplars, series: np.ndarray, observation: Observation, calls: Counted
) -> Update:
    """Remember the trace ids of what was observed."""
    rows, ids = calls.trace_ids()
    if observation.rows is not None:
        of_call = np.full(calls.count, -1)
        of_call[rows] = np.arange(len(rows))
        chosen = np.flatnonzero(of_call[observation.rows] >= 0)
        rows = observation.rows[chosen]
        ids = ids[of_call[rows]]
    else:
        chosen = rows
    observed = observation.values[chosen]
    return partial(exemplars.put, series[chosen], values.bucket(observed), ids, observed, calls.end_ns[rows])
