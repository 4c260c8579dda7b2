"""The values of one label as small numbers, so that label sets are compared as integers."""

from typing import Final

import numpy as np

from spanmill.exporters.prometheus.llm.calls import Encoded, Source

OTHER: Final = "other"
"""What values beyond the limit are shown as."""
_MISSING_NUMBER, _OTHER_NUMBER = 0, 1
_MAX_CHARACTERS: Final = 200
"""Longer values are cut: a text that long names nothing."""


class LabelValues:
    """The values of a label, in the order in which they came: 0 is a missing one, 1 is `other`.

    A value that is not seen for as long as series may be idle gives its number back (`forget`).
    """

    def __init__(self, name: str, source: Source, max_values: int, missing: str = "") -> None:
        self.name = name
        self.source = source
        self.bits = (max_values + 1).bit_length()
        """Of the largest number."""
        self.texts: list[str] = []
        """By number."""
        self._missing = missing
        self._seen = np.zeros(max_values + 2)
        self._renumber([])

    def numbers(self, encoded: Encoded, now: float) -> tuple[np.ndarray, int]:
        """The number of each call's value, and how many calls have a value that there is no room for."""
        found = [self._numbers.get(text, -1) for text in encoded.texts]
        refused = []
        if -1 in found:
            for index, text in enumerate(encoded.texts):
                if found[index] < 0 and text is not None:
                    found[index] = self._add(text[:_MAX_CHARACTERS])
                    if found[index] < 0:
                        found[index] = _OTHER_NUMBER
                        refused.append(index)
        table = np.array(found)
        self._seen[table] = now
        overflowed = int(np.isin(encoded.indices, refused).sum()) if refused else 0
        return table[encoded.indices], overflowed

    def _add(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is not None:
            return number
        if len(self.texts) >= len(self._seen):
            return -1
        self._numbers[text] = len(self.texts)
        self.texts.append(text)
        return len(self.texts) - 1

    def forget(self, oldest: float) -> bool:
        """Give back the numbers of values last seen before `oldest`. True: the others have new ones."""
        kept = [number for number in range(2, len(self.texts)) if self._seen[number] >= oldest]
        if len(kept) + 2 == len(self.texts):
            return False
        seen = self._seen[kept]
        self._renumber([self.texts[number] for number in kept])
        self._seen[2 : 2 + len(seen)] = seen
        return True

    def _renumber(self, texts: list[str]) -> None:
        self.texts = [self._missing, OTHER, *texts]
        self._numbers: dict[str | None, int] = {text: number for number, text in enumerate(self.texts)}
        self._numbers |= {None: _MISSING_NUMBER, "": _MISSING_NUMBER}
