"""Bytes in flight: what was received and not yet answered, over every receiver, kept under one bound and shared fairly.

Between senders the bound is shared by dynamic thresholds (Choudhury and Hahne, "Dynamic Queue Length Thresholds for
Shared-Memory Packet Switches", 1998): a sender may hold as much as is left. One that floods gets half, and two get a
third each; what is left then lets a newcomer in, and shrinks its neighbours' shares for as long as it stays.

What is behind admission (memory, journals) is filled by what was let in lately. When it gets short, the same rule goes
by that: a sender may have sent lately as much as there is room for, and who sends little does not notice.
"""

import math
import time
from collections.abc import Callable
from itertools import chain
from types import TracebackType
from typing import Final, Protocol, Self

from spanmill.errors import Busy

LATELY_SECONDS: Final = 5.0
"""How long what a sender sent is taken to be in the way of others: until it is stored."""


class Crowded(Busy):
    """Refused because too many bytes are in flight, or too many of this sender."""


class Room(Protocol):
    """Something that requests fill, and that has an end."""

    def room_bytes(self, lately: float) -> float:
        """The bytes that may be in flight as far as this goes. Raises `Busy` when there is no room for a sender that
        sent so many bytes lately."""


class Filling(Protocol):
    """What a journal says of itself."""

    @property
    def held_bytes(self) -> int: ...
    @property
    def max_bytes(self) -> int: ...


class JournalRoom:
    """The room in a journal. When that is more than half full, a sender may have sent lately as much as is left: one
    that floods does not get every byte that an exporter sets free. Implements `Room`.
    """

    def __init__(self, journal: Filling) -> None:
        self._journal = journal

    def room_bytes(self, lately: float) -> float:
        held, most = self._journal.held_bytes, self._journal.max_bytes
        if 2 * held > most and lately > max(0, most - held):
            raise Busy(f"the journal holds {held} bytes, of {most} allowed, and this sender sent {lately:.0f} lately")
        return math.inf


class Admission:
    """Counts the bytes of requests that are being worked on. Used on the event loop only."""

    def __init__(self, max_bytes: int, retry_after: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_bytes = max_bytes
        self.retry_after = retry_after
        """Seconds that a refused sender is asked to wait, at least."""
        self.in_flight_bytes = 0
        self.rooms: list[Room] = []
        """Asked before anything is let in. Components put here what they watch, while they run."""
        self.shared: list[Room] = []
        """Asked while several senders send: alone, one may fill them."""
        self._senders: dict[str, int] = {}
        self._lately = Lately(clock)

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
        bound = float(self.max_bytes)
        if rooms := [*self.rooms, *(self.shared if self._lately.has_others(sender) else ())]:
            lately = self._lately.sent(sender)
            bound = min([bound, *(room.room_bytes(lately) for room in rooms)])
        if self.in_flight_bytes == held:
            return
        free = bound - self.in_flight_bytes - size
        if free < 0:
            self._refuse(f"{self.in_flight_bytes} bytes are in flight, of {bound:.0f} allowed")
        own = self.held_by(sender)
        if own > held and own + size > free:
            self._refuse(f"{own} bytes of this sender are in flight, and {free + size:.0f} are left for all")

    def grow(self, sender: str, size: int) -> None:
        """Count `size` more bytes of a sender."""
        self.in_flight_bytes += size
        self._senders[sender] = self.held_by(sender) + size
        self._lately.add(sender, size)

    def forget(self, sender: str, size: int) -> None:
        """Count `size` bytes of a sender no longer: they were expected and never came."""
        self.shrink(sender, size)
        self._lately.add(sender, -size)

    def shrink(self, sender: str, size: int) -> None:
        """Count `size` bytes of a sender no longer."""
        self.in_flight_bytes -= size
        own = self.held_by(sender) - size
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

        Raises `Busy` when that would pass the bound or the sender's share of it, or there is no room behind it.
        """
        if size <= 0:
            return
        self._admission.check(self._sender, self._size, size)
        self._admission.grow(self._sender, size)
        self._size += size

    def cover(self, size: int) -> None:
        """Occupy `size` bytes in all, if it is not that much already. Raises `Busy` like `add`."""
        self.add(size - self._size)

    def shrink_to(self, size: int) -> None:
        """Occupy no more than `size` bytes: the rest never came."""
        if size < self._size:
            self._admission.forget(self._sender, self._size - size)
            self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.shrink(self._sender, self._size)
        self._size = 0


class Lately:
    """Bytes by sender over about the last `LATELY_SECONDS`: those of the interval that runs, and what is left of those
    of the one before. Who is silent for two of them is forgotten.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def add(self, sender: str, size: int) -> None:
        self._turn()
        self._now[sender] = max(0, self._now.get(sender, 0) + size)

    def sent(self, sender: str) -> float:
        passed = self._turn()
        return self._now.get(sender, 0) + self._before.get(sender, 0) * (1 - passed / LATELY_SECONDS)

    def has_others(self, sender: str) -> bool:
        """Whether somebody else sent anything."""
        self._turn()
        return any(name != sender for name in chain(self._now, self._before))

    def _turn(self) -> float:
        """Seconds since the interval began; begins a new one when that one is over."""
        passed = self._clock() - self._began
        if passed >= LATELY_SECONDS:
            self._before = self._now if passed < 2 * LATELY_SECONDS else {}
            self._now = {}
            passed = passed % LATELY_SECONDS
            self._began = self._clock() - passed
        return passed
