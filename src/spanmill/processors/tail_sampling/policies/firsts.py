"""The first traces of each new combination of values: of a version of a prompt, for example.

Whether a trace is among the first depends on those before it, and not on its own randomness: given the others it is
kept whatever that is, so that its threshold is 0 and it stands for itself alone. Further traces of the combination are
not kept by this policy at all, and stand for nothing here; sums stay unbiased as long as another policy keeps a share
of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.types as types

from spanmill.batch import Batch
from spanmill.schema import TABLES
from spanmill.signal import Signal

Columns = tuple[str, ...]
_KEY_BYTES: Final = 8
_SCHEMA: Final = TABLES[Signal.TRACES].schema
USABLE: Final = tuple(
    each.name
    for each in _SCHEMA
    if types.is_string(each.type) or types.is_boolean(each.type) or types.is_integer(each.type)
)
"""The columns of `spans` that values can be combined of."""


@dataclass(frozen=True, slots=True)
class Combinations:
    """Which traces of a pass have which combinations of values, each pair once, by combination and then by trace."""

    traces: np.ndarray
    numbers: np.ndarray
    """Of the combinations."""
    keys: list[str]
    """For each number what the combination is remembered by: a digest, so that no value is written to the disk."""


@dataclass(slots=True)
class FirstOf:
    """Counts traces of each combination. One thread at a time."""

    name: str
    """Distinct among those of a processor, and the same after a restart."""
    columns: Columns
    most: int
    """So many traces of each combination are kept."""
    max_combinations: int
    counts: dict[str, int] = field(default_factory=dict)
    """By key, the combination that was not seen for the longest time first; of one that was seen often, `most`."""
    changed: dict[str, int] = field(default_factory=dict)
    """What the last pass made of the counts."""

    def matches(self, found: Combinations, eligible: np.ndarray) -> np.ndarray:
        """For each trace whether it is among the first of a combination; those that are eligible are counted."""
        matched = np.zeros(len(eligible), bool)
        counted = eligible[found.traces]
        traces, of_pair = found.traces[counted], found.numbers[counted]
        numbers, starts, sizes = np.unique(of_pair, return_index=True, return_counts=True)
        self.changed = {}
        for number, start, size in zip(numbers.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            key = found.keys[number]
            before = self.counts.get(key, 0)
            matched[traces[start : start + min(size, self.most - before)]] = True
            self.changed[key] = min(before + size, self.most)
        self.add(self.changed)
        return matched

    def add(self, counts: Mapping[str, int]) -> None:
        """Take over counts of combinations that were seen now, in this order, and forget what is too much."""
        for key, count in counts.items():
            self.counts.pop(key, None)
            self.counts[key] = min(int(count), self.most)
        for key in list(self.counts)[: max(0, len(self.counts) - self.max_combinations)]:
            del self.counts[key]


def combinations(columns: Columns, rows: Batch, trace_of_row: np.ndarray) -> Combinations:
    """The combinations of values in a pass. Rows in which one of the columns is null have none."""
    values = [rows.column(name) for name in columns]
    known = np.logical_and.reduce([each.is_valid().to_numpy(zero_copy_only=False) for each in values])
    places = pa.array(np.flatnonzero(known))
    values, traces = [each.take(places) for each in values], trace_of_row[known]
    numbers = np.zeros(len(traces), np.int64)
    for each in values:
        encoded = each.dictionary_encode()
        mixed = numbers * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
        numbers = np.unique(mixed, return_inverse=True)[1]
    _, examples = np.unique(numbers, return_index=True)
    texts = zip(*(each.take(pa.array(examples)).to_pylist() for each in values), strict=True)
    pairs = np.unique(np.stack([numbers, traces]), axis=1) if len(traces) else np.zeros((2, 0), np.int64)
    return Combinations(pairs[1], pairs[0], [_key(each) for each in texts])


def _key(values: Sequence[Any]) -> str:
    return hashlib.blake2b(orjson.dumps(values), digest_size=_KEY_BYTES).hexdigest()
