"""The daemon's own metrics: every name there is, what it means, and the cheapest way to count.

Names are the Collector's (reference: OpenTelemetry Collector "internal telemetry"), so that dashboards and alerts made
for it work unchanged. Recording is a dictionary look-up and an addition; rendering happens when somebody scrapes.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric: `name` without a type suffix, `type`, `help`, and for histograms the bucket bounds."""

    name: str
    type: MetricType
    help: str
    buckets: tuple[float, ...] = ()


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


DURATION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZE_BUCKETS = (1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0)

_ITEMS = {"spans": "spans", "metric_points": "metric points", "log_records": "log records"}


def _definitions() -> Iterator[MetricDefinition]:
    for item, words in _ITEMS.items():
        yield MetricDefinition(f"otelcol_receiver_accepted_{item}", "counter", f"Number of {words} taken into the pipelines.")
        yield MetricDefinition(
            f"otelcol_receiver_refused_{item}", "counter", f"Number of {words} not taken; the sender was told to try again or never."
        )
        yield MetricDefinition(f"otelcol_receiver_failed_{item}", "counter", f"Number of {words} lost by a fault of the collector.")
        yield MetricDefinition(f"otelcol_exporter_sent_{item}", "counter", f"Number of {words} delivered.")
        yield MetricDefinition(f"otelcol_exporter_send_failed_{item}", "counter", f"Number of {words} given up for good.")
        yield MetricDefinition(f"otelcol_exporter_enqueue_failed_{item}", "counter", f"Number of {words} refused by a full journal.")
        yield MetricDefinition(f"otelcol_processor_memory_limiter_accepted_{item}", "counter", f"Number of {words} let in.")
        yield MetricDefinition(f"otelcol_processor_memory_limiter_refused_{item}", "counter", f"Number of {words} refused to save memory.")
    yield MetricDefinition("otelcol_receiver_requests", "counter", "Number of requests by outcome: accepted, partial, refused, rejected.")
    yield MetricDefinition("otelcol_processor_incoming_items", "counter", "Number of items handed to the processor.")
    yield MetricDefinition("otelcol_processor_outgoing_items", "counter", "Number of items that left the processor.")
    yield MetricDefinition(
        "otelcol_processor_internal_duration", "histogram", "Seconds of one call of the processor.", DURATION_BUCKETS
    )
    yield MetricDefinition("otelcol_exporter_queue_size", "gauge", "Bytes held in the journal for the exporter.")
    yield MetricDefinition("otelcol_exporter_queue_capacity", "gauge", "Bytes the journal may hold.")
    yield MetricDefinition("otelcol_exporter_in_flight_requests", "gauge", "Number of exports under way.")
    yield MetricDefinition("otelcol_exporter_queue_batch_send_size", "histogram", "Items handed to the exporter at once.", SIZE_BUCKETS)
    yield MetricDefinition("otelcol_process_uptime", "counter", "Seconds since the process started.")
    yield MetricDefinition("otelcol_process_cpu_seconds", "counter", "CPU seconds used, user and system.")
    yield MetricDefinition("otelcol_process_memory_rss", "gauge", "Resident memory in bytes.")
    yield MetricDefinition("spanmill_intake_batch_requests", "histogram", "Requests worked on together.", SIZE_BUCKETS)
    yield MetricDefinition("spanmill_intake_batch_duration", "histogram", "Seconds from taking a batch to its acknowledgement.", DURATION_BUCKETS)
    yield MetricDefinition("spanmill_intake_in_flight_bytes", "gauge", "Bytes of requests received and not yet answered.")
    yield MetricDefinition("spanmill_exporter_export_duration", "histogram", "Seconds of one export.", DURATION_BUCKETS)


DEFINITIONS: dict[str, MetricDefinition] = {definition.name: definition for definition in _definitions()}


class Metrics:
    """The live values. One for each daemon; components receive it in their `Settings`."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Counter] = {}
        self._gauges: dict[tuple[str, Labels], Callable[[], float]] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}

    def counter(self, name: str, **labels: str) -> Counter:
        """The counter of that name and those labels; made when first asked for. Keep it: the look-up is not free."""
        return self._counters.setdefault((_checked(name, "counter"), tuple(sorted(labels.items()))), Counter())

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Have `read` called at every scrape."""
        self._gauges[_checked(name, "gauge"), tuple(sorted(labels.items()))] = read

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The histogram of that name and those labels, with the bounds of its definition."""
        key = (_checked(name, "histogram"), tuple(sorted(labels.items())))
        return self._histograms.setdefault(key, Histogram(DEFINITIONS[name].buckets))

    def value(self, name: str, **labels: str) -> float:
        """The sum of a counter over every series that has at least these labels: for reports and tests."""
        wanted = set(labels.items())
        return sum(c.value for (n, held), c in self._counters.items() if n == name and wanted <= set(held))


def _checked(name: str, metric_type: MetricType) -> str:
    definition = DEFINITIONS.get(name)
    if definition is None or definition.type != metric_type:
        raise KeyError(f"no {metric_type} named {name}: every metric is declared in telemetry/metrics.py")
    return name
