"""Batches of chosen attributes, and the attributes of batches, for the tests of processors."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.otlp.codec import decode, encode
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics

Pairs = list[tuple[str, AnyValue]]


def settings(kind: Kind, name: str) -> Settings:
    return Settings(kind, ComponentId(name), component_log("test", "test"), Metrics())


def value_of(value: Any) -> AnyValue:
    if isinstance(value, AnyValue):
        return value
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
    return AnyValue() if value is None else AnyValue(**{kinds[type(value)]: value})


def pairs(**attributes: Any) -> Pairs:
    return [(key, value_of(value)) for key, value in attributes.items()]


def entries(attributes: Pairs) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in attributes]


def batch_of(signal: Signal, rows: Sequence[Pairs], resource: Pairs | None = None, **fields: Any) -> Batch:
    """An item for each element of `rows`, all under one resource and scope; `fields` go to every span or log record."""
    service = SERVICES[signal]
    request = service.request()
    group = getattr(request, service.resources).add()
    if resource is not None:
        group.resource.attributes.extend(entries(resource))
    scope = getattr(group, service.scopes).add()
    scope.scope.name = "tests"
    items = getattr(scope, service.items)
    for row in rows:
        if signal is Signal.METRICS:
            metric = items.add(name=fields.get("name", "m"))
            metric.gauge.data_points.add(as_int=1).attributes.extend(entries(row))
        else:
            items.add(**fields).attributes.extend(entries(row))
    return Batch(signal, decode(signal, [request.SerializeToString()]).records)


def request_of(batch: Batch) -> Any:
    """The batch as an OTLP request, by way of the codec and protobuf's own parser."""
    return SERVICES[batch.signal].request.FromString(encode(batch.signal, batch.records))


def attributes_of(batch: Batch) -> list[Pairs]:
    """The attributes of every item, in order."""
    service = SERVICES[batch.signal]
    rows = []
    for group in getattr(request_of(batch), service.resources):
        for scope in getattr(group, service.scopes):
            for item in getattr(scope, service.items):
                points = item.gauge.data_points if batch.signal is Signal.METRICS else [item]
                rows += [[(a.key, a.value) for a in point.attributes] for point in points]
    return rows


KEYS = st.sampled_from(["a", "b", "c", "http.route", "user.id", ""])
TEXTS = st.one_of(
    st.sampled_from(["", "7", "-12", "+3", "1.5", "1e3", "nan", "x=1", "user=ada id=9"]), st.text(max_size=8)
)
FLOATS = st.floats(allow_nan=False).map(lambda number: number + 0.0)
"""Without the sign of zero, which the codec does not keep."""
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), FLOATS, st.binary(max_size=4))


@st.composite
def any_values(draw: st.DrawFn) -> AnyValue:
    """AnyValues of every kind, unset, nested arrays and maps among them."""
    kind = draw(st.sampled_from(["scalar", "scalar", "scalar", "unset", "array", "map"]))
    if kind == "unset":
        return AnyValue()
    if kind == "scalar":
        return value_of(draw(SCALARS))
    nested = [value_of(v) for v in draw(st.lists(SCALARS, max_size=3))]
    message = AnyValue()
    if kind == "array":
        message.array_value.SetInParent()
        message.array_value.values.extend(nested)
    else:
        message.kvlist_value.SetInParent()
        message.kvlist_value.values.extend(KeyValue(key=str(i), value=v) for i, v in enumerate(nested))
    return message


ROWS = st.lists(st.lists(st.tuples(KEYS, any_values()), max_size=5), min_size=1, max_size=6)
