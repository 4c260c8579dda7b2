"""What the HTTP listener serves at each path: how a body is read there, and how the outcome is said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from spanmill.component import Outcome
from spanmill.otlp import responses
from spanmill.otlp.json import from_json
from spanmill.otlp.responses import Encoding
from spanmill.signal import Signal


@dataclass(frozen=True, slots=True)
class Submission:
    """A body that was read, for the intake."""

    payload: bytes
    """A serialized `Export<Signal>ServiceRequest`."""
    answer: Callable[[Outcome], bytes]
    """The body of the answer, in the encoding of the request."""
    sent_as: bytes = b""
    """See `component.Intake`."""


class Service(Protocol):
    """What is served at one path."""

    @property
    def signal(self) -> Signal:
        """Of the intake that takes it."""

    @property
    def encodings(self) -> tuple[Encoding, ...]: ...

    @property
    def premise(self) -> str:
        """Why this signal, as the beginning of a sentence for those who wonder; may be empty."""

    @property
    def inline_json_bytes(self) -> int:
        """So much is read in about a millisecond; what is more goes to a thread."""

    def read(self, body: bytes, encoding: Encoding) -> Submission:
        """Raises `Rejected` or `Refusal`."""


class OtlpService:
    """Requests of one signal, in both of OTLP's encodings."""

    encodings: Final = (Encoding.PROTOBUF, Encoding.JSON)
    premise: Final = ""
    inline_json_bytes: Final = 32 * 1024

    def __init__(self, signal: Signal, max_items: int) -> None:
        self.signal: Final = signal
        self._max_items = max_items

    def read(self, body: bytes, encoding: Encoding) -> Submission:
        payload = body if encoding is Encoding.PROTOBUF else from_json(self.signal, body, self._max_items)
        return Submission(payload, lambda outcome: responses.success(self.signal, outcome, encoding))
