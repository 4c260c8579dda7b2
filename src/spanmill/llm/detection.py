"""Which dialect each row speaks."""

import re
from collections.abc import Sequence

import numpy as np

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
        by_scope = np.array([self._scope(name or "") for name in names], np.int64)[scopes.indices.to_numpy()]
        by_attributes = np.zeros(len(reading.batch), np.int64)
        masks = np.array([self._key(key) for key in index.keys], np.int64)
        if masks.any():
            of_entry = masks[index.codes]
            telling = np.flatnonzero(of_entry)
            np.bitwise_or.at(by_attributes, index.row_of_entry[telling], of_entry[telling])
        pairs, inverse = np.unique(np.stack([by_scope, by_attributes]), axis=1, return_inverse=True)
        chosen = np.array([_choose(int(scope), int(attributes)) for scope, attributes in pairs.T], np.int64)
        return np.asarray(chosen[inverse.reshape(-1)])

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


def _choose(by_scope: int, by_attributes: int) -> int:
    for candidates in (by_scope & by_attributes, by_scope, by_attributes):
        if candidates:
            return (candidates & -candidates).bit_length() - 1
    return NONE
