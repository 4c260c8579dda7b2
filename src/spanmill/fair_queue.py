"""A queue that many senders share: whoever puts much into it waits behind itself, not in front of the others.

Deficit round robin (Shreedhar and Varghese, 1996): senders take turns, each turn is worth the same number of bytes, and
what a sender could not use because its next item is larger it keeps for its next turn.
"""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

QUANTUM_BYTES: Final = 64 * 1024
"""What a turn is worth: an ordinary request or a few. An item of several times as much waits for as many turns."""


class _Line(Generic[T]):
    """One sender's items, first in, first out, and the bytes it may still take in its turn."""

    __slots__ = ("credit", "items", "sender")

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self.items: deque[tuple[int, T]] = deque()
        self.credit = QUANTUM_BYTES


class FairQueue(Generic[T]):
    """First in, first out for each sender; between senders that wait, even in bytes.

    While two senders wait all the time, what they get differs by less than a quantum and the largest item. A sender
    whose items are all taken is forgotten, with the credit that it did not use.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._turns: deque[_Line[T]] = deque()
        """The senders that wait; the first one's turn is now."""
        self._length = 0

    def put(self, sender: str, size: int, item: T) -> None:
        """Append an item of `size` bytes to a sender's line. A new sender's turn comes after all the others'."""
        line = self._lines.get(sender)
        if line is None:
            line = self._lines[sender] = _Line(sender)
            self._turns.append(line)
        line.items.append((size, item))
        self._length += 1

    def take(self, max_bytes: int) -> list[T]:
        """Take items of `max_bytes` together at most, one at least unless the queue is empty.

        Ends at the first item that does not fit, and goes on with it the next time: large items are not passed over.
        Constant time for each item, and for each quantum that it is larger.
        """
        taken: list[T] = []
        room = max_bytes
        while self._turns:
            line = self._turns[0]
            while line.items and (size := line.items[0][0]) <= line.credit:
                if taken and size > room:
                    return taken
                taken.append(line.items.popleft()[1])
                self._length -= 1
                line.credit -= size
                room -= size
            if line.items:
                line.credit += QUANTUM_BYTES
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
                del self._lines[line.sender]
        return taken

    def __len__(self) -> int:
        return self._length
