"""The daemon's own metrics, counted the cheapest way. Their names are declared in `definitions`.

Recording is a dictionary look-up and an addition; rendering happens when somebody scrapes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

from spanmill.telemetry.definitions import DEFINITIONS, MetricDefinition, MetricType

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only grows. Safe from any thread."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._lock = threading.Lock()

    def add(self, amount: float = 1) -> None:
        with self._lock:
            self.value += amount


class Histogram:
    """Counts of observations by upper bound. Safe from any thread."""

    __slots__ = ("_lock", "bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        index = next((i for i, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        with self._lock:
            self.counts[index] += 1
            self.sum += value

    def read(self) -> tuple[list[int], float]:
        """Counts and sum of the same moment."""
        with self._lock:
            return list(self.counts), self.sum


class Reading(NamedTuple):
    """One series as it is at a moment. `value` is None for histograms, which have `buckets` and `sum` instead."""

    definition: MetricDefinition
    labels: Labels
    value: float | None
    buckets: tuple[int, ...] = ()
    """Observations at or below each bound, and last all of them."""
    sum: float = 0.0


class Metrics:
    """The live values. One for each daemon; components receive it in their `Settings`."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Counter] = {}
        self._observed: dict[tuple[str, Labels], Callable[[], float]] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._families: list[tuple[str, Callable[[], Iterable[tuple[Labels, float]]]]] = []

    def counter(self, name: str, **labels: str) -> Counter:
        """The counter of that name and those labels; made when first asked for. Keep it: the look-up is not free."""
        return self._counters.setdefault((_checked(name, "counter"), tuple(sorted(labels.items()))), Counter())

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Have `read` called at every scrape, in another thread. A read that raises leaves its series out."""
        self._observed[_checked(name, "gauge"), tuple(sorted(labels.items()))] = read

    def gauges(self, name: str, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        """The same for series that come and go: `read` gives all there are, with their labels sorted by name."""
        self._families.append((_checked(name, "gauge"), read))

    def observed_counter(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """A counter that somebody else counts (the operating system): `read` as for a gauge."""
        self._observed[_checked(name, "counter"), tuple(sorted(labels.items()))] = read

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The histogram of that name and those labels, with the bounds of its definition."""
        key = (_checked(name, "histogram"), tuple(sorted(labels.items())))
        return self._histograms.setdefault(key, Histogram(DEFINITIONS[name].buckets))

    def read(self) -> Iterator[Reading]:
        """Every series, in the order of `DEFINITIONS`. Safe beside recording, from any thread."""
        series: dict[str, list[Reading]] = {}
        for (name, labels), counter in list(self._counters.items()):
            series.setdefault(name, []).append(Reading(DEFINITIONS[name], labels, counter.value))
        for (name, labels), read in list(self._observed.items()):
            with suppress(Exception):
                series.setdefault(name, []).append(Reading(DEFINITIONS[name], labels, read()))
        for name, read_all in list(self._families):
            with suppress(Exception):
                found = [Reading(DEFINITIONS[name], labels, value) for labels, value in read_all()]
                series.setdefault(name, []).extend(found)
        for (name, labels), histogram in list(self._histograms.items()):
            counts, total = histogram.read()
            series.setdefault(name, []).append(
                Reading(DEFINITIONS[name], labels, None, tuple(accumulate(counts)), total)
            )
        for name in DEFINITIONS:
            yield from sorted(series.get(name, ()), key=lambda reading: reading.labels)

    def value(self, name: str, **labels: str) -> float:
        """The sum of a counter over every series that has at least these labels: for reports and tests."""
        wanted = set(labels.items())
        return sum(c.value for (n, held), c in self._counters.items() if n == name and wanted <= set(held))


def _checked(name: str, metric_type: MetricType) -> str:
    definition = DEFINITIONS.get(name)
    if definition is None or definition.type != metric_type:
        raise KeyError(f"no {metric_type} named {name}: every metric is declared in telemetry/definitions.py")
    return name
