"""Ways to send a request until somebody says that it has arrived: raw over gRPC and HTTP, and the SDK's exporters."""

import http.client
from collections.abc import Callable
from typing import Any, Protocol

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal
from tests.delivery.crashes.items import raw_spans

_RETRYABLE_CODES = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
}
"""What the OTLP specification lets a server say that does not take a request now."""
_RETRYABLE_STATUSES = {429, 502, 503, 504}
_QUICK_TO_CONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
]

Attempt = Callable[[], bool]
"""Send what was prepared, always the same bytes; whether the answer was positive. Raises `RefusedForGood`."""


class RefusedForGood(Exception):  # noqa: N818 - an answer, not an error
    """The collector said that it never wants this request, or a part of it."""


class Sender(Protocol):
    """One way of sending."""

    def prepare(self, ids: range) -> Attempt: ...
    def close(self) -> None:
        """Cut short what is under way, from another thread."""


class RawGrpc:
    """Serialized spans over gRPC. `seconds` says how long each attempt may take."""

    def __init__(self, port: int, seconds: Callable[[], float]) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_QUICK_TO_CONNECT)
        self._export = self._channel.unary_unary(SERVICES[Signal.TRACES].method)
        self._seconds = seconds

    def prepare(self, ids: range) -> Attempt:
        payload = raw_spans(ids)
        return lambda: self._attempt(payload)

    def _attempt(self, payload: bytes) -> bool:
        try:
            answer = self._export(payload, timeout=self._seconds())
        except grpc.RpcError as error:
            if error.code() not in _RETRYABLE_CODES:
                raise RefusedForGood(f"{error.code().name}: {error.details()}") from None
            return False
        return _whole(answer)

    def close(self) -> None:
        """Nothing: an attempt ends by itself within its time."""


class RawHttp:
    """The same over HTTP, on one connection for as long as it lasts."""

    def __init__(self, port: int, seconds: Callable[[], float]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._seconds = seconds

    def prepare(self, ids: range) -> Attempt:
        payload = raw_spans(ids)
        return lambda: self._attempt(payload)

    def _attempt(self, payload: bytes) -> bool:
        try:
            status, answer = self._post(payload)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        if status == http.client.OK:
            return _whole(answer)
        if status not in _RETRYABLE_STATUSES:
            raise RefusedForGood(f"{status}: {answer!r}")
        return False

    def _post(self, payload: bytes) -> tuple[int, bytes]:
        self._connection.timeout = self._seconds()
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._connection.timeout)
        self._connection.request("POST", "/v1/traces", payload, {"Content-Type": "application/x-protobuf"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        """Nothing: an attempt ends by itself within its time."""


def _whole(answer: bytes) -> bool:
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    if partial.rejected_spans:
        raise RefusedForGood(f"{partial.rejected_spans} spans: {partial.error_message}")
    return True


class Sdk:
    """One of the SDK's exporters. It tries again by itself, and is asked again when it has given up."""

    def __init__(self, exporter: Any, make: Callable[[range], Any]) -> None:
        self._exporter, self._make = exporter, make

    def prepare(self, ids: range) -> Attempt:
        data = self._make(ids)
        return lambda: bool(self._exporter.export(data).name == "SUCCESS")

    def close(self) -> None:
        self._exporter.shutdown()
