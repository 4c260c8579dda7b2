"""Bytes in flight: what was received and not yet answered, over every receiver, kept under one bound and shared fairly.

Between senders the bound is shared by dynamic thresholds (Choudhury and Hahne, "Dynamic Queue Length Thresholds for
Shared-Memory Packet Switches", 1998): a sender may hold as much as is left. One that floods gets half, and two get a
third each; what is left then lets a newcomer in, and shrinks its neighbours' shares for as long as it stays.
"""

from types import TracebackType
from typing import Protocol, Self

from spanmill.errors import Busy


class Crowded(Busy):
    """Refused because too many bytes are in flight, or too many of this sender."""


class Memory(Protocol):
    """Tells how much memory there is for requests."""

    def room_bytes(self) -> float:
        """The bytes that may be in flight as far as memory goes. Raises `Busy` when there is none for any."""


class Admission:
    """Counts the bytes of requests that are being worked on. Used on the event loop only."""

    def __init__(self, max_bytes: int, retry_after: float = 1.0) -> None:
        self.max_bytes = max_bytes
        self.retry_after = retry_after
        """Seconds that a refused sender is asked to wait, at least."""
        self.in_flight_bytes = 0
        self.memories: list[Memory] = []
        """Asked before anything is let in. What watches memory puts itself here while it runs."""
        self._senders: dict[str, int] = {}

    def hold(self, sender: str) -> "Held":
        """A hold of no bytes yet for a sender; grows as the request is read and ends with the `with` block."""
        return Held(self, sender)

    def held_by(self, sender: str) -> int:
        """Bytes in flight of one sender."""
        return self._senders.get(sender, 0)

    def check(self, sender: str, held: int, size: int) -> None:
        """Raises `Busy` when a request of `sender` that holds `held` bytes may not have `size` more.

        The only request there is is always let in as far as the bound goes, and so is the only one of its sender while
        there is room at all: else a large request would wait until everybody else is silent.
        """
        bound = min([self.max_bytes, *(memory.room_bytes() for memory in self.memories)])
        others = self.in_flight_bytes - held
        if others <= 0:
            return
        free = bound - self.in_flight_bytes - size
        if free < 0:
            self._refuse(f"{self.in_flight_bytes} bytes are in flight, of {bound:.0f} allowed")
        own = self.held_by(sender)
        if own > held and own + size > free:
            self._refuse(f"{own} bytes of this sender are in flight, and {free + size:.0f} are left for all")

    def move(self, sender: str, size: int) -> None:
        """Count `size` more bytes of a sender, or fewer."""
        self.in_flight_bytes += size
        own = self.held_by(sender) + size
        if own:
            self._senders[sender] = own
        else:
            self._senders.pop(sender, None)

    def _refuse(self, reason: str) -> None:
        raise Crowded(reason, self.retry_after)


class Held:
    """The bytes that one request occupies."""

    __slots__ = ("_admission", "_sender", "_size")

    def __init__(self, admission: Admission, sender: str) -> None:
        self._admission = admission
        self._sender = sender
        self._size = 0

    def add(self, size: int) -> None:
        """Occupy `size` more bytes: before a body of known length is read, as chunks arrive, and as they decompress.

        Raises `Busy` when that would pass the bound or the sender's share of it, or memory is short.
        """
        self._admission.check(self._sender, self._size, size)
        self._admission.move(self._sender, size)
        self._size += size

    def cover(self, size: int) -> None:
        """Occupy `size` bytes in all, if it is not that much already. Raises `Busy` like `add`."""
        if size > self._size:
            self.add(size - self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.move(self._sender, -self._size)
        self._size = 0
