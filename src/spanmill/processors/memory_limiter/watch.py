"""Decides whether to refuse, from how much memory the process holds. No task and no clock of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig

_MIB: Final = 1024 * 1024
_DEFAULT_SPIKE_SHARE: Final = 0.2
_SOFT_SECONDS: Final = 10.0
"""Memory is given back at most so often while only the soft limit is passed."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_WORTHWHILE: Final = 0.05
"""Giving back that frees a smaller share is tried less and less often: it costs a pause of everything."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes of resident memory. New data is refused above `soft`; `hard` is what the process should never reach."""

    soft: int
    hard: int


def limits(config: MemoryLimiterProcessorConfig, total: int) -> Limits:
    """The limits that a configuration means on a machine (or in a container) of `total` bytes."""
    if config.limit_mib:
        hard, spike = config.limit_mib * _MIB, config.spike_limit_mib * _MIB
    else:
        hard, spike = total * config.limit_percentage // 100, total * config.spike_limit_percentage // 100
    return Limits(hard - (spike or int(hard * _DEFAULT_SPIKE_SHARE)), hard)


class Watch:
    """Looks at the memory held and remembers when giving back was last worth it."""

    def __init__(self, limits: Limits, read: Callable[[], float], give_back: Callable[[], None]) -> None:
        self.limits = limits
        self.refusing = False
        self.held = 0.0
        """Bytes of resident memory when it was last looked at."""
        self._read, self._give_back = read, give_back
        self._gave_back = float("-inf")
        self._pause = 0.0

    def look(self, now: float) -> None:
        """Look, give back if that is due, and look again. `now` is in seconds of any steady clock."""
        self.held = self._read()
        if self.held > self.limits.soft and self._due(now):
            before = self.held
            self._give_back()
            self.held = self._read()
            self._gave_back = now
            worthwhile = self.held < before * (1 - _WORTHWHILE)
            self._pause = 0.0 if worthwhile else min(max(self._pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self.refusing = self.held > self.limits.soft

    def _due(self, now: float) -> bool:
        least = 0.0 if self.held > self.limits.hard else _SOFT_SECONDS
        return now - self._gave_back >= max(least, self._pause)
