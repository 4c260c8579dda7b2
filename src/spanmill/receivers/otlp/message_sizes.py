"""How large a sender's next message is likely to be: gRPC does not say before the message is read."""

from typing import Final

_UNKNOWN_BYTES: Final = 256 * 1024
"""Taken for a sender's first message."""
_FORGETTING: Final = 0.9
_MOST_SENDERS: Final = 4096


class MessageSizes:
    """The largest message of each sender lately; an older one counts for less with each that follows."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def expected(self, sender: str) -> int:
        """Bytes."""
        return self._sizes.get(sender, _UNKNOWN_BYTES)

    def arrived(self, sender: str, size: int) -> None:
        """A message of `size` bytes was read."""
        before = self._sizes.pop(sender, 0)
        self._sizes[sender] = max(size, round(before * _FORGETTING))  # last in order: not the next to be forgotten
        if len(self._sizes) > _MOST_SENDERS:
            del self._sizes[next(iter(self._sizes))]
