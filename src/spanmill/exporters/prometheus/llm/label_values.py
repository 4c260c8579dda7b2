"""The values of labels as small numbers, so that label sets are compared as integers."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.exporters.prometheus.llm.counted import Source

OTHER: Final = "other"
"""What values beyond the limit are shown as."""
_OTHER_NUMBER: Final = 1
_MAX_CHARACTERS: Final = 200
"""Longer values are cut: a text that long names nothing."""
_MAX_TEXTS: Final = 65_536


class Texts:
    """Numbers texts, those of all labels alike, in the order in which they came: 0 is none. Bounded."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.texts = [""]
        self._numbers: dict[str | None, int] = {None: 0, "": 0}

    @property
    def is_full(self) -> bool:
        """Whether to `forget` before the next ones come."""
        return len(self.texts) > _MAX_TEXTS

    def numbers(self, columns: Sequence[pa.StringArray]) -> np.ndarray:
        """The number of each text: a row for each of the columns, which are of one length."""
        encoded = pa.concat_arrays(columns).dictionary_encode(null_encoding="encode")
        texts = encoded.dictionary.to_pylist()
        found = [self._numbers.get(text, -1) for text in texts]
        if -1 in found:
            found = [self._number(text) for text in texts]
        numbers: np.ndarray = np.array(found)[encoded.indices.to_numpy()]
        return numbers.reshape(len(columns), -1)

    def _number(self, text: str | None) -> int:
        short = text and text[:_MAX_CHARACTERS]
        number = self._numbers.setdefault(short, len(self.texts))
        if number == len(self.texts):
            self.texts.append(short or "")
        return number


class LabelValues:
    """The values of a label, in the order in which they came: 0 is a missing one, 1 is `other`.

    A value that is not seen for as long as series may be idle gives its number back (`forget`).
    """

    def __init__(self, name: str, source: Source, max_values: int, missing: str = "") -> None:
        self.name = name
        self.source = source
        self.bits = (max_values + 1).bit_length()
        """Of the largest number."""
        self.values: list[str] = []
        """By number."""
        self._missing = missing
        self._room = max_values + 2
        self._seen = np.zeros(64)
        self._renumber([])

    def numbers(self, of_texts: np.ndarray, texts: Texts, now: float) -> tuple[np.ndarray, int]:
        """The number of each call's value, and how many calls have a value that there is no room for.

        `of_texts`: the values as `texts` numbers them.
        """
        if len(self._of_text) < len(texts.texts):
            self._reserve(2 * len(texts.texts))
        found = self._of_text[of_texts]
        if found.min() < 0:
            for number in np.unique(of_texts[found < 0]).tolist():
                self._learn(number, texts.texts[number])
            found = self._of_text[of_texts]
        self._seen[found] = now
        overflowed = int(np.count_nonzero(self._refused[of_texts])) if self._any_refused else 0
        return found, overflowed

    def number(self, value: str) -> int:
        """The number of one value, `other`'s if there is no room for it."""
        number = self._numbers.get(value)
        if number is None:
            if len(self.values) >= self._room:
                return _OTHER_NUMBER
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
            if number >= len(self._seen):
                self._seen = np.concatenate((self._seen, np.zeros(len(self._seen))))
        return number

    def _learn(self, of_text: int, value: str) -> None:
        number = self.number(value)
        self._of_text[of_text] = number
        if number == _OTHER_NUMBER and value != OTHER:
            self._refused[of_text] = self._any_refused = True

    def forget_texts(self) -> None:
        """The numbers of texts mean others now."""
        self._of_text = np.full(64, -1)
        self._refused = np.zeros(64, dtype=bool)
        self._any_refused = False

    def _reserve(self, count: int) -> None:
        more = count - len(self._of_text)
        self._of_text = np.concatenate((self._of_text, np.full(more, -1)))
        self._refused = np.concatenate((self._refused, np.zeros(more, dtype=bool)))

    def forget(self, oldest: float) -> bool:
        """Give back the numbers of values last seen before `oldest`. True: the others have new ones."""
        kept = [number for number in range(2, len(self.values)) if self._seen[number] >= oldest]
        if len(kept) + 2 == len(self.values):
            return False
        seen = self._seen[kept]
        self._renumber([self.values[number] for number in kept])
        self._seen[2 : 2 + len(seen)] = seen
        return True

    def _renumber(self, values: list[str]) -> None:
        self.values = [self._missing, OTHER, *values]
        self._numbers = {value: number for number, value in enumerate(self.values)} | {"": 0}
        self.forget_texts()
