"""The order of decisions, so that the oldest can be forgotten."""

from collections import deque

import numpy as np


class Decided:
    """Slots in the order in which they were decided."""

    def __init__(self) -> None:
        self._parts: deque[np.ndarray] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def slots(self) -> np.ndarray:
        """All, the oldest first."""
        return np.concatenate([np.zeros(0, np.int64), *self._parts])

    def add(self, slots: np.ndarray) -> None:
        """The newest."""
        if len(slots):
            self._parts.append(slots.astype(np.int64))
            self._count += len(slots)

    def take(self, count: int) -> np.ndarray:
        """Remove the oldest."""
        taken: list[np.ndarray] = []
        left = min(count, self._count)
        self._count -= left
        while left:
            part = self._parts.popleft()
            taken.append(part[:left])
            if len(part) > left:
                self._parts.appendleft(part[left:])
            left -= len(taken[-1])
        return np.concatenate([np.zeros(0, np.int64), *taken])
