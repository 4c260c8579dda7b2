"""Bytes in flight: what was received and not yet answered, over every receiver, kept under one bound."""

from types import TracebackType
from typing import Self

from spanmill.errors import Busy


class Admission:
    """Counts the bytes of requests that are being worked on. Used on the event loop only."""

    def __init__(self, max_bytes: int, retry_after: float = 1.0) -> None:
        self.max_bytes = max_bytes
        self.retry_after = retry_after
        """Seconds that a refused sender is asked to wait."""
        self.in_flight_bytes = 0

    def hold(self, sender: str) -> "Held":
        """A hold of no bytes yet for a sender; grows as the request is read and ends with the `with` block."""
        return Held(self)


class Held:
    """The bytes that one request occupies."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def add(self, size: int) -> None:
        """Occupy `size` more bytes: before a body of known length is read, as chunks arrive, and as they decompress.

        Raises `Busy` when that would pass the bound; a single request is always let in when nothing else is in flight.
        """
        admission = self._admission
        others = admission.in_flight_bytes - self._size
        if others > 0 and admission.in_flight_bytes + size > admission.max_bytes:
            raise Busy(
                f"{admission.in_flight_bytes} bytes are in flight, of {admission.max_bytes} allowed",
                admission.retry_after,
            )
        admission.in_flight_bytes += size
        self._size += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.in_flight_bytes -= self._size
        self._size = 0
