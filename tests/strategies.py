"""Hypothesis strategies: random OTLP requests of every signal, nested values included, as protobuf's own messages."""

from collections.abc import Callable

from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.logs.v1 import logs_pb2 as logs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1 import resource_pb2 as resource
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

from spanmill.signal import Signal

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "service.name", "gpt-4o", '{"role":"user"}', "안녕하세요", '\uff21\uff22\x00\n\t"\\']
)
UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
DOUBLE = st.floats(allow_nan=False).map(lambda number: number + 0.0)
"""Without NaN, which no comparison survives, and without the sign of zero, which the codec does not keep."""
NANOSECONDS = st.integers(1, 4 * 10**18) | st.just(0) | UINT64


def some(strategy: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[list[object]]:
    """A short list."""
    return st.lists(strategy, max_size=most)


def build(message: Callable[..., Message], /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Message]:
    """A message whose every field is given or left out."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: message(**given))


def one_of(message: Callable[..., Message], /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Message]:
    """A message with at most one of the fields: a oneof."""
    filled = [st.fixed_dictionaries({name: strategy}) for name, strategy in fields.items()]
    return st.one_of(st.just({}), *filled).map(lambda given: message(**given))


def _key_values(values: st.SearchStrategy[Message], most: int = 4) -> st.SearchStrategy[list[Message]]:
    pairs = st.dictionaries(TEXT, st.none() | values, max_size=most)
    return pairs.map(lambda given: [common.KeyValue(key=k, value=v) for k, v in given.items()])  # type: ignore[arg-type]


def _nested(values: st.SearchStrategy[Message]) -> st.SearchStrategy[Message]:
    return one_of(
        common.AnyValue,
        array_value=some(values).map(lambda items: common.ArrayValue(values=items)),  # type: ignore[arg-type]
        kvlist_value=_key_values(values, 3).map(lambda items: common.KeyValueList(values=items)),  # type: ignore[arg-type]
    )


SCALARS = one_of(
    common.AnyValue,
    string_value=TEXT,
    bool_value=st.booleans(),
    int_value=INT64,
    double_value=DOUBLE,
    bytes_value=st.binary(max_size=8),
)
ANY_VALUES = st.recursive(SCALARS, _nested, max_leaves=6)
ATTRIBUTES = _key_values(ANY_VALUES)

RESOURCES = build(
    resource.Resource,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    entity_refs=some(
        build(common.EntityRef, schema_url=TEXT, type=TEXT, id_keys=some(TEXT), description_keys=some(TEXT)), 2
    ),
)
SCOPES = build(
    common.InstrumentationScope, name=TEXT, version=TEXT, attributes=ATTRIBUTES, dropped_attributes_count=UINT32
)

TRACE_IDS = st.binary(min_size=16, max_size=16).filter(any)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)

SPANS = build(
    trace.Span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    trace_state=TEXT,
    parent_span_id=SPAN_IDS,
    name=TEXT,
    kind=st.integers(0, 5),
    start_time_unix_nano=NANOSECONDS,
    end_time_unix_nano=NANOSECONDS,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    events=some(
        build(
            trace.Span.Event,
            time_unix_nano=NANOSECONDS,
            name=TEXT,
            attributes=ATTRIBUTES,
            dropped_attributes_count=UINT32,
        )
    ),
    dropped_events_count=UINT32,
    links=some(
        build(
            trace.Span.Link, trace_id=TRACE_IDS, span_id=SPAN_IDS, trace_state=TEXT, attributes=ATTRIBUTES, flags=UINT32
        )
    ),
    dropped_links_count=UINT32,
    status=build(trace.Status, message=TEXT, code=st.integers(0, 2)),
    flags=UINT32,
)
LOG_RECORDS = build(
    logs.LogRecord,
    time_unix_nano=NANOSECONDS,
    observed_time_unix_nano=NANOSECONDS,
    severity_number=st.integers(0, 24),
    severity_text=TEXT,
    body=ANY_VALUES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    flags=UINT32,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    event_name=TEXT,
)
_EXEMPLARS = some(
    st.tuples(
        build(
            metrics.Exemplar,
            filtered_attributes=ATTRIBUTES,
            time_unix_nano=NANOSECONDS,
            span_id=SPAN_IDS,
            trace_id=TRACE_IDS,
        ),
        one_of(metrics.Exemplar, as_double=DOUBLE, as_int=INT64),
    ).map(lambda parts: _merged(*parts)),
    2,
)
_POINT = {"attributes": ATTRIBUTES, "start_time_unix_nano": NANOSECONDS, "time_unix_nano": NANOSECONDS, "flags": UINT32}
_COUNTS = some(UINT64, 4)
_NUMBERS = st.tuples(
    build(metrics.NumberDataPoint, exemplars=_EXEMPLARS, **_POINT),
    one_of(metrics.NumberDataPoint, as_double=DOUBLE, as_int=INT64),
).map(lambda parts: _merged(*parts))
_HISTOGRAM = {**_POINT, "count": UINT64, "sum": DOUBLE, "exemplars": _EXEMPLARS, "min": DOUBLE, "max": DOUBLE}
_HISTOGRAMS = build(metrics.HistogramDataPoint, bucket_counts=_COUNTS, explicit_bounds=some(DOUBLE), **_HISTOGRAM)
_BUCKETS = build(metrics.ExponentialHistogramDataPoint.Buckets, offset=INT32, bucket_counts=_COUNTS)
_EXPONENTIAL = build(
    metrics.ExponentialHistogramDataPoint,
    scale=INT32, zero_count=UINT64, positive=_BUCKETS, negative=_BUCKETS, zero_threshold=DOUBLE, **_HISTOGRAM,
)  # fmt: skip
_QUANTILE = build(metrics.SummaryDataPoint.ValueAtQuantile, quantile=DOUBLE, value=DOUBLE)
_SUMMARIES = build(metrics.SummaryDataPoint, count=UINT64, sum=DOUBLE, quantile_values=some(_QUANTILE), **_POINT)
_TEMPORALITY = st.integers(0, 2)


def _merged(first: Message, second: Message) -> Message:
    first.MergeFrom(second)
    return first


def _points(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    return st.lists(strategy, min_size=1, max_size=3)


METRICS = st.tuples(
    build(metrics.Metric, name=TEXT, description=TEXT, unit=TEXT, metadata=ATTRIBUTES),
    st.one_of(
        st.builds(lambda p: metrics.Metric(gauge=metrics.Gauge(data_points=p)), _points(_NUMBERS)),
        st.builds(
            lambda p, t, m: metrics.Metric(sum=metrics.Sum(data_points=p, aggregation_temporality=t, is_monotonic=m)),
            _points(_NUMBERS), _TEMPORALITY, st.booleans(),
        ),
        st.builds(
            lambda p, t: metrics.Metric(histogram=metrics.Histogram(data_points=p, aggregation_temporality=t)),
            _points(_HISTOGRAMS), _TEMPORALITY,
        ),
        st.builds(
            lambda p, t: metrics.Metric(
                exponential_histogram=metrics.ExponentialHistogram(data_points=p, aggregation_temporality=t)
            ),
            _points(_EXPONENTIAL), _TEMPORALITY,
        ),
        st.builds(lambda p: metrics.Metric(summary=metrics.Summary(data_points=p)), _points(_SUMMARIES)),
    ),
).map(lambda parts: _merged(*parts))  # fmt: skip


def _request(
    request: Callable[..., Message], names: tuple[str, str, str], of_resource: Callable[..., Message],
    of_scope: Callable[..., Message], items: st.SearchStrategy[Message],
) -> st.SearchStrategy[Message]:  # fmt: skip
    """Requests without empty envelopes, which a forwarder may drop."""
    resources, scopes, rows = names
    scope = st.tuples(build(of_scope, scope=SCOPES, schema_url=TEXT), st.lists(items, min_size=1, max_size=3)).map(
        lambda parts: _merged(parts[0], of_scope(**{rows: parts[1]}))
    )
    envelope = st.tuples(
        build(of_resource, resource=RESOURCES, schema_url=TEXT), st.lists(scope, min_size=1, max_size=2)
    ).map(lambda parts: _merged(parts[0], of_resource(**{scopes: parts[1]})))
    return st.lists(envelope, max_size=3).map(lambda parts: request(**{resources: parts}))


REQUESTS: dict[Signal, st.SearchStrategy[Message]] = {
    Signal.TRACES: _request(
        ExportTraceServiceRequest,
        ("resource_spans", "scope_spans", "spans"),
        trace.ResourceSpans,
        trace.ScopeSpans,
        SPANS,
    ),
    Signal.METRICS: _request(
        ExportMetricsServiceRequest,
        ("resource_metrics", "scope_metrics", "metrics"),
        metrics.ResourceMetrics,
        metrics.ScopeMetrics,
        METRICS,
    ),
    Signal.LOGS: _request(
        ExportLogsServiceRequest,
        ("resource_logs", "scope_logs", "log_records"),
        logs.ResourceLogs,
        logs.ScopeLogs,
        LOG_RECORDS,
    ),
}
