"""What a judge asks: a model, whoever serves it. The types that clients, limits and processors share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spanmill.errors import SpanmillError

Message = Mapping[str, str]
"""`{"role": "system" or "user", "content": text}`"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered."""

    text: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    """Billionths of a USD; None when the model's price is not known."""
    seconds: float
    """From the request to the end of the answer."""
    model: str = ""
    """Which answered, in its own words; empty when it does not say."""
    response_id: str = ""
    finish_reason: str = "stop"
    """`stop`, `length` (cut off: longer than it was to be), `content_filter`, or what the server says."""
    attempts: int = 1
    trace: str = ""
    """The `traceparent` that was sent with the request; empty for none."""


class Throttled(SpanmillError):  # noqa: N818 - an event, not a fault
    """The server asks for fewer requests. Nothing was spent."""

    def __init__(self, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        """Seconds to wait before any request; 0: the server does not say."""
        super().__init__("the server asks for fewer requests (429)")


class Failed(SpanmillError):  # noqa: N818 - an event, not a fault
    """There is no answer. The text has nothing of the messages and nothing of the server's words."""

    def __init__(self, reason: str, *, transient: bool, code: str, in_doubt: bool = False) -> None:
        self.reason = reason
        self.transient = transient
        """Whether the same request may be answered later."""
        self.code = code
        """One word for a label and for `error.type`: timeout, connection, 500, nonsense, ..."""
        self.in_doubt = in_doubt
        """Whether the server may have worked, and will ask for money."""
        super().__init__(reason)


class Model(Protocol):
    """One attempt at one question."""

    async def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], trace: str = "") -> Reply:
        """The model's answer, which is to be JSON of this schema. `trace`: a `traceparent` to send along.

        Raises `Throttled` or `Failed`. Cancelling it may leave the server working.
        """
