"""Refusals: why a request was not taken, and what each protocol answers.

Two rules of OTLP decide the codes. Over HTTP only 429, 502, 503 and 504 are retried, so whatever may succeed later is
429 or 503. Over gRPC RESOURCE_EXHAUSTED is retried exactly when a RetryInfo comes with it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from google.rpc import code_pb2 as code

from spanmill.admission import Crowded
from spanmill.errors import Busy, Rejected
from spanmill.memory_guard import ShortOfMemory
from spanmill.otlp import responses
from spanmill.otlp.responses import Encoding

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is not taken. `reason` is the label it is counted under; the message is for the sender."""

    def __init__(
        self,
        http_status: int,
        grpc_code: int,
        reason: str,
        message: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        close: bool = False,
        for_log: str = "",
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.grpc_code = grpc_code
        self.reason = reason
        self.message = message
        self.for_log = for_log or message
        """The message without what it quotes of the request."""
        self.retry_after = retry_after
        """Seconds to wait before trying again; None: never."""
        self.headers = headers
        self.close = close
        """Close the HTTP connection after the answer: what follows on it is not the start of a request."""

    @property
    def outcome(self) -> str:
        """The label of `otelcol_receiver_requests`: refused requests may come back, rejected ones may not."""
        return "rejected" if self.retry_after is None else "refused"

    def body(self, encoding: Encoding) -> bytes:
        """The `google.rpc.Status` of an HTTP answer."""
        return responses.status(self.grpc_code, self.message, self.retry_after, encoding)


def busy(error: Busy, *, close: bool = False) -> Refusal:
    """Not now. 429 where senders came too fast, 503 where the engine cannot: a journal is full, memory is short."""
    status, reason = 503, "busy"
    if isinstance(error, Crowded):
        status, reason = 429, "in_flight"
    elif isinstance(error, ShortOfMemory):
        reason = "memory"
    return Refusal(status, code.RESOURCE_EXHAUSTED, reason, error.reason, retry_after=error.retry_after, close=close)


def invalid(error: Rejected, reason: str = "malformed") -> Refusal:
    """What was sent can never be taken."""
    return Refusal(400, code.INVALID_ARGUMENT, reason, error.reason, for_log=error.for_log)


def too_large(message: str, *, close: bool = False) -> Refusal:
    return Refusal(413, code.RESOURCE_EXHAUSTED, "too_large", message, close=close)


def not_served(signal: str, premise: str = "") -> Refusal:
    message = (
        f"{premise}no pipeline takes {signal} from this receiver; add it to `service.pipelines.{signal}.receivers`"
    )
    return Refusal(404, code.UNIMPLEMENTED, "not_served", message)


def internal() -> Refusal:
    """A defect of ours. What it was stands in the log, not in the answer."""
    return Refusal(500, code.INTERNAL, "internal", "internal error; the collector's log has the details")
