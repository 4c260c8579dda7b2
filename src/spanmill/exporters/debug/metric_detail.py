"""Verbosity `detailed` for metrics: the five kinds of data points."""

from collections.abc import Callable, Iterator
from typing import Any

from spanmill.exporters.debug.text import attribute_lines, enum_name, time

_TYPES = {
    "gauge": "Gauge",
    "sum": "Sum",
    "histogram": "Histogram",
    "exponential_histogram": "ExponentialHistogram",
    "summary": "Summary",
}
_TEMPORALITIES = ("Unspecified", "Delta", "Cumulative")
_NO_VALUE = 1
"""Bit of a point's flags: nothing was recorded."""


def metric_lines(metric: Any) -> Iterator[str]:
    """The lines of one `Metric` message."""
    kind = metric.WhichOneof("data") or ""
    yield "Descriptor:"
    yield f"     -> Name: {metric.name}"
    yield f"     -> Description: {metric.description}"
    yield f"     -> Unit: {metric.unit}"
    yield f"     -> DataType: {_TYPES.get(kind, 'Empty')}"
    if metric.metadata:
        yield "     -> Metadata:"
        yield from attribute_lines(metric.metadata, indent="     ")
    if not kind:
        return
    data = getattr(metric, kind)
    if kind == "sum":
        yield f"     -> IsMonotonic: {str(data.is_monotonic).lower()}"
    if "aggregation_temporality" in data.DESCRIPTOR.fields_by_name:
        yield f"     -> AggregationTemporality: {enum_name(data.aggregation_temporality, _TEMPORALITIES)}"
    title = "Number" if kind in ("gauge", "sum") else _TYPES[kind]
    for number, point in enumerate(data.data_points):
        yield f"{title}DataPoints #{number}"
        yield from _point_lines(kind, point)


def _point_lines(kind: str, point: Any) -> Iterator[str]:
    if point.attributes:
        yield "Data point attributes:"
        yield from attribute_lines(point.attributes)
    yield f"StartTimestamp: {time(point.start_time_unix_nano)}"
    yield f"Timestamp: {time(point.time_unix_nano)}"
    if point.flags:
        yield f"Flags: {point.flags}" + (" (no recorded value)" if point.flags & _NO_VALUE else "")
    yield from _VALUES[kind](point)
    if kind != "summary":
        yield from _exemplar_lines(point.exemplars)


def _number_lines(point: Any) -> Iterator[str]:
    which = point.WhichOneof("value")
    yield f"Value: {getattr(point, which) if which else ''}"


def _distribution_lines(point: Any) -> Iterator[str]:
    yield f"Count: {point.count}"
    for name in ("sum", "min", "max"):
        if point.HasField(name):
            yield f"{name.capitalize()}: {getattr(point, name)}"


def _histogram_lines(point: Any) -> Iterator[str]:
    yield from _distribution_lines(point)
    for number, bound in enumerate(point.explicit_bounds):
        yield f"ExplicitBounds #{number}: {bound}"
    for number, count in enumerate(point.bucket_counts):
        yield f"Buckets #{number}, Count: {count}"


def _exponential_lines(point: Any) -> Iterator[str]:
    yield from _distribution_lines(point)
    yield f"Scale: {point.scale}"
    yield f"ZeroCount: {point.zero_count}"
    yield f"ZeroThreshold: {point.zero_threshold}"
    for title, buckets in (("Positive", point.positive), ("Negative", point.negative)):
        for number, count in enumerate(buckets.bucket_counts):
            yield f"{title} bucket {buckets.offset + number}, Count: {count}"


def _summary_lines(point: Any) -> Iterator[str]:
    yield f"Count: {point.count}"
    yield f"Sum: {point.sum}"
    for number, quantile in enumerate(point.quantile_values):
        yield f"QuantileValue #{number}: Quantile {quantile.quantile}, Value {quantile.value}"


def _exemplar_lines(exemplars: Any) -> Iterator[str]:
    if exemplars:
        yield "Exemplars:"
    for number, exemplar in enumerate(exemplars):
        which = exemplar.WhichOneof("value")
        yield f"Exemplar #{number}"
        yield f"     -> Trace ID: {exemplar.trace_id.hex()}"
        yield f"     -> Span ID: {exemplar.span_id.hex()}"
        yield f"     -> Timestamp: {time(exemplar.time_unix_nano)}"
        yield f"     -> Value: {getattr(exemplar, which) if which else ''}"
        if exemplar.filtered_attributes:
            yield "     -> FilteredAttributes:"
            yield from attribute_lines(exemplar.filtered_attributes, indent="     ")


_VALUES: dict[str, Callable[[Any], Iterator[str]]] = {
    "gauge": _number_lines,
    "sum": _number_lines,
    "histogram": _histogram_lines,
    "exponential_histogram": _exponential_lines,
    "summary": _summary_lines,
}
