"""When to try again, and when not to any more: one delivery's account of the first record it has in hand."""

import asyncio
import random
from typing import Final

from spanmill.config.blocks import RetryOnFailure

MOST_DEFECTS: Final = 5
"""Attempts at one record that end in a defect of the exporter before the record is given up."""
LONGEST_DELAY_SECONDS: Final = 3600.0
"""What a server may ask for: by mistake it may be years, and the data waits here."""


class Retrying:
    """Times are seconds of the event loop's clock. `restart` for the next record."""

    def __init__(self, retry: RetryOnFailure, *, durable: bool) -> None:
        self.enabled = retry.enabled
        self.limit_seconds = retry.gives_up_after(durable=durable)
        """How long one record may be tried; 0: for ever."""
        self._retry = retry
        self.restart()

    def restart(self) -> None:
        """Another record is first now."""
        self.wait_seconds = 0.0
        """Between the last attempt and the next."""
        self._since: float | None = None
        self._pause = 0.0
        self._defects = 0

    def begin(self) -> None:
        """An attempt begins."""
        if self._since is None:
            self._since = asyncio.get_running_loop().time()

    def back_off(self, asked_seconds: float = 0.0) -> float:
        """Something failed: `wait_seconds`, longer each time, and no shorter than the server asks for."""
        retry = self._retry
        self._pause = min(self._pause * retry.multiplier, retry.max_interval) if self._pause else retry.initial_interval
        spread = random.uniform(1 - retry.randomization_factor, 1 + retry.randomization_factor)  # noqa: S311
        self.wait_seconds = max(min(asked_seconds, LONGEST_DELAY_SECONDS), self._pause * spread)
        return self.wait_seconds

    @property
    def too_late(self) -> bool:
        """Whether the next attempt would be beyond the limit."""
        elapsed = asyncio.get_running_loop().time() - self._since if self._since is not None else 0.0
        return bool(self.limit_seconds) and elapsed + self.wait_seconds > self.limit_seconds

    def count_defect(self) -> bool:
        """The exporter failed by a defect when handed this record alone. True when that is to be the last time."""
        self._defects += 1
        return self._defects >= MOST_DEFECTS
