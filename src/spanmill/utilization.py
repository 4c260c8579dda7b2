"""How busy the way in is: work that can wait gives way to it."""

import math
import time
from collections.abc import Callable, Hashable
from typing import Final

_SECONDS: Final = 10.0
"""How far back `share` looks: what was so long ago counts for a third of what is now."""


class Utilization:
    """How much of the recent time some intake was at work. Belongs to the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._clock, self._at_work = clock, set[Hashable]()
        self._share, self._since = 0.0, clock()

    def begin(self, intake: Hashable) -> None:
        """The intake begins to work."""
        self._settle()
        self._at_work.add(intake)

    def end(self, intake: Hashable) -> None:
        """It has nothing to do any more. Safe twice."""
        self._settle()
        self._at_work.discard(intake)

    @property
    def share(self) -> float:
        """Of about the last ten seconds, 0 to 1."""
        self._settle()
        return self._share

    def _settle(self) -> None:
        now = self._clock()
        kept = math.exp((self._since - now) / _SECONDS)
        self._share = self._share * kept + (1 - kept) * bool(self._at_work)
        self._since = now
