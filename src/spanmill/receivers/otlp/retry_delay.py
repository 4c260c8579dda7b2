"""How long refused senders are asked to stay away."""

import time
from collections.abc import Callable
from random import Random
from typing import Final

from spanmill.otlp.responses import MAX_RETRY_SECONDS

_FIRST_SECONDS: Final = 2.0
_GROWTH: Final = 0.2
"""Seconds that the longest delay grows by in each second of pressure: it is at its end after a quarter of a minute."""
_CALM_SECONDS: Final = MAX_RETRY_SECONDS + 1.0
"""When nobody was refused for so long, the pressure is over: whoever was sent away could have been back."""


class RetryDelay:
    """Grows while senders keep being refused, from 1 or 2 seconds to 2.5 to 5; random, so that they do not come back
    together. Longer would be of no use: exporters give up a batch when the delay passes their own deadline.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, random: Random | None = None) -> None:
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - no secret
        self._since = self._last = float("-inf")

    def next(self, least: float) -> float:
        """Seconds for one refused request, `least` at least and 5 at most."""
        now = self._clock()
        if now - self._last > _CALM_SECONDS:
            self._since = now
        self._last = now
        longest = min(MAX_RETRY_SECONDS, _FIRST_SECONDS + _GROWTH * (now - self._since))
        return min(MAX_RETRY_SECONDS, max(least, self._random.uniform(longest / 2, longest)))
