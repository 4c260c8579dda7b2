"""How much a journal may hold, and who is turned away when it is full."""

from spanmill.errors import Busy


class Room:
    """Bytes held, kept under a bound by refusing (`Busy`) rather than by forgetting."""

    def __init__(self, max_bytes: int, retry_after: float) -> None:
        self.max_bytes = max_bytes
        self.retry_after = retry_after
        """Seconds that a refused sender is asked to wait."""
        self.held_bytes = 0
        self._turned_away = 0

    def reserve(self, size: int) -> None:
        """Make sure that `size` more bytes fit. A batch larger than the bound is let in when nothing else is held: else
        it could never pass.

        What was turned away is remembered: nothing else is taken before there is room for as much, so that small
        batches do not keep a large one out for ever, and `reserve(0)` tells whether senders are being refused.
        """
        needed = max(size, self._turned_away)
        if self.held_bytes and self.held_bytes + needed > self.max_bytes:
            self._turned_away = needed
            raise Busy(f"the journal holds {self.held_bytes} bytes, of {self.max_bytes} allowed", self.retry_after)
        self._turned_away = 0
