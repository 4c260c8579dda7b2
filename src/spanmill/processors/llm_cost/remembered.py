"""A memory of fixed size for what was learnt about 64-bit keys: like a processor's cache, the oldest give way.

Keys fall into buckets of eight. A new key takes the place of the oldest in its bucket, so that memory is bounded
without bookkeeping, and a look-up of any number of keys is one gather. Of as many newest keys as a quarter of the
places all are still there but for one in a thousand; of an eighth, but for one in a million.
"""

from typing import Final

import numpy as np

WAYS: Final = 8
_FLAGS: Final = np.uint64(0xFF)
_HALF: Final = np.uint64(32)


class Remembered:
    """Eight flags and some values (uint64) for each key. Not for two threads at once.

    Keys are uint64, not 0, evenly spread, and their lowest eight bits are 0: the flags are kept there. What belongs to
    a bucket lies together: its keys, then the first values of each, and so on.
    """

    def __init__(self, max_bytes: int, values: int) -> None:
        self.buckets = max(1, max_bytes // (WAYS * 8 * (1 + values) + 1))
        self._words = np.zeros(self.buckets * (1 + values) * WAYS, dtype=np.uint64)
        self._keys = self._words.reshape(self.buckets, 1 + values, WAYS)[:, 0]
        self._stride = (1 + values) * WAYS
        self._oldest = np.zeros(self.buckets, dtype=np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes when it is full; it never takes more."""
        return self._words.nbytes + self._oldest.nbytes

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The place of each key (int64), -1 for those that are not remembered."""
        return self._find(keys, self._bucket(keys))

    def add(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The place of each key, which is remembered from now on, at first with zeros; and which keys are new.

        The place is -1 for a key for which its bucket has no room: more than eight of these very keys fall into it.
        """
        buckets = self._bucket(keys)
        places = self._find(keys, buckets)
        absent = places < 0
        rows = left = absent.nonzero()[0]
        for _ in range(WAYS):
            if not len(left):
                break
            bucket = buckets[left]
            way = self._oldest[bucket]
            self._oldest[bucket] = (way + 1) % WAYS
            places[left] = taken = bucket * self._stride + way
            # Of several keys in a bucket one stays; a key that is there twice stays for both.
            self._words[taken] = keys[left]
            for number in range(WAYS, self._stride, WAYS):
                self._words[taken + number] = 0
            left = left[self._words[taken] != keys[left]]
        if len(rows):
            lost = (self._words[places] ^ keys) > _FLAGS
            if lost.any():
                places[lost] = -1
        return places, absent

    def flags(self, places: np.ndarray) -> np.ndarray:
        """The flags at places (uint8)."""
        return np.asarray(self._words[places].astype(np.uint8))

    def set_flags(self, places: np.ndarray, flags: int) -> None:
        """Set these flags at places. A place may be given twice."""
        self._words[places] |= np.uint64(flags)

    def toggle_flags(self, places: np.ndarray, flags: int) -> None:
        """Turn these flags round at places. A place that is given twice is turned once."""
        self._words[places] ^= np.uint64(flags)

    def value(self, places: np.ndarray, number: int) -> np.ndarray:
        """The values of that number, from 0, at places (uint64)."""
        return np.asarray(self._words[places + WAYS * (1 + number)])

    def set_value(self, places: np.ndarray, number: int, values: np.ndarray) -> None:
        self._words[places + WAYS * (1 + number)] = values

    def _find(self, keys: np.ndarray, buckets: np.ndarray) -> np.ndarray:
        equal = (self._keys[buckets] ^ keys[:, None]) <= _FLAGS
        places = buckets * self._stride + equal.argmax(axis=1)
        # Eight booleans as one number: 0 where the key is in none of the eight.
        places[equal.view(np.uint64).ravel() == 0] = -1
        return np.asarray(places)

    def _bucket(self, keys: np.ndarray) -> np.ndarray:
        return np.asarray(((keys >> _HALF) * np.uint64(self.buckets) >> _HALF).view(np.int64))
