"""Values under keys that name a secret in text that no parser reads: JSON that was cut off, what Python prints of a
dictionary, the query of a URL."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from spanmill.pii.engine import compile_pattern
from spanmill.pii.replacing import flat
from spanmill.pii.search import Found, matches
from spanmill.pii.secret_keys import SecretKeys

_VALUE = (
    r"""(?:\\+["']([^"'\\]+)|"((?:[^"\\]|\\.)+)|'((?:[^'\\]|\\.)+)|([^\s"'\\,;(){}\[\]<>]+))"""
    r""  # escaped quotes, quotes of both kinds, no quotes
)
_IN_QUERY = r"""([^\s"'\\&#<>]+)"""
_NO_SECRETS = frozenset({b"null", b"None", b"true", b"false", b"True", b"False"})


class QuotedSecrets:
    """Finds the values of keys in quotes with a colon after them, and of parameters of queries."""

    def __init__(self, secret_keys: SecretKeys) -> None:
        self._secret_keys = secret_keys
        ending = secret_keys.pattern
        key = rf"([^\s\"'\\=&?#:,{{}}]*{ending})"
        self.pattern = rf"""{ending}(?:\\*["']\s*:|=)""" if ending else ""
        """RE2: matches every text that has any, and others."""
        self._search = compile_pattern(rf"""(?s){key}(?:\\*["']\s*:\s*{_VALUE}|={_IN_QUERY})""", unicode=True)

    def find(self, texts: pa.StringArray, detector: int) -> Iterator[tuple[int, list[Found]]]:
        """Rows in order with where values stand in each, in bytes."""
        rows = _with_quoted_keys(texts) if self.pattern else np.zeros(0, np.int64)
        if not len(rows):
            return
        some = texts.take(pa.array(rows)).cast(pa.binary())
        chosen = np.flatnonzero(matches(some, self.pattern))
        for row, text in zip(rows[chosen].tolist(), some.take(pa.array(chosen)).to_pylist(), strict=True):
            if found := [(*span, detector) for span in self._in_text(text)]:
                yield row, found

    def _in_text(self, text: bytes) -> Iterator[tuple[int, int]]:
        for match in self._search.finditer(text):
            which = match.lastindex
            start, end = match.span(which)
            in_query = which == _QUERY_GROUP
            if in_query and text[match.start(1) - 1 : match.start(1)] not in (b"?", b"&"):
                continue
            if text[start:end] not in _NO_SECRETS and match.group(1).decode("utf-8", "replace") in self._secret_keys:
                yield start, end


_QUERY_GROUP = 6


def _with_quoted_keys(texts: pa.StringArray) -> np.ndarray:
    """Rows with a colon behind a quote, or an equals sign: in one look at the bytes."""
    offsets, data = flat(texts)
    values = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    colons = np.flatnonzero(values == ord(":"))
    before = values[colons - 1]
    # White space before the colon is rare: it is left to the pattern.
    quoted = colons[(before == ord('"')) | (before == ord("'")) | (before <= ord(" "))]
    places = np.concatenate([quoted, np.flatnonzero(values == ord("="))]) + offsets[0]
    answer: np.ndarray = np.unique(np.searchsorted(offsets, places, side="right") - 1)
    return answer
