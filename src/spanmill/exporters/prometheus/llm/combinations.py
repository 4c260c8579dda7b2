"""Combinations of small numbers as one number each, without looking at a row twice.

The numbers of a row are packed into integers of at most 62 bits; one that would not fit begins with the number of what
came before it. A combination that is known is found by binary search, for all rows at once.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

_KEY_BITS: Final = 62
_NUMBER_BITS: Final = 31


class _Keys:
    """Integers, numbered in the order in which they came."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.int64)
        self._numbers = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._sorted)

    def numbers(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of each key, and for each key that is new, in the order of their numbers, a row that has it."""
        new = np.empty(0, np.int64)
        if len(self._sorted) == 0:
            unknown = np.arange(len(keys))
        else:
            at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
            unknown = np.flatnonzero(self._sorted[at] != keys)
        if len(unknown):
            added, first = np.unique(keys[unknown], return_index=True)
            new = unknown[first]
            self._add(added)
            at = np.searchsorted(self._sorted, keys)
        return self._numbers[at], new

    def _add(self, keys: np.ndarray) -> None:
        numbers = np.concatenate((self._numbers, len(self) + np.arange(len(keys))))
        merged = np.concatenate((self._sorted, keys))
        order = np.argsort(merged, kind="stable")
        self._sorted, self._numbers = merged[order], numbers[order]


class Combinations:
    """Numbers combinations. `bits`: how large each of their numbers may be."""

    def __init__(self, bits: Sequence[int]) -> None:
        self._shifts: list[tuple[int, int]] = []
        """For each number which integer it goes into, and where."""
        word = used = 0
        for width in bits:
            if used + width > _KEY_BITS:
                word, used = word + 1, _NUMBER_BITS
            self._shifts.append((word, used))
            used += width
        self._words = [_Keys() for _ in range(word + 1)]

    def __len__(self) -> int:
        return len(self._words[-1])

    @property
    def held(self) -> int:
        """How many integers are remembered, in all."""
        return sum(map(len, self._words))

    def numbers(self, columns: Sequence[np.ndarray | None], rows: int) -> tuple[np.ndarray, np.ndarray]:
        """The number of each row's combination, and a row of each new one, in the order of their numbers.

        A column that is None is all zeros.
        """
        keys = [np.zeros(rows, np.int64) for _ in self._words]
        for column, (word, shift) in zip(columns, self._shifts, strict=True):
            if column is not None:
                keys[word] += column << shift
        numbers, new = self._words[0].numbers(keys[0])
        for word in range(1, len(self._words)):
            numbers, new = self._words[word].numbers(keys[word] + numbers)
        return numbers, new
