"""What a request weighs while it is under way: how many items it holds, and how much memory decoding it takes.

Both are found without decoding: protobuf's own parser reads the envelopes and leaves every item as bytes, which takes a
hundredth of the time that decoding takes. `check_cost` comes first: it bounds what there is to be counted.
"""

from functools import cache
from typing import Any, Final

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

DECODED_PER_BYTE: Final = 8
"""Ordinary telemetry takes four to ten times its bytes at the peak of decoding; that much goes with every byte held."""
_PER_ITEM, _PER_ENVELOPE, _PER_SMALL, _PER_BYTE, _PER_BUCKET_BYTE = 180, 60, 20, 3, 10
"""Bytes of memory, measured with requests made of one kind of thing each; right within a factor of two for all."""
_SMALL = 9
"""A message or text up to this long has a length that is such a byte: there are no more of them than such bytes."""
_EXPONENTIAL = "exponential_histogram"
"""Its points are mostly bucket counts, a byte each on the wire and eight as a number."""


def count_items(payload: bytes, signal: Signal) -> int:
    """How many spans, log records or metric points a serialized request holds; 0 when it is not valid protobuf."""
    counted = _count(payload, signal)
    return counted[0] if counted else 0


def weigh(payload: bytes, signal: Signal) -> int:
    """The bytes that a request counts for while it is under way.

    Its own, or an eighth of what decoding it takes when that is more (`DECODED_PER_BYTE`): an empty span is two bytes
    on the wire, and weighs 25.
    """
    counted = _count(payload, signal)
    if counted is None:
        return len(payload)  # the decoder will say so, and takes nothing for it
    items, envelopes, bucket_bytes = counted
    small = int(np.count_nonzero(np.frombuffer(payload, np.uint8) <= _SMALL))
    decoded = (
        _PER_ITEM * items
        + _PER_ENVELOPE * envelopes
        + _PER_SMALL * small
        + _PER_BYTE * len(payload)
        + _PER_BUCKET_BYTE * bucket_bytes
    )
    return max(len(payload), decoded // DECODED_PER_BYTE)


def _count(payload: bytes, signal: Signal) -> tuple[int, int, int] | None:
    """Items, envelopes (resources, scopes, metrics), and bytes of exponential histograms; None: not valid protobuf."""
    try:
        resources = _envelope(signal).FromString(payload).resources
    except DecodeError:
        return None
    if len(resources) == 1 and signal is not Signal.METRICS:  # what most senders send
        scopes = resources[0].scopes
        return sum(len(scope.items) for scope in scopes), 1 + len(scopes), 0
    items = envelopes = bucket_bytes = 0
    for resource in resources:
        envelopes += 1 + len(resource.scopes)
        for scope in resource.scopes:
            if signal is not Signal.METRICS:
                items += len(scope.items)
                continue
            envelopes += len(scope.items)
            for metric in scope.items:
                for field, points in metric.ListFields():
                    items += len(points.data_points)
                    if field.name == _EXPONENTIAL:
                        bucket_bytes += sum(map(len, points.data_points))
    return items, envelopes, bucket_bytes


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
