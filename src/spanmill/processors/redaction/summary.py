"""The attributes `redaction.*`, which say what was done to the attributes beside them, or to the body."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp import attributes as columns


class Outcome(NamedTuple):
    """What was done to some entries, in no order."""

    rows: np.ndarray
    """The row of each."""
    keys: pa.StringArray
    """Its key, or its path in a body."""


class Outcomes(NamedTuple):
    """Of all entries of a column."""

    removed: Outcome
    masked: Outcome
    allowed: Outcome
    """Left because of what is in the value."""
    ignored: Outcome
    """Left because of the key."""


class _Names(NamedTuple):
    """How the attributes about one outcome are called, and how they stand to what a processor before this one wrote."""

    count_key: str
    keys_key: str | None
    adds_up: bool
    """What is removed or masked is seen once; what is left is seen by everyone, and the last one says it."""


def _names(prefix: str) -> tuple[_Names, ...]:
    return (
        _Names(f"{prefix}.redacted.count", f"{prefix}.redacted.keys", True),
        _Names(f"{prefix}.masked.count", f"{prefix}.masked.keys", True),
        _Names(f"{prefix}.allowed.count", f"{prefix}.allowed.keys", False),
        _Names(f"{prefix}.ignored.count", None, False),
    )


OF_ATTRIBUTES: Final = _names("redaction")
OF_BODIES: Final = _names("redaction.body")
SUMMARY_KEYS: Final = tuple(
    key for names in (*OF_ATTRIBUTES, *OF_BODIES) for key in (names.count_key, names.keys_key) if key is not None
)


class Summary:
    """`level` is `debug`, `info` or `silent`."""

    def __init__(self, level: str) -> None:
        self._level = level

    def added(
        self,
        attributes: pa.ListArray,
        outcomes: Outcomes,
        names: tuple[_Names, ...] = OF_ATTRIBUTES,
        rows: np.ndarray | None = None,
    ) -> pa.ListArray:
        """The attributes with the summary in them; `rows`: only where it is true."""
        if self._level == "silent":
            return attributes
        rows = np.ones(len(attributes), bool) if rows is None else rows
        present = set(pc.unique(attributes.flatten().field("key")).to_pylist()).intersection(SUMMARY_KEYS)
        changes = []
        for outcome, named in zip(outcomes, names, strict=True):
            counts = np.bincount(outcome.rows, minlength=len(attributes))
            chosen = rows & (counts > 0)
            if not named.adds_up and present:
                attributes = _without(attributes, rows & (counts == 0), named)
            for key, values in self._written(attributes, outcome, named, counts, present):
                changes.append((key, values, chosen))
        return columns.put_all(attributes, changes)

    def _written(
        self, attributes: pa.ListArray, outcome: Outcome, names: _Names, counts: np.ndarray, present: set[str]
    ) -> Iterator[tuple[str, pa.StructArray]]:
        """Keys and their values for each row."""
        if not counts.any():
            return
        if self._level == "debug" and names.keys_key is not None:
            listed = outcome
            if names.adds_up and names.keys_key in present:
                listed = _with_earlier(outcome, columns.get(attributes, names.keys_key).field("string_value"))
            yield names.keys_key, columns.any_values("string_value", _joined(listed, len(attributes)))
        if names.adds_up and names.count_key in present:
            earlier = columns.get(attributes, names.count_key).field("int_value").fill_null(0)
            counts = counts + earlier.to_numpy()
        yield names.count_key, columns.any_values("int_value", pa.array(counts, pa.int64()))


def _without(attributes: pa.ListArray, rows: np.ndarray, names: _Names) -> pa.ListArray:
    """What an earlier processor said of these rows does not hold any more."""
    for key in (names.count_key, names.keys_key):
        if key is not None:
            chosen = columns.entries_with_key(attributes, key) & rows[columns.entry_rows(attributes)]
            attributes = columns.remove(attributes, chosen)
    return attributes


def _with_earlier(outcome: Outcome, earlier: pa.StringArray) -> Outcome:
    """Also the keys that are listed in `earlier`, a text for each row."""
    said = pc.not_equal(earlier, "").fill_null(False).to_numpy(zero_copy_only=False)
    lists = pc.split_pattern(earlier.filter(pa.array(said)), ",")
    rows = np.flatnonzero(said)[pc.list_parent_indices(lists).to_numpy()]
    return Outcome(np.concatenate((outcome.rows, rows)), pa.concat_arrays([outcome.keys, lists.flatten()]))


def _joined(outcome: Outcome, length: int) -> pa.StringArray:
    """For each of so many rows its keys in the order of their bytes, with commas between them."""
    distinct = outcome.keys.dictionary_encode()
    rank = np.empty(len(distinct.dictionary), np.int64)
    rank[pc.array_sort_indices(distinct.dictionary).to_numpy()] = np.arange(len(rank))
    order = np.lexsort((rank[distinct.indices.to_numpy()], outcome.rows))
    ends = np.cumsum(np.bincount(outcome.rows, minlength=length))
    offsets = pa.array(np.concatenate(([0], ends)).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, outcome.keys.take(pa.array(order))), ",")
