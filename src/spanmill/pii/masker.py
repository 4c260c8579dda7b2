"""Masking a column of texts: what is found in them, what is JSON in them, and what is under a key that names a secret.

It fails closed: a value that cannot be masked is replaced whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.engine import compile_pattern
from spanmill.pii.finder import Finder, Findings
from spanmill.pii.replacing import Replacements, Style, found_texts, splice
from spanmill.pii.secret_keys import SecretKeys

FAILED = "<MASKING FAILED>"
FAILED_COUNT = "failed"
SECRET = "secret_key_value"  # noqa: S105 - the name of a detector


class Masked(NamedTuple):
    """`texts`: the array given, itself, if nothing in it changed. `counts`: what was masked, by name of the detector;
    `secret_key_value` for values under keys that name a secret, `failed` for values that could not be masked."""

    texts: pa.StringArray
    counts: Counter[str]


class Allow:
    """What is never masked: findings that are one of the texts, or that an RE2 pattern matches whole. Raises
    PatternError, a ValueError, for a pattern that RE2 does not accept."""

    def __init__(self, texts: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._texts = frozenset(text.encode() for text in texts)
        self._patterns = [compile_pattern(pattern, unicode=True, capped=True) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._texts or self._patterns)

    def __contains__(self, found: bytes) -> bool:
        return found in self._texts or any(pattern.fullmatch(found) for pattern in self._patterns)


class Masker:
    """Masks columns of texts. Holds no state but what it remembers of keys; safe in several threads at once.

    `styles`: by name of the detector, `secret_key_value` among them; `default_style` for all others. `mask_keys`: keys
    of maps in JSON are masked as texts too. `dry_run`: everything is counted and nothing changed.
    """

    def __init__(
        self,
        finder: Finder,
        styles: Mapping[str, Style] | None = None,
        *,
        default_style: Style = Style(),  # noqa: B008 - frozen
        secret_keys: SecretKeys | None = None,
        allow: Allow | None = None,
        dry_run: bool = False,
        mask_keys: bool = False,
    ) -> None:
        self._finder = finder
        self._names = [*(detector.name for detector in finder.detectors), SECRET]
        self._replacements = Replacements(self._names, styles or {}, default_style)
        self.secret_keys = SecretKeys() if secret_keys is None else secret_keys
        self._allow = Allow() if allow is None else allow
        self._dry_run = dry_run
        self._mask_keys = mask_keys

    def mask(self, texts: pa.StringArray) -> Masked:
        """Free text and text that is JSON. Nulls stay null."""
        return self._answer(texts, self._guarded(texts, np.zeros(len(texts), bool)))

    def mask_values(self, keys: pa.Array, texts: pa.StringArray) -> Masked:
        """As `mask`; values whose key names a secret are replaced whole, whatever they are. `keys`: strings or a
        dictionary of them, one for each text."""
        return self._answer(texts, self._guarded(texts, self.secret_keys.among(keys)))

    def _answer(self, texts: pa.StringArray, masked: Masked) -> Masked:
        return Masked(texts, masked.counts) if self._dry_run else masked

    def _guarded(self, texts: pa.StringArray, secret: np.ndarray) -> Masked:
        """Halves what fails until what fails is one value."""
        try:
            return self._mask(texts, secret)
        except Exception:  # noqa: BLE001 - fails closed, and says nothing: the error may hold the text
            if len(texts) <= 1:
                return Masked(pa.array([FAILED] * len(texts), pa.string()), Counter({FAILED_COUNT: len(texts)}))
        half = len(texts) // 2
        first, second = self._guarded(texts[:half], secret[:half]), self._guarded(texts[half:], secret[half:])
        return Masked(pa.concat_arrays([first.texts, second.texts]), first.counts + second.counts)

    def _mask(self, texts: pa.StringArray, secret: np.ndarray) -> Masked:
        if not len(texts):
            return Masked(texts, Counter())
        findings = self._not_allowed(texts, self._find(texts, secret))
        if not len(findings.rows):
            return Masked(texts, Counter())
        pieces = self._replacements.pieces(texts, *findings)
        counted = np.bincount(findings.detectors, minlength=len(self._names)).tolist()
        counts = Counter({name: count for name, count in zip(self._names, counted, strict=True) if count})
        return Masked(splice(texts, findings.rows, findings.starts, findings.ends, pieces).texts, counts)

    def _find(self, texts: pa.StringArray, secret: np.ndarray) -> Findings:
        if not secret.any():
            return self._finder.find(texts)
        found = self._finder.find(pc.if_else(pa.array(secret), pa.scalar(None, pa.string()), texts))
        lengths = pc.binary_length(texts).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.flatnonzero(secret & (lengths > 0))
        whole = (rows, np.zeros_like(rows), lengths[rows], np.full_like(rows, len(self._names) - 1))
        joined = [np.concatenate(pair) for pair in zip(found, whole, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        return Findings(*(column[order] for column in joined))

    def _not_allowed(self, texts: pa.StringArray, findings: Findings) -> Findings:
        if not self._allow or not len(findings.rows):
            return findings
        found = found_texts(texts, findings.rows, findings.starts, findings.ends)
        allowed = {text: text in self._allow for text in set(found)}
        kept = np.array([not allowed[text] for text in found])
        return Findings(*(column[kept] for column in findings))
