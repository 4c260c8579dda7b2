"""Letters of rows: how those of all values in a row are put together into one text, and taken apart again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.letters import ambiguous, letters_of, likely_letters, values_of


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the letters of each row."""

    letters: np.ndarray
    """Of all rows, one after the other."""
    offsets: np.ndarray
    """Where each row's begin, and the end of the last."""
    odd: np.ndarray
    """Rows that hold what text and letters cannot say (indices, perhaps repeated)."""


_NONE = np.zeros(0, np.int64)


def one_each(letters: np.ndarray, odd: np.ndarray = _NONE) -> Part:
    """A letter for each row."""
    return Part(letters, np.arange(len(letters) + 1), odd)


def of_values(values: pa.StructArray) -> Part:
    """The letter of the row's only AnyValue."""
    letters = letters_of(values)
    return one_each(letters, ambiguous(values, letters))


def of_attributes(attributes: pa.ListArray, maps: pa.MapArray) -> Part:
    """The letters of each row's attributes; `maps` is what the public table made of them."""
    entries, offsets = attributes.flatten(), offsets_of(attributes)
    values = entries.field("value")
    letters = letters_of(values)
    odd = [row_of(offsets)[ambiguous(values, letters)]]
    if offsets_of(maps)[-1] < len(entries):  # a key twice, of which the table shows the last
        odd.append(np.flatnonzero(np.diff(offsets_of(maps)) < np.diff(offsets)))
    return Part(letters, offsets, np.concatenate(odd))


def within(lists: pa.ListArray, part: Part) -> Part:
    """The part of the lists' elements as one of the rows that hold the lists."""
    offsets = offsets_of(lists)
    return Part(part.letters, part.offsets[offsets], row_of(offsets)[part.odd])


def join(parts: Sequence[Part], odd: np.ndarray) -> pa.StringArray:
    """One text for each row, its parts one after the other; null in the rows that are `odd`."""
    lengths = [np.diff(part.offsets) for part in parts]
    starts = np.concatenate(([0], np.cumsum(np.sum(lengths, axis=0)))).astype(np.int32)
    text, place = np.empty(starts[-1], np.uint8), starts[:-1].astype(np.int64)
    for part, length in zip(parts, lengths, strict=True):
        if len(part.letters):
            text[np.repeat(place - part.offsets[:-1], length) + np.arange(len(part.letters))] = part.letters
        place += length
    texts = pa.StringArray.from_buffers(len(odd), pa.py_buffer(starts), pa.py_buffer(text))
    return pc.if_else(pa.array(odd), pa.scalar(None, pa.string()), texts) if odd.any() else texts


@dataclass(frozen=True, slots=True)
class Letters:
    """The texts that `join` made."""

    texts: pa.StringArray

    def split(self, offsets: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """The letters of each part, whose offsets these are; and the rows that have none, or not as many as it takes.

        Theirs are 0.
        """
        lengths = [np.diff(part) for part in offsets]
        wanted = np.sum(lengths, axis=0)
        held = pc.fill_null(pc.binary_length(self.texts), -1).to_numpy(zero_copy_only=False)
        known = held == wanted
        text = np.frombuffer(pc.binary_join(_in_one_list(self.texts.filter(pa.array(known))), "")[0].as_buffer(), "u1")
        place = np.cumsum(np.where(known, wanted, 0)) - np.where(known, wanted, 0)
        parts = []
        for part, length in zip(offsets, lengths, strict=True):
            letters = np.zeros(part[-1], np.uint8)
            of_known = np.repeat(known, length)
            letters[of_known] = text[(np.repeat(place - part[:-1], length) + np.arange(part[-1]))[of_known]]
            parts.append(letters)
            place = place + np.where(known, length, 0)
        return parts, np.flatnonzero(~known)


def _in_one_list(texts: pa.StringArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)


def attributes_of(maps: pa.MapArray, letters: np.ndarray, kind: pa.ListType) -> pa.ListArray:
    """`list<KeyValue>` from a map column, one letter for each entry; types are guessed where the letter is 0."""
    offsets = offsets_of(maps)
    first = maps.offsets[0].as_py()  # keys and items are those of the whole array, also of a slice
    keys, texts = maps.keys.slice(first, offsets[-1]), maps.items.slice(first, offsets[-1])
    values = typed(texts, letters)
    children = [keys if field.name == "key" else values for field in kind.value_type]
    entries = pa.StructArray.from_arrays(children, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), entries, type=kind)


def typed(texts: pa.StringArray, letters: np.ndarray) -> pa.StructArray:
    """AnyValues; types are guessed where the letter is 0."""
    unknown = letters == 0
    if unknown.any():
        letters = letters.copy()
        letters[unknown] = likely_letters(texts.filter(pa.array(unknown)))
    return values_of(texts, letters)


def offsets_of(lists: pa.ListArray | pa.MapArray) -> np.ndarray:
    """Where each row's elements begin in `lists.flatten()`, and the end of the last. A null list has none."""
    if lists.null_count == 0:
        offsets = lists.offsets.to_numpy()
        return np.asarray(offsets - offsets[0], dtype=np.int64)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def row_of(offsets: np.ndarray) -> np.ndarray:
    """For each element the row that holds it."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def mask_of(length: int, *rows: Iterable[int] | np.ndarray) -> np.ndarray:
    """True at these rows."""
    mask = np.zeros(length, dtype=bool)
    for indices in rows:
        mask[np.asarray(indices, dtype=np.int64)] = True
    return mask


def distinct(columns: Sequence[pa.Array]) -> tuple[pa.Int64Array, np.ndarray]:
    """The first row of each distinct combination of values, and for each row which one it has."""
    codes, first = np.zeros(len(columns[0]), np.int64), np.zeros(0, np.int64)
    for column in columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return pa.array(first, pa.int64()), codes


def valid(column: pa.Array) -> np.ndarray:
    """Where the column is not null."""
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
