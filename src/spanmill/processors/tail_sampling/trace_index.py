"""Traces by their ids, as columns: what tail sampling knows of each, without an object for each."""

from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch

FREE, PENDING, KEPT, DROPPED = range(4)
"""States of a slot."""
_EMPTY: Final = -1
_REMOVED: Final = -2
_LEAST_SLOTS: Final = 1024
_NO_SEQUENCE: Final = np.iinfo(np.int64).max


class TraceIndex:
    """Numbers traces: each has a *slot*, which is its place in the columns below until it is removed.

    A hash table with open addressing, looked up for many traces at once. Not safe from several threads at once.
    """

    def __init__(self) -> None:
        self.ids = np.zeros((_LEAST_SLOTS, 2), np.uint64)
        """The 16 bytes of the trace id as two numbers, see `trace_ids`."""
        self.state = np.zeros(_LEAST_SLOTS, np.uint8)
        self.first_seen = np.zeros(_LEAST_SLOTS)
        """When its first span came, in seconds of the event loop's clock."""
        self.last_seen = np.zeros(_LEAST_SLOTS)
        self.root_seen = np.zeros(_LEAST_SLOTS)
        """Infinite while its root has not come."""
        self.spans = np.zeros(_LEAST_SLOTS, np.int32)
        self.size = np.zeros(_LEAST_SLOTS, np.int64)
        """Bytes of its spans; 0 where nobody asks for sizes."""
        self.first_sequence = np.zeros(_LEAST_SLOTS, np.int64)
        """The record of the journal with its first span."""
        self.lowest_score = np.zeros(_LEAST_SLOTS, np.float32)
        """Of its evaluations; not a number while there is none."""
        self.negative_feedback = np.zeros(_LEAST_SLOTS, bool)
        self.rejected = np.zeros(_LEAST_SLOTS, np.uint64)
        """Of one that is kept: the probability with which it would not have been, in units of 2^-56."""
        self.policy = np.zeros(_LEAST_SLOTS, np.int16)
        """Of one that is kept: the number of the policy."""
        self._table = np.full(2 * _LEAST_SLOTS, _EMPTY, np.int32)
        self._free = np.arange(_LEAST_SLOTS, dtype=np.int32)[::-1].copy()
        """The slots without a trace are its first `_free_count`."""
        self._free_count = _LEAST_SLOTS
        self._removed = 0
        self._key = np.random.default_rng().integers(0, 2**63, 2, np.uint64)
        """Unknown to senders, who could else choose ids that all hash alike."""

    def __len__(self) -> int:
        return len(self.state) - self._free_count

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(array.nbytes for array in (self._table, self._free, *(getattr(self, name) for name in _COLUMNS)))

    def slots(self, ids: np.ndarray) -> np.ndarray:
        """The slot of each trace, -1 for those that are not known. `ids`: (n, 2) uint64."""
        found = np.full(len(ids), _EMPTY, np.int32)
        left, places = np.arange(len(ids)), self._places(ids)
        while len(left):
            slots = self._table[places]
            same = slots >= 0
            same[same] = (self.ids[slots[same]] == ids[left[same]]).all(axis=1)
            found[left[same]] = slots[same]
            further = ~same & (slots != _EMPTY)
            left, places = left[further], (places[further] + 1) & (len(self._table) - 1)
        return found

    def add(self, ids: np.ndarray) -> np.ndarray:
        """Slots for traces that are not known and are distinct: pending, without spans."""
        self._make_room(len(ids))
        slots = self._free[self._free_count - len(ids) : self._free_count][::-1].copy()
        self._free_count -= len(ids)
        self.ids[slots] = ids
        self.state[slots] = PENDING
        self.first_seen[slots] = self.root_seen[slots] = np.inf
        self.last_seen[slots] = -np.inf
        self.spans[slots] = self.size[slots] = 0
        self.first_sequence[slots] = _NO_SEQUENCE
        self.lowest_score[slots] = np.nan
        self.negative_feedback[slots] = False
        self._enter(slots)
        return slots

    def remove(self, slots: np.ndarray) -> None:
        """Forget traces; their slots go to others."""
        if not len(slots):
            return
        left, places = np.arange(len(slots)), self._places(self.ids[slots])
        while len(left):
            same = self._table[places] == slots[left]
            self._table[places[same]] = _REMOVED
            left, places = left[~same], (places[~same] + 1) & (len(self._table) - 1)
        self._removed += len(slots)
        self.state[slots] = FREE
        self._free[self._free_count : self._free_count + len(slots)] = slots
        self._free_count += len(slots)

    def in_state(self, state: int) -> np.ndarray:
        """The slots in a state."""
        return np.flatnonzero(self.state == state)

    def _places(self, ids: np.ndarray) -> np.ndarray:
        """Where in the table each id is looked for first."""
        mixed = (ids[:, 0] ^ self._key[0]) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32)) ^ ids[:, 1] ^ self._key[1]) * np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        return np.asarray(mixed & np.uint64(len(self._table) - 1)).astype(np.int64)

    def _enter(self, slots: np.ndarray) -> None:
        left, places = slots, self._places(self.ids[slots])
        while len(left):
            empty = self._table[places] < 0
            self._table[places[empty]] = left[empty]  # where several want one place, the last has it
            placed = self._table[places] == left
            left, places = left[~placed], (places[~placed] + 1) & (len(self._table) - 1)

    def _make_room(self, count: int) -> None:
        before = len(self.state)
        while self._free_count < count:
            more = len(self.state)
            for name in _COLUMNS:
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
            grown = np.empty(2 * more, np.int32)
            grown[: self._free_count] = self._free[: self._free_count]
            grown[self._free_count : self._free_count + more] = np.arange(2 * more - 1, more - 1, -1)
            self._free, self._free_count = grown, self._free_count + more
        if len(self.state) != before or self._removed > len(self._table) // 4:
            self._table = np.full(2 * len(self.state), _EMPTY, np.int32)
            self._removed = 0
            self._enter(np.flatnonzero(self.state != FREE).astype(np.int32))


_COLUMNS: Final = (
    "ids", "state", "first_seen", "last_seen", "root_seen", "spans", "size", "first_sequence", "lowest_score",
    "negative_feedback", "rejected", "policy",
)  # fmt: skip


def trace_ids(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The distinct trace ids of a batch, (n, 2) uint64, and for each row which of them it has (int32)."""
    encoded = batch.records.column("trace_id").dictionary_encode()
    return ids_of(encoded.dictionary), encoded.indices.to_numpy()


def ids_of(texts: pa.BinaryArray) -> np.ndarray:
    """Trace ids of 16 bytes as (n, 2) uint64, big-endian."""
    if not len(texts):
        return np.zeros((0, 2), np.uint64)
    offset = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset]
    data = np.frombuffer(texts.buffers()[2], np.uint8)[offset : offset + 16 * len(texts)]
    return data.view(">u8").astype(np.uint64).reshape(-1, 2)
