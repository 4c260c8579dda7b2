"""Which requests were appended lately, so that one that is sent again is stored once."""

import time
from collections import deque
from collections.abc import Sequence

MOST_REQUESTS = 250_000
"""Beyond it the oldest are forgotten early: about 30 MB."""


class RecentRequests:
    """Digests of requests, each remembered for a while."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._digests: set[bytes] = set()
        self._groups: deque[tuple[float, Sequence[bytes]]] = deque()

    def add(self, digests: Sequence[bytes], age_seconds: float = 0.0) -> None:
        """Remember requests that were appended together, so long ago. Older ones first."""
        if not digests or age_seconds >= self._window_seconds:
            return
        self._groups.append((time.monotonic() - age_seconds, digests))
        self._digests.update(digests)
        self._forget()

    def __contains__(self, digest: bytes) -> bool:
        self._forget()
        return digest in self._digests

    def _forget(self) -> None:
        oldest = time.monotonic() - self._window_seconds
        while self._groups and (self._groups[0][0] < oldest or len(self._digests) > MOST_REQUESTS):
            self._digests.difference_update(self._groups.popleft()[1])
