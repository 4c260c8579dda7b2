"""Verbosity `normal`: a line for each item, with its attributes."""

from collections.abc import Callable, Iterator
from typing import Any

from spanmill.exporters.debug.text import attribute_words, bare_value
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_TITLES = {Signal.TRACES: "Traces", Signal.METRICS: "Metrics", Signal.LOGS: "Log"}


def lines(signal: Signal, request: Any) -> Iterator[str]:
    """The lines of an `Export<Signal>ServiceRequest`, under a line for each resource and scope."""
    service, title = SERVICES[signal], _TITLES[signal]
    for number, group in enumerate(getattr(request, service.resources)):
        yield _join(f"Resource{title} #{number}", attribute_words(group.resource.attributes))
        for scope_number, scope in enumerate(getattr(group, service.scopes)):
            name = "@".join(part for part in (scope.scope.name, scope.scope.version) if part)
            yield _join(f"Scope{title} #{scope_number}", name, attribute_words(scope.scope.attributes))
            for item in getattr(scope, service.items):
                yield from _LINES[signal](item)


def _span(span: Any) -> Iterator[str]:
    yield _join(span.name, span.trace_id.hex(), span.span_id.hex(), attribute_words(span.attributes))


def _log_record(record: Any) -> Iterator[str]:
    yield _join(bare_value(record.body) if record.HasField("body") else "", attribute_words(record.attributes))


def _metric(metric: Any) -> Iterator[str]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points if kind else ():
        attributes = attribute_words(point.attributes)
        name = f"{metric.name}{{{attributes}}}" if attributes else metric.name
        yield _join(name, point_words(kind, point))


def point_words(kind: str, point: Any) -> str:
    """What a data point holds, in one line."""
    if kind in ("gauge", "sum"):
        which = point.WhichOneof("value")
        return str(getattr(point, which)) if which else ""
    words = [f"count={point.count}"]
    words += [f"{name}={getattr(point, name)}" for name in ("sum", "min", "max") if _has(point, name)]
    if kind == "summary":
        words += [f"q{q.quantile}={q.value}" for q in point.quantile_values]
    if kind == "histogram":
        bounds = [*(f"le{bound}" for bound in point.explicit_bounds), "leInf"]
        words += [f"{bound}={count}" for bound, count in zip(bounds, point.bucket_counts, strict=False)]
    return " ".join(words)


def _has(point: Any, name: str) -> bool:
    field = point.DESCRIPTOR.fields_by_name.get(name)
    return field is not None and (not field.has_presence or point.HasField(name))


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


_LINES: dict[Signal, Callable[[Any], Iterator[str]]] = {
    Signal.TRACES: _span,
    Signal.METRICS: _metric,
    Signal.LOGS: _log_record,
}
