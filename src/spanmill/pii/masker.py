"""Masking columns of text: free text, JSON in it at any level, and values under keys that name a secret.

It fails closed: a value that cannot be masked is replaced whole. Which columns there are is for others to say.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanmill.pii.allow import Allow
from spanmill.pii.json_text import is_json, leaves, looks_like_json, put_back, rows_with_escapes
from spanmill.pii.key_context import KeyContext
from spanmill.pii.replacing import FAILED, Replacements, Style
from spanmill.pii.secret_keys import SecretKeys
from spanmill.pii.text_masking import FAILED_COUNT, SECRET, Column, Finds, Masked, TextMasking, with_rows

__all__ = ["FAILED", "FAILED_COUNT", "SECRET", "Allow", "Finds", "Masked", "Masker"]

_MOST_NESTED = 4
"""JSON in a string of JSON is taken apart so many times; what is in it further in is masked as text."""
_ANCHORS = ("^", "$", r"\A", r"\z", r"\b", r"\B")


class Masker:
    """Masks columns of texts. Remembers nothing but names of keys; safe in several threads at once.

    `styles`: by name of the detector, `secret_key_value` among them; `default_style` for all others. `mask_keys`: keys
    of maps in JSON are masked as texts too. `dry_run`: everything is counted and nothing changed.
    """

    def __init__(
        self,
        finder: Finds,
        styles: Mapping[str, Style] | None = None,
        *,
        default_style: Style = Style(),  # noqa: B008 - frozen
        secret_keys: SecretKeys | None = None,
        allow: Allow | None = None,
        dry_run: bool = False,
        mask_keys: bool = False,
    ) -> None:
        self.secret_keys = SecretKeys() if secret_keys is None else secret_keys
        self._finder = finder
        names = [*(detector.name for detector in finder.detectors), SECRET]
        replacements = Replacements(names, styles or {}, default_style)
        self._texts = TextMasking(finder, replacements, Allow() if allow is None else allow, self.secret_keys)
        self._context = KeyContext(finder.detectors)
        self._dry_run = dry_run
        self._mask_keys = mask_keys
        forms = [form for detector in finder.detectors for form in detector.forms if form.unicode]
        # The finder itself reads the escapes n, r, t and u. An escaped quote matters only to patterns of users.
        self._hiding = np.isin(np.arange(256), list(b"bf/")) if not forms else np.ones(256, bool)
        # Such a pattern may match a leaf and nothing in the JSON around it.
        self._always_unpack = any(anchor in form.pattern for form in forms for anchor in _ANCHORS)

    def mask(self, texts: pa.StringArray) -> Masked:
        """Free text and text that is JSON. Nulls stay null."""
        return self._answer(texts, self._guarded(Column(texts, np.zeros(len(texts), bool), None), 0))

    def mask_values(self, keys: pa.Array, texts: pa.StringArray) -> Masked:
        """As `mask`; values whose key names a secret are replaced whole, whatever they are. `keys`: strings or a
        dictionary of them, one for each text."""
        encoded = keys if pa.types.is_dictionary(keys.type) else keys.dictionary_encode()
        column = Column(texts, self.secret_keys.among(encoded), self._context.of(encoded))
        return self._answer(texts, self._guarded(column, 0))

    def _answer(self, texts: pa.StringArray, masked: Masked) -> Masked:
        return Masked(texts, masked.counts) if self._dry_run else masked

    def _guarded(self, column: Column, depth: int) -> Masked:
        """Halves what fails until what fails is one value."""
        try:
            return self._mask(column, depth)
        except Exception:  # noqa: BLE001 - fails closed, and says nothing: the error may hold the text
            count = len(column.texts)
        if count <= 1:
            return Masked(pa.array([FAILED] * count, pa.string()), Counter({FAILED_COUNT: count}))
        first, second = (
            self._guarded(column.take(rows), depth) for rows in (np.arange(count // 2), np.arange(count // 2, count))
        )
        return Masked(pa.concat_arrays([first.texts, second.texts]), first.counts + second.counts)

    def _mask(self, column: Column, depth: int) -> Masked:
        texts = column.texts
        if not len(texts):
            return Masked(texts, Counter())
        structured = looks_like_json(texts) & ~column.secret
        if depth > _MOST_NESTED or not structured.any():
            return self._texts.mask(column)
        rows = np.flatnonzero(structured)
        rows = rows[self._worth_unpacking(texts if structured.all() else texts.take(pa.array(rows)))]
        values = texts.take(pa.array(rows))
        valid = np.array([is_json(value) for value in values.cast(pa.binary()).to_pylist()], bool)
        plain = ~structured
        plain[rows[~valid]] = True
        documents = values.filter(pa.array(valid))
        unpacked = self._documents(documents, depth)
        others = column.take(np.flatnonzero(plain))
        masked = self._texts.mask(others)
        parts = [(rows[valid], documents, unpacked.texts), (np.flatnonzero(plain), others.texts, masked.texts)]
        return Masked(with_rows(texts, parts), unpacked.counts + masked.counts)

    def _documents(self, documents: pa.StringArray, depth: int) -> Masked:
        """Of valid JSON: all leaves of all documents as one column, one level deeper."""
        if not len(documents):
            return Masked(documents, Counter())
        found = leaves(documents, self.secret_keys, with_keys=self._mask_keys)
        column = Column(found.texts, found.secret, self._context.of(found.keys))
        masked = self._guarded(column, depth + 1)
        if masked.texts is found.texts:
            return Masked(documents, masked.counts)
        return Masked(put_back(documents, found, masked.texts), masked.counts)

    def _worth_unpacking(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """Not JSON in which nothing is found as it is written, and no key can name a secret, and no escape hides
        anything."""
        if self._always_unpack:
            return np.ones(len(texts), bool)
        worth = self._finder.worth_searching(texts)
        worth[rows_with_escapes(texts, self._hiding)] = True
        rest = np.flatnonzero(~worth)
        texts = texts if len(rest) == len(texts) else texts.take(pa.array(rest))
        worth[rest[self._texts.quoted_secrets.candidates(texts)]] = True
        return worth
