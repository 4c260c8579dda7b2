"""What an OTLP server answers, in protobuf or JSON (OTLP specification, "OTLP/gRPC Response", "OTLP/HTTP Response").

Success is an `Export<Signal>ServiceResponse`; everything else a `google.rpc.Status`.
"""

from enum import StrEnum
from functools import cache
from typing import Any

import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from spanmill.component import Outcome
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

MAX_MESSAGE_CHARACTERS = 4096
"""Longer texts are cut, so that an answer stays far below the 4 MiB that the specification recommends as its limit."""
MAX_RETRY_SECONDS = 5.0
"""Exporters give up at once when the delay exceeds what is left of their deadline, which is ten seconds by default."""


class Encoding(StrEnum):
    """The two encodings of OTLP/HTTP; the value is the content type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def success(signal: Signal, outcome: Outcome, encoding: Encoding) -> bytes:
    """The answer to a request that was taken, wholly or in part. `partial_success` stays unset on full success."""
    if not outcome.rejected and not outcome.reason:
        return b"{}" if encoding is Encoding.JSON else b""
    service, reason = SERVICES[signal], _cut(outcome.reason)
    if encoding is Encoding.JSON:
        partial = {_camel(service.rejected): str(outcome.rejected), "errorMessage": reason}
        return orjson.dumps({"partialSuccess": partial})
    response: Any = service.response()
    setattr(response.partial_success, service.rejected, outcome.rejected)
    response.partial_success.error_message = reason
    return bytes(response.SerializeToString())


def status(code: int, message: str, retry_after: float | None, encoding: Encoding) -> bytes:
    """A `google.rpc.Status`. `retry_after`: seconds for a `RetryInfo` detail, None when it must not be retried."""
    message = _cut(message)
    if encoding is Encoding.JSON:
        body: dict[str, Any] = {"code": code, "message": message}
        if retry_after is not None:
            delay = f"{retry_delay(retry_after):g}s"
            body["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
        return orjson.dumps(body)
    result = Status(code=code, message=message)
    if retry_after is not None:
        result.details.add().Pack(RetryInfo.FromString(retry_info(retry_after)))
    return bytes(result.SerializeToString())


def bad_request(code: int, message: str, field: str) -> bytes:
    """A `google.rpc.Status` with a `BadRequest` detail that names the offending field; protobuf."""
    result = Status(code=code, message=_cut(message))
    violation = BadRequest.FieldViolation(field=field, description=_cut(message))
    result.details.add().Pack(BadRequest(field_violations=[violation]))
    return bytes(result.SerializeToString())


def retry_info(retry_after: float) -> bytes:
    """A serialized `google.rpc.RetryInfo`."""
    seconds = retry_delay(retry_after)
    delay = Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
    return bytes(RetryInfo(retry_delay=delay).SerializeToString())


def retry_delay(retry_after: float) -> float:
    """The delay that senders are asked for, in seconds: not nothing, and not longer than they would wait."""
    return min(MAX_RETRY_SECONDS, max(0.1, retry_after))


def retry_after_header(retry_after: float) -> str:
    """The same for HTTP's `Retry-After`, which knows whole seconds only; to the nearest, so that they differ too."""
    return str(max(1, round(retry_delay(retry_after))))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[: MAX_MESSAGE_CHARACTERS - 1] + "…"


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
