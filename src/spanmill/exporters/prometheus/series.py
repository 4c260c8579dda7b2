"""The store of series: the last value of each, under Prometheus names and labels, within a bound.

Whoever changes it, or takes a snapshot, holds `lock`. A snapshot is read without it: points are replaced, not changed.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from spanmill.exporters.prometheus.labels import Pairs
from spanmill.exporters.prometheus.values import Exemplars, Value
from spanmill.telemetry.exposition import Family, FamilyType, LabelSet, Sample

INFOS: Final = {"target_info": "Attributes of the resource.", "otel_scope_info": "Attributes of the scope."}
"""Families of value 1 that only tell labels. No metric may have their names."""


class Point(NamedTuple):
    """What a series holds."""

    value: Value
    time_ns: int
    exemplars: Exemplars


@dataclass(slots=True, eq=False)
class Series:
    """One set of labels in a family."""

    labels: LabelSet
    point: Point
    is_delta: bool
    """Whether the value is added up here."""
    updated: float
    """When the last point came in, by the store's clock."""
    alive: bool = True


@dataclass(slots=True, eq=False)
class Held:
    """A family and its series."""

    family: Family
    series: dict[Pairs, Series] = field(default_factory=dict)


class Full(Exception):  # noqa: N818 - the store's answer, not a fault
    """There is no room for the lines that a series takes."""


class Store:
    """Series by family. `max_lines` bounds the page's samples: what Prometheus calls series."""

    def __init__(self, max_lines: int, expiration_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.Lock()
        self.clock = clock
        self.lines = 0
        self.generation = 0
        """Goes up when series or families were removed: what is remembered about them elsewhere is out of date."""
        self._max_lines = max_lines
        self._expiration = expiration_seconds
        self._families: dict[str, Held] = {}
        self._owners: dict[str, str] = dict.fromkeys(INFOS, "")
        self._infos: dict[tuple[str, Pairs], tuple[Pairs, float]] = {}
        self._next_purge = clock() + self._purge_seconds

    @property
    def _purge_seconds(self) -> float:
        return max(1.0, self._expiration / 4)

    def family(self, name: str, kind: FamilyType, help_text: str, unit: str) -> Held | None:
        """The family of that name, made if need be; None when a family of another type holds one of its names.

        Raises `Full` when there are as many families as there may be lines.
        """
        held = self._families.get(name)
        if held is not None:
            return held if held.family.type == kind else None
        family = Family(name, kind, help_text, (), unit)
        if any(claim in self._owners for claim in family.claims()):
            return None
        if len(self._families) >= self._max_lines:
            raise Full
        self._families[name] = held = Held(family)
        self._owners.update(dict.fromkeys(family.claims(), name))
        return held

    def put(self, held: Held, labels: Pairs, point: Point, is_delta: bool) -> Series:
        """Set the point of a series, which is made if need be. Raises `Full`; nothing is changed then."""
        series = held.series.get(labels)
        more = point.value.lines - (series.point.value.lines if series is not None else 0)
        self._take(more)
        if series is None:
            held.series[labels] = series = Series(LabelSet(labels), point, is_delta, self.clock())
        else:
            series.point, series.is_delta, series.updated = point, is_delta, self.clock()
        return series

    def remove(self, held: Held, labels: Pairs) -> None:
        """Forget a series at once; none of that name is fine."""
        series = held.series.pop(labels, None)
        if series is not None:
            series.alive = False
            self.lines -= series.point.value.lines

    def inform(self, name: str, identity: Pairs, labels: Pairs) -> None:
        """Serve `name{labels} 1` for as long as it is repeated; the newest labels of an `identity` stand."""
        key = (name, identity)
        if key not in self._infos:
            try:
                self._take(1)
            except Full:
                return
        self._infos[key] = labels, self.clock()

    def _take(self, lines: int) -> None:
        if lines > 0 and self.lines + lines > self._max_lines:
            raise Full
        self.lines += lines

    def purge(self, *, when_due: bool = False) -> None:
        """Remove what has expired; with `when_due` not more often than needed."""
        now = self.clock()
        if when_due and now < self._next_purge:
            return
        self._next_purge = now + self._purge_seconds
        oldest = now - self._expiration
        before = self.lines
        for name, held in list(self._families.items()):
            for labels in [labels for labels, series in held.series.items() if series.updated < oldest]:
                self.remove(held, labels)
            if not held.series:
                del self._families[name]
                for claim in held.family.claims():
                    del self._owners[claim]
                self.generation += 1
        for key in [key for key, (_, updated) in self._infos.items() if updated < oldest]:
            del self._infos[key]
            self.lines -= 1
        self.generation += self.lines < before

    def snapshot(self, timestamps: bool) -> list[Family]:
        """Families as they are now. Their samples are made when asked for, which needs no lock."""
        found = [
            replace(held.family, samples=_Samples(list(held.series.values()), timestamps))
            for held in self._families.values()
        ]
        for name, text in INFOS.items():
            sets = [labels for (family, _), (labels, _) in self._infos.items() if family == name]
            found.append(Family(name, "info", text, [Sample("", LabelSet(labels), 1) for labels in sets]))
        return found


@dataclass(frozen=True, slots=True)
class _Samples:
    """The lines of some series."""

    series: list[Series]
    timestamps: bool

    def __iter__(self) -> Iterator[Sample]:
        for one in self.series:
            value, time_ns, exemplars = one.point
            yield from value.samples(one.labels, time_ns if self.timestamps and time_ns else None, exemplars)
