"""The OTLP messages and their native codecs, looked up once."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from ptars._lib import ProtoRegistry

from spanmill.signal import Signal


@dataclass(frozen=True, slots=True)
class Service:
    """One of the three OTLP services: its messages, its gRPC method and the names of its nesting levels."""

    request: type[Message]
    response: type[Message]
    method: str
    resources: str
    """The field of the request that lists resources, for example `resource_spans`."""
    scopes: str
    items: str
    rejected: str
    """The field of `partial_success` that counts what was rejected."""


SERVICES = {
    Signal.TRACES: Service(
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "resource_spans", "scope_spans", "spans", "rejected_spans",
    ),
    Signal.METRICS: Service(
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "resource_metrics", "scope_metrics", "metrics", "rejected_data_points",
    ),
    Signal.LOGS: Service(
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "resource_logs", "scope_logs", "log_records", "rejected_log_records",
    ),
}  # fmt: skip


_RECURSIVE = {("ArrayValue", "values"), ("KeyValueList", "values")}
_PROFILES_ONLY = {("AnyValue", "string_value_strindex"), ("KeyValue", "key_strindex")}
_OPAQUE = {
    *((f"Resource{kind}", "resource") for kind in ("Spans", "Metrics", "Logs")),
    *((f"Scope{kind}", "scope") for kind in ("Spans", "Metrics", "Logs")),
    *(("Span", name) for name in ("events", "links")),
    *((f"{kind}DataPoint", "exemplars") for kind in ("Number", "Histogram", "ExponentialHistogram")),
}


@cache
def _registry(opaque: bool) -> ProtoRegistry:
    """OTLP's descriptors with changes that the wire does not show: there a message and its bytes are the same.

    - The elements of `ArrayValue` and `KeyValueList` are declared as `bytes`. Arrow has no recursive type, so ptars
      gives them as binary either way, but it writes them back only where they are declared so.
    - What only profiles use is left out.
    - With `opaque`, resources, scopes, events, links and exemplars are `bytes` too. A call of ptars costs in proportion
      to the fields of its schema, and these are decoded once for each distinct one, or are mostly absent.
    """
    files: dict[str, bytes] = {}
    for service in SERVICES.values():
        _add_file(service.request.DESCRIPTOR.file, files, _RECURSIVE | _OPAQUE if opaque else _RECURSIVE)
    return ProtoRegistry(list(files.values()))


def _add_file(file: Any, files: dict[str, bytes], as_bytes: set[tuple[str, str]]) -> None:
    for dependency in file.dependencies:
        _add_file(dependency, files, as_bytes)
    description = FileDescriptorProto()
    file.CopyToProto(description)
    for message in description.message_type:
        _change_fields(message, as_bytes)
    files[file.name] = description.SerializeToString()


def _change_fields(message: DescriptorProto, as_bytes: set[tuple[str, str]]) -> None:
    kept = [field for field in message.field if (message.name, field.name) not in _PROFILES_ONLY]
    for field in kept:
        if (message.name, field.name) in as_bytes:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
            if field.label != FieldDescriptorProto.LABEL_REPEATED:  # a message knows whether it is there; so must bytes
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}")
    fields = [FieldDescriptorProto.FromString(field.SerializeToString()) for field in kept]
    del message.field[:]
    message.field.extend(fields)


@cache
def _handler(full_name: str, opaque: bool) -> Any:
    return _registry(opaque).create_for_message(full_name, None)


def handler(message: type[Message]) -> Any:
    """The ptars handler of a message: `array_to_record_batch(BinaryArray)` and `record_batch_to_array(RecordBatch)`."""
    return _handler(message.DESCRIPTOR.full_name, opaque=False)


def opaque_handler(signal: Signal) -> Any:
    """Decodes a signal's `Export<Signal>ServiceRequest` and leaves rare and repeated parts as bytes; see `codec`."""
    return _handler(SERVICES[signal].request.DESCRIPTOR.full_name, opaque=True)


def request_handler(signal: Signal) -> Any:
    """The handler of a signal's `Export<Signal>ServiceRequest`."""
    return handler(SERVICES[signal].request)


Event, Link = Span.Event, Span.Link

__all__ = [
    "SERVICES",
    "AnyValue",
    "Event",
    "Exemplar",
    "InstrumentationScope",
    "KeyValue",
    "Link",
    "Resource",
    "Service",
    "handler",
    "opaque_handler",
    "request_handler",
]
