"""The texts of a batch, gathered from all its places, so that a masker sees them in few calls.

Most places hold a few short texts, and a call costs as much as scanning some thousand bytes. Small columns are masked
together; only when something is found in them are they asked for apart, as it is counted by place.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.masker import FAILED, FAILED_COUNT
from spanmill.pii.places import Counts, Masked, Masker, Rows

_LARGE_BYTES = 64 * 1024
"""A column with more texts than that is worth a call of its own."""


class Column:
    """Texts of one place, and after `Texts.mask` what became of them."""

    def __init__(self, place: str, texts: pa.StringArray, keys: pa.StringArray | None = None) -> None:
        self.place = place
        self.texts = texts
        self.keys = keys
        """What each text stands under; None where the place has no keys."""
        self.masked = texts
        """The same array where nothing changed."""

    def changes(self) -> tuple[Rows, pa.StringArray]:
        """Indices of the texts that changed, ascending, and what they are now."""
        if self.masked is self.texts:
            return np.zeros(0, np.int64), self.texts.slice(0, 0)
        changed = pc.fill_null(pc.not_equal(self.masked, self.texts), False)
        rows = np.flatnonzero(changed.to_numpy(zero_copy_only=False))
        return rows, self.masked.take(pa.array(rows))


class Texts:
    """Columns are added, masked together, and read by whoever added them."""

    def __init__(self) -> None:
        self._columns: list[Column] = []

    def add(self, place: str, texts: pa.StringArray, keys: pa.StringArray | None = None) -> Column:
        """A column to be masked. Nulls in it stay."""
        column = Column(place, texts, keys)
        if texts.null_count < len(texts):
            self._columns.append(column)
        return column

    def mask(self, masker: Masker) -> Counts:
        """Fill in `masked` of all columns. (place, detector) to what was found there."""
        counts: Counter[tuple[str, str]] = Counter()
        for keyed in (False, True):
            small = []
            for column in self._columns:
                if (column.keys is not None) is not keyed:
                    continue
                if column.texts.nbytes > _LARGE_BYTES:
                    _mask([column], masker, counts)
                else:
                    small.append(column)
            if small:
                _mask(small, masker, counts)
        return counts


def _mask(columns: Sequence[Column], masker: Masker, counts: Counter[tuple[str, str]]) -> None:
    """In one call if nothing is found; otherwise what changed is asked for again, by column, so that it is counted.

    By halves where that does not tell the columns apart: where masking fails, or only counts.
    """
    texts = _joined([column.texts for column in columns])
    keys = None if columns[0].keys is None else _joined([column.keys for column in columns])
    try:
        distinct = _distinct(texts, keys)
        if distinct is not None and _is_clean(_ask(masker, *distinct), distinct[0]):
            return
        masked = _ask(masker, texts, keys)
    except Exception:  # noqa: BLE001 - whatever it was, and it may hold a text: it goes no further
        masked = None
    if masked is not None and _is_clean(masked, texts):
        return
    if len(columns) == 1:
        _settle(columns[0], masked, counts)
    elif masked is None or masked.texts is texts:
        half = len(columns) // 2
        _mask(columns[:half], masker, counts)
        _mask(columns[half:], masker, counts)
    else:
        end = 0
        for column in columns:
            column.masked = masked.texts.slice(end, len(column.texts))
            end += len(column.texts)
            _count(column, masker, counts)


def _settle(column: Column, masked: Masked | None, counts: Counter[tuple[str, str]]) -> None:
    """The answer to what was asked for one column; None if there was none."""
    if masked is None:
        column.masked = pc.if_else(column.texts.is_valid(), FAILED, pa.scalar(None, pa.string()))
        counts[column.place, FAILED_COUNT] += len(column.texts) - column.texts.null_count
        return
    column.masked = masked.texts
    for detector, count in masked.counts.items():
        counts[column.place, detector] += count


def _count(column: Column, masker: Masker, counts: Counter[tuple[str, str]]) -> None:
    """What was found in the texts that changed."""
    rows, _ = column.changes()
    if len(rows):
        chosen = pa.array(rows)
        keys = None if column.keys is None else column.keys.take(chosen)
        _mask([Column(column.place, column.texts.take(chosen), keys)], masker, counts)


def _is_clean(masked: Masked, texts: pa.StringArray) -> bool:
    return masked.texts is texts and not masked.counts


def _distinct(
    texts: pa.StringArray, keys: pa.StringArray | None
) -> tuple[pa.StringArray, pa.StringArray | None] | None:
    """Each text once, or each pair of key and text; None where few repeat. Names, models and states mostly do."""
    encoded = texts.dictionary_encode()
    if keys is None:
        return (encoded.dictionary, None) if 2 * len(encoded.dictionary) < len(texts) else None
    if 2 * len(encoded.dictionary) >= len(texts):
        return None
    named = keys.dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy().astype(np.int64)
    _, first = np.unique(codes * len(named.dictionary) + named.indices.to_numpy(), return_index=True)
    if 2 * len(first) >= len(texts):
        return None
    return texts.take(pa.array(first)), keys.take(pa.array(first))


def _ask(masker: Masker, texts: pa.StringArray, keys: pa.StringArray | None) -> Masked:
    """Raises also when the answer does not fit the question."""
    masked = masker.mask(texts) if keys is None else masker.mask_values(keys, texts)
    if masked.texts is not texts and not masked.texts.is_null().equals(texts.is_null()):
        raise ValueError("a masker gave other rows than it was given")
    return masked


def _joined(parts: Sequence[pa.StringArray]) -> pa.StringArray:
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
