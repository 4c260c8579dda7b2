"""Values under keys that name a secret in text that no parser reads: JSON that was cut off, what Python prints of a
dictionary, the query of a URL."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanmill.pii.engine import compile_pattern
from spanmill.pii.replacing import Integers, flat
from spanmill.pii.search import Found, matches
from spanmill.pii.secret_keys import SecretKeys

_VALUE = r"""(?:\\+["']([^"'\\]+)|"((?:[^"\\]|\\.)+)|'((?:[^'\\]|\\.)+)|([^\s"'\\,;(){}\[\]<>]+))"""
"""In escaped quotes, in quotes of either kind, or in none."""
_IN_QUERY = r"""([^\s"'\\&#<>]+)"""
_QUERY_GROUP = 6
_QUOTES = np.isin(np.arange(256), list(b"\"'"))
_NO_LETTER = np.isin(np.arange(256), list(b"0123456789._[]-\\"))
"""What may stand between a name and the quote: an index, or the backslash of an escaped quote."""
_NO_SECRETS = frozenset({b"null", b"None", b"true", b"false", b"True", b"False"})


class QuotedSecrets:
    """Finds the values of keys in quotes with a colon after them, and of parameters of queries."""

    def __init__(self, secret_keys: SecretKeys) -> None:
        self._secret_keys = secret_keys
        ending = secret_keys.pattern
        self._endings = _endings(secret_keys.last_words)
        key = rf"([^\s\"'\\=&?#:,{{}}]*{ending})"
        self._pattern = rf"""{ending}(?:\\*["']\s*:|=)""" if ending else ""
        self._search = compile_pattern(rf"""(?s){key}(?:\\*["']\s*:\s*{_VALUE}|={_IN_QUERY})""", unicode=True)

    def find(self, texts: pa.StringArray, detector: int) -> Iterator[tuple[int, list[Found]]]:
        """Rows in order with where values stand in each, in bytes."""
        rows = self.candidates(texts)
        values = texts.take(pa.array(rows)).cast(pa.binary()).to_pylist()
        for row, text in zip(rows.tolist(), values, strict=True):
            if found := [(*span, detector) for span in self._in_text(text)]:
                yield row, found

    def candidates(self, texts: pa.StringArray) -> Integers:
        """Rows that may have any, in order: those with a key in quotes, or a parameter, that ends as a name does. One
        look at the bytes."""
        if not self._pattern or not len(texts):
            return np.zeros(0, np.int64)
        offsets, data = flat(texts)
        values = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
        colons = np.flatnonzero(values == ord(":"))
        before = values[colons - 1]
        ends = np.concatenate([colons[_QUOTES[before]] - 2, np.flatnonzero(values == ord("=")) - 1])
        last, middle, first = (values[np.maximum(ends - back, 0)] for back in range(3))
        likely = ends[_NO_LETTER[last] | self._endings[_code(first, middle, last)]]
        # White space before the colon is rare: it is left to the pattern.
        places = np.concatenate([likely, colons[before <= ord(" ")]]) + offsets[0]
        rows = np.unique(np.searchsorted(offsets, places, side="right") - 1)
        rows = rows[rows >= 0]
        if not len(rows):
            return rows
        chosen: Integers = rows[matches(texts.take(pa.array(rows)).cast(pa.binary()), self._pattern)]
        return chosen

    def _in_text(self, text: bytes) -> Iterator[tuple[int, int]]:
        for match in self._search.finditer(text):
            which = match.lastindex
            start, end = match.span(which)
            if which == _QUERY_GROUP and text[match.start(1) - 1 : match.start(1)] not in (b"?", b"&"):
                continue
            if text[start:end] not in _NO_SECRETS and match.group(1).decode("utf-8", "replace") in self._secret_keys:
                yield start, end


def _endings(words: Iterable[str]) -> npt.NDArray[np.bool_]:
    """By code, whether a word ends in such letters."""
    known = np.zeros(1 << 15, bool)
    for word in words:
        letters = np.frombuffer(word.encode()[-3:], np.uint8)
        known[_code(*letters) if len(letters) == 3 else slice(None)] = True
    return known


def _code(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], third: npt.NDArray[np.uint8]) -> Integers:
    """Of three letters; the same for upper and lower case, which differ in the sixth bit."""
    high, middle, low = (np.asarray(letter, np.int64) & 31 for letter in (first, second, third))
    code: Integers = high << 10 | middle << 5 | low
    return code
