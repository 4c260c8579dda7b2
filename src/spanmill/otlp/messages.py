"""The OTLP messages and their native codecs, looked up once."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
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
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
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


_RECURSIVE = {"ArrayValue", "KeyValueList"}


@cache
def _registry() -> ProtoRegistry:
    """OTLP's descriptors with one change: the elements of `ArrayValue` and `KeyValueList` are declared as `bytes`.

    On the wire a message and its bytes are the same. Arrow has no recursive type, so ptars gives these elements as
    binary either way, but it writes them back only where they are declared so.
    """
    files: dict[str, bytes] = {}
    for service in SERVICES.values():
        _add_file(service.request.DESCRIPTOR.file, files)
    return ProtoRegistry(list(files.values()))


def _add_file(file: Any, files: dict[str, bytes]) -> None:
    for dependency in file.dependencies:
        _add_file(dependency, files)
    description = FileDescriptorProto()
    file.CopyToProto(description)
    for message in description.message_type:
        if message.name in _RECURSIVE:
            for field in message.field:
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
    files[file.name] = description.SerializeToString()


@cache
def _handler(full_name: str) -> Any:
    return _registry().create_for_message(full_name, None)


def handler(message: type[Message]) -> Any:
    """The ptars handler of a message: `array_to_record_batch(BinaryArray)` and `record_batch_to_array(RecordBatch)`."""
    return _handler(message.DESCRIPTOR.full_name)


def request_handler(signal: Signal) -> Any:
    """The handler of a signal's `Export<Signal>ServiceRequest`."""
    return handler(SERVICES[signal].request)


__all__ = ["SERVICES", "AnyValue", "KeyValue", "Resource", "Service", "handler", "request_handler"]
