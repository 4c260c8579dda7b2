"""Which dialect each row speaks."""

import re
from collections.abc import Sequence

import numpy as np

from spanmill.llm.attribute_index import AttributeIndex
from spanmill.llm.dialect import Dialect
from spanmill.llm.reading import Reading

NONE = -1
"""The number of no dialect."""


class Detection:
    """Tells dialects by scope and by attributes. Remembers what it worked out for each distinct name.

    A dialect that both fit comes before one that only the scope fits, and that before one that only attributes fit;
    among equals the order of the list decides.
    """

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        if len(dialects) > 62:
            raise ValueError("no more than 62 dialects")
        self._dialects = dialects
        self._scopes = [re.compile(dialect.detect.scope_pattern()) for dialect in dialects]
        self._of_scope: dict[str, int] = {}
        self._of_key: dict[str, int] = {}

    def __call__(self, reading: Reading) -> np.ndarray:
        """For each row the dialect's place in the list, or `NONE`."""
        records, index = reading.batch.records, reading.attributes
        scopes = records.column("scope")
        names = scopes.dictionary.field("scope").field("name").to_pylist()
        by_scope = np.array([self._scope(name or "") for name in names], np.int64)
        keys, key_of_row = _any_of(np.array([self._key(key) for key in index.keys], np.int64), index)
        pairs = scopes.indices.to_numpy() * len(keys) + key_of_row
        found, inverse = np.unique(pairs, return_inverse=True)
        chosen = [_choose(int(by_scope[pair // len(keys)]), int(keys[pair % len(keys)])) for pair in found]
        return np.asarray(np.array(chosen, np.int64)[inverse])

    def _scope(self, name: str) -> int:
        if name not in self._of_scope:
            self._remember(self._of_scope, name, [pattern.match(name) is not None for pattern in self._scopes])
        return self._of_scope[name]

    def _key(self, key: str) -> int:
        if key not in self._of_key:
            self._remember(self._of_key, key, [d.detect.has_attribute(key) for d in self._dialects])
        return self._of_key[key]

    @staticmethod
    def _remember(known: dict[str, int], name: str, fits: list[bool]) -> None:
        if len(known) > 10_000:  # senders can make up names without end
            known.clear()
        known[name] = sum(1 << place for place, fit in enumerate(fits) if fit)


def _any_of(masks: np.ndarray, index: AttributeIndex) -> tuple[np.ndarray, np.ndarray]:
    """The distinct sets of dialects that rows' attributes tell, and for each row which of them."""
    of_row = np.zeros(index.rows, np.int64)
    telling = np.flatnonzero(masks[index.codes]) if masks.any() else np.zeros(0, np.int64)
    if len(telling):
        rows = index.row_of_entry[telling]  # ascending: entries stand row by row
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        of_row[rows[starts]] = np.bitwise_or.reduceat(masks[index.codes[telling]], starts)
    distinct, which = np.unique(of_row, return_inverse=True)
    return distinct, which


def _choose(by_scope: int, by_attributes: int) -> int:
    for candidates in (by_scope & by_attributes, by_scope, by_attributes):
        if candidates:
            return (candidates & -candidates).bit_length() - 1
    return NONE
