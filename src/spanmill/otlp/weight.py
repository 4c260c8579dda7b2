"""What a request weighs while it is under way: how many items it holds, and how much memory working on it takes.

Both are found without decoding: protobuf's own parser reads the envelopes and leaves every item as bytes, which takes a
hundredth of the time that decoding takes. `check_cost` comes first: it bounds what there is to be counted.
"""

from functools import cache
from itertools import chain
from random import random, sample
from typing import Any, Final, NamedTuple

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

DECODED_PER_BYTE: Final = 8
"""Ordinary telemetry takes five to eight times its bytes at the peak, from decoding to packing for the journal; that
much memory goes with every byte of weight."""
_PER_ITEM, _PER_ENVELOPE, _PER_SMALL, _PER_BYTE, _PER_BUCKET_BYTE = 350, 100, 110, 3, 25
"""Bytes of memory, measured with requests made of one kind of thing each; right within a factor of two for them."""
_SMALL = 9
"""A message or text of so few bytes is small: what is nested in items and larger is a fair part of what it becomes."""
_MOST_COUNTED, _MOST_SAMPLED = 20_000, 1_000
"""Envelopes. Each costs a microsecond or two."""
_LENGTH_DELIMITED, _CONTINUED = 2, 0x80
_EXPONENTIAL = "exponential_histogram"
"""Its points are mostly bucket counts, a byte each on the wire and eight as a number."""


def count_items(payload: bytes, signal: Signal) -> int:
    """How many spans, log records or metric points a serialized request holds.

    0 when it is not valid protobuf, or its items are spread over so many envelopes that counting them takes long.
    """
    counted = _count(payload, signal, _MOST_COUNTED)
    return counted.items if counted and counted.is_exact else 0


def weigh(payload: bytes, signal: Signal) -> int:
    """The bytes that a request counts for while it is under way.

    Its own, or an eighth of the memory that working on it takes when that is more (`DECODED_PER_BYTE`): an empty span
    is two bytes on the wire, and weighs 58. Of very many envelopes a random sample is looked into.
    """
    counted = _count(payload, signal, _MOST_SAMPLED)
    if counted is None:
        return len(payload)  # the decoder will say so, and takes nothing for it
    working = (
        _PER_ITEM * counted.items
        + _PER_ENVELOPE * counted.envelopes
        + _PER_SMALL * _small(payload)
        + _PER_BYTE * len(payload)
        + _PER_BUCKET_BYTE * counted.bucket_bytes
    )
    return max(len(payload), working // DECODED_PER_BYTE)


def _small(payload: bytes) -> int:
    """How many small messages and texts there may be: small bytes that follow a tag, or end a longer varint."""
    data = np.frombuffer(payload, np.uint8)
    before = data[:-1]
    after_tag = ((before & 7) == _LENGTH_DELIMITED) | (before >= _CONTINUED)
    return int(np.count_nonzero(after_tag & (data[1:] <= _SMALL)))


class _Counted(NamedTuple):
    items: int
    envelopes: int
    """Resources, scopes and metrics."""
    bucket_bytes: int
    """Bytes of the points of exponential histograms."""
    is_exact: bool


def _count(payload: bytes, signal: Signal, most: int) -> _Counted | None:
    """Count what is in about `most` envelopes at each level, and conclude to the others. None: not valid protobuf."""
    try:
        request = _envelope(signal).FromString(payload)
    except DecodeError:
        return None
    if signal is not Signal.METRICS and len(request.resources) == 1 and len(request.resources[0].scopes) == 1:
        return _Counted(len(request.resources[0].scopes[0].items), 2, 0, is_exact=True)  # what most senders send
    parents, envelopes, share = [request], 0.0, 1.0
    for level in ("resources", "scopes", "items")[: 2 + (signal is Signal.METRICS)]:
        lists = [getattr(parent, level) for parent in parents]
        total = sum(map(len, lists))
        envelopes += total / share
        parents = _some(lists, most / total) if total > most else list(chain.from_iterable(lists))
        if total > most:
            share *= max(1, len(parents)) / total
    bucket_bytes = 0
    if signal is Signal.METRICS:
        kinds = [(field.name, points.data_points) for metric in parents for field, points in metric.ListFields()]
        bucket_bytes = sum(len(point) for name, points in kinds if name == _EXPONENTIAL for point in points)
        items = sum(len(points) for _, points in kinds)
    else:
        items = sum(len(scope.items) for scope in parents)
    return _Counted(round(items / share), round(envelopes), round(bucket_bytes / share), share == 1.0)


def _some(lists: list[Any], rate: float) -> list[Any]:
    """A random share of the elements of all lists. The others are not touched: each would become a Python object."""
    return [each for elements in lists for each in sample(elements, int(len(elements) * rate + random()))]  # noqa: S311


@cache
def _envelope(signal: Signal) -> Any:
    """A message class for a signal's request that knows envelopes only, as `resources`, `scopes` and `items`.

    Items are bytes; for metrics they are messages of which each kind holds `data_points` as bytes.
    """
    service = SERVICES[signal]
    file = FileDescriptorProto(name=f"spanmill/{signal.value}_envelope.proto", package=f"spanmill.{signal.value}")
    resources: Any = service.request.DESCRIPTOR.fields_by_name[service.resources]
    scopes = resources.message_type.fields_by_name[service.scopes]
    items = scopes.message_type.fields_by_name[service.items]
    _add(file, "Request", {"resources": resources}, "Resource")
    _add(file, "Resource", {"scopes": scopes}, "Scope")
    if signal is Signal.METRICS:
        kinds = {each.name: each for each in items.message_type.oneofs_by_name["data"].fields}
        _add(file, "Scope", {"items": items}, "Metric")
        _add(file, "Metric", kinds, "Points", FieldDescriptorProto.LABEL_OPTIONAL)
        _add(file, "Points", {"data_points": kinds["sum"].message_type.fields_by_name["data_points"]})
    else:
        _add(file, "Scope", {"items": items})
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Request"))


def _add(
    file: FileDescriptorProto,
    name: str,
    fields: dict[str, Any],
    kind: str | None = None,
    label: FieldDescriptorProto.Label.ValueType = FieldDescriptorProto.LABEL_REPEATED,
) -> None:
    """Add a message. Its fields have the numbers of the given ones, and hold messages of a `kind`; None: bytes."""
    message = file.message_type.add(name=name)
    for field_name, original in fields.items():
        field = message.field.add(name=field_name, number=original.number, label=label)
        field.type = FieldDescriptorProto.TYPE_MESSAGE if kind else FieldDescriptorProto.TYPE_BYTES
        if kind:
            field.type_name = f".{file.package}.{kind}"
