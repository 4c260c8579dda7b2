"""Keys as context: the number under `card_number` stands near the word `card` as much as one in a sentence does."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from spanmill.pii.detector import Detector
from spanmill.pii.secret_keys import key_words

BETWEEN = ": "
_MOST_REMEMBERED = 20_000
_KEY_CHARACTERS = 256


class KeyContext:
    """Knows the context words of a list of detectors."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        words = {word for detector in detectors for word in detector.context}
        self._sought = [f" {word} " if word.isascii() else word for word in sorted(words)]
        self._remembered: dict[str, str | None] = {}

    def of(self, keys: pa.Array) -> pa.StringArray | None:
        """By key, of strings or a dictionary of them: its words, if a context word is among them, else null. None if
        all are null."""
        if not self._sought:
            return None
        encoded = keys if pa.types.is_dictionary(keys.type) else keys.dictionary_encode()
        words = [None if key is None else self._words(key) for key in encoded.dictionary.to_pylist()]
        if not any(words):
            return None
        return pa.array(words, pa.string()).take(encoded.indices)

    def _words(self, key: str) -> str | None:
        key = key[-_KEY_CHARACTERS:]
        if key not in self._remembered:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            words = " ".join(key_words(key))
            found = any(sought in f" {words} " for sought in self._sought)
            self._remembered[key] = words if found else None
        return self._remembered.get(key)


def present(words: pa.StringArray) -> np.ndarray:
    """Which are not null."""
    answer: np.ndarray = np.flatnonzero(words.is_valid().to_numpy(zero_copy_only=False))
    return answer
