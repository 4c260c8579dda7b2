"""What is to become of a text because of what is in it. Every text is looked at once, however many values have it."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.budget import Budget
from spanmill.pii.engine import compile_pattern
from spanmill.processors.redaction.config import RedactionProcessorConfig

_MASK: Final = "****"
_EVERYTHING: Final = ".*"
"""Within a line: as in the Collector, each line of a hidden value is masked by itself, and the line breaks show."""
_SHORT_BYTES: Final = 1024
"""Arrow masks all matches in one call that nothing can stop. The time for it may grow with the square of the length."""
_CONTINUATION: Final = 0b10
"""The two highest bits of the bytes of a UTF-8 character but the first."""

Digest = Callable[[bytes], str]
Search = Callable[[bytes, int], Any]
"""Answers the first match from an offset on, or None."""


class ValueRules:
    """`blocked_values`, `allowed_values` and `hash_function`. Texts are never null."""

    def __init__(self, config: RedactionProcessorConfig) -> None:
        self._allowed, self._blocked = config.allowed_values, config.blocked_values
        self._hashes = config.hash_function is not None
        self._digest = _digest(config)
        self.search = bool(self._allowed or self._blocked)
        """Whether anything is looked for in values."""

    def allowed(self, texts: pa.StringArray) -> np.ndarray:
        """For each text whether nothing in it is to be masked."""
        if not self._allowed:
            return np.zeros(len(texts), bool)
        distinct = texts.dictionary_encode()
        found = np.zeros(len(distinct.dictionary), bool)
        for pattern in self._allowed:
            found |= _found(distinct.dictionary, pattern)
        return np.asarray(found[distinct.indices.to_numpy()])

    def masked(self, texts: pa.StringArray) -> pa.StringArray:
        """The texts without what is blocked; the same array if nothing is."""
        return self._without(texts, self._blocked)

    def hidden(self, texts: pa.StringArray) -> pa.StringArray:
        """Nothing but masks."""
        return self._without(texts, (_EVERYTHING,))

    def _without(self, texts: pa.StringArray, patterns: Sequence[str]) -> pa.StringArray:
        if not patterns:
            return texts
        distinct = texts.dictionary_encode()
        result = distinct.dictionary
        for pattern in patterns:
            result = self._replaced(result, pattern)
        return texts if result is distinct.dictionary else result.take(distinct.indices)

    def _replaced(self, texts: pa.StringArray, pattern: str) -> pa.StringArray:
        """Every match masked, or hashed."""
        found = _found(texts, pattern)
        singly = found & (self._hashes | (pc.binary_length(texts).to_numpy() > _SHORT_BYTES))
        together = pa.array(found & ~singly)
        if together.true_count:
            new = pc.replace_substring_regex(texts.filter(together), pattern, _MASK)
            texts = pc.replace_with_mask(texts, together, new)
        if singly.any():
            search, hits = compile_pattern(pattern, unicode=True).search, texts.filter(pa.array(singly))
            new = [replaced(text, search, self._digest) for text in hits.cast(pa.binary()).to_pylist()]
            texts = pc.replace_with_mask(texts, pa.array(singly), pa.array(new, pa.string()))
        return texts


def replaced(text: bytes, search: Search, digest: Digest) -> bytes:
    """Every match in UTF-8 text replaced by its digest.

    A match without characters counts unless it is right behind another, as RE2 and Go have it and Python has not. Where
    that takes too long, the rest of the text is one match.
    """
    budget = Budget(text)
    parts, at, end = [], 0, -1
    while at <= len(text) and (match := search(text, at)) is not None:
        start, stop = match.span()
        if budget.is_used_up():
            start, stop = max(end, 0), len(text)
        if start == stop == end:
            at = _next_character(text, at)
            continue
        parts += [text[max(end, 0) : start], digest(text[start:stop]).encode()]
        at = end = stop
    return b"".join([*parts, text[max(end, 0) :]])


def _next_character(text: bytes, at: int) -> int:
    at += 1
    while at < len(text) and text[at] >> 6 == _CONTINUATION:
        at += 1
    return at


def _found(texts: pa.StringArray, pattern: str) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False))


def _digest(config: RedactionProcessorConfig) -> Digest:
    """What stands in the place of a match: asterisks, or its hash in hexadecimal digits."""
    name = config.hash_function
    if name is None:
        return lambda _match: _MASK
    if name.startswith("hmac-"):
        assert config.hmac_key is not None
        key, algorithm = config.hmac_key.reveal().encode(), name.removeprefix("hmac-")
        return lambda match: hmac.digest(key, match, algorithm).hex()
    algorithm = {"sha3": "sha3_256"}.get(name, name)
    return lambda match: hashlib.new(algorithm, match, usedforsecurity=False).hexdigest()
