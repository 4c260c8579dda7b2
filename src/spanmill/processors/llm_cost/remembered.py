"""A memory of fixed size for what was learnt about 64-bit keys: like a processor's cache, the oldest give way.

Keys fall into buckets of eight places. A new key takes the place of the oldest in its bucket, so that memory is bounded
without bookkeeping, and a look-up of any number of keys is one gather. As many keys as a quarter of the places are all
still there but for one in a thousand; an eighth, but for one in a million.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

WAYS: Final = 8
_HALF: Final = np.uint64(32)


class Remembered:
    """Columns of values by key. Keys are uint64, not 0, and evenly spread. Not for two threads at once."""

    def __init__(self, max_bytes: int, columns: Mapping[str, type[np.generic]]) -> None:
        width = 8 + sum(np.dtype(kind).itemsize for kind in columns.values())
        self.buckets = max(1, max_bytes // (WAYS * width + 1))
        places = self.buckets * WAYS
        self._keys = np.zeros(places, dtype=np.uint64)
        self._oldest = np.zeros(self.buckets, dtype=np.uint8)
        self._columns = {name: np.zeros(places, dtype=kind) for name, kind in columns.items()}
        self._by_bucket = self._keys.reshape(self.buckets, WAYS)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes when it is full; it never takes more."""
        return self._keys.nbytes + self._oldest.nbytes + sum(each.nbytes for each in self._columns.values())

    def column(self, name: str) -> np.ndarray:
        """The values, by place. To be read and written at places that `find` and `add` gave."""
        return self._columns[name]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The place of each key (int64), -1 for those that are not remembered."""
        buckets = self._bucket(keys)
        equal = self._by_bucket[buckets] == keys[:, None]
        way = equal.argmax(axis=1)
        found = equal[np.arange(len(keys)), way]
        return np.asarray(np.where(found, buckets * WAYS + way, -1))

    def add(self, keys: np.ndarray) -> np.ndarray:
        """The place of each key, which is remembered from now on, at first with zeros.

        -1 for a key for which its bucket has no room: more than eight of these very keys fall into it.
        """
        places = self.find(keys)
        absent = np.flatnonzero(places < 0)
        if not len(absent):
            return places
        new, inverse = np.unique(keys[absent], return_inverse=True)
        taken = self._take(new)
        places[absent] = taken[inverse]
        places[self._keys[places] != keys] = -1
        return np.asarray(places)

    def _take(self, keys: np.ndarray) -> np.ndarray:
        """Places for ascending, different, absent keys."""
        buckets = self._bucket(keys)
        numbers = np.arange(len(keys))
        is_first = np.ones(len(keys), dtype=bool)
        is_first[1:] = buckets[1:] != buckets[:-1]
        rank = numbers - np.maximum.accumulate(np.where(is_first, numbers, 0))
        way = (self._oldest[buckets] + rank) % WAYS
        places = buckets * WAYS + way
        is_last = np.append(is_first[1:], True)
        self._keys[places] = keys
        for column in self._columns.values():
            column[places] = 0
        self._oldest[buckets[is_last]] = (way[is_last] + 1) % WAYS
        return np.asarray(places)

    def _bucket(self, keys: np.ndarray) -> np.ndarray:
        """By the upper half of the key, so that ascending keys are in ascending buckets."""
        return np.asarray(((keys >> _HALF) * np.uint64(self.buckets) >> _HALF).astype(np.int64))
