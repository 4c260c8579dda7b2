"""Masking texts that are not taken apart: all findings of a column at once, and again until nothing is found.

What was masked changes what is beside it: a number that hung on another stands alone now, and what a dropped piece kept
apart has come together.
"""

from collections import Counter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.allow import Allow
from spanmill.pii.detector import Detector
from spanmill.pii.engine import compile_pattern
from spanmill.pii.finder import Findings
from spanmill.pii.key_context import BETWEEN, present
from spanmill.pii.overlaps import without_overlaps
from spanmill.pii.quoted_secrets import QuotedSecrets
from spanmill.pii.replacing import FAILED, Integers, Replacements, Spliced, flat, found_texts, splice
from spanmill.pii.search import matches
from spanmill.pii.secret_keys import SecretKeys

SECRET = "secret_key_value"  # noqa: S105 - the name of a detector
FAILED_COUNT = "failed"
_ROUNDS = 8
"""A text in which something is found after so many is not masked but replaced."""


class Finds(Protocol):
    """What finds personal data: `finder.Finder`, or what has the same face. Safe in several threads at once."""

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """What findings refer to."""

    def find(self, texts: pa.StringArray) -> Findings:
        """What is in the texts."""

    def worth_searching(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """By text, False if nothing will be found in it, as far as one quick look can tell."""


class Masked(NamedTuple):
    """`texts`: the array given, itself, if nothing in it changed. `counts`: what was masked, by name of the detector;
    `secret_key_value` for values under keys that name a secret, `failed` for values that could not be masked."""

    texts: pa.StringArray
    counts: Counter[str]


class Column(NamedTuple):
    """Texts, and what their keys say about them."""

    texts: pa.StringArray
    secret: npt.NDArray[np.bool_]
    """Whether the key names a secret."""
    context: pa.StringArray | None
    """Words of the key, if they are context for what is found under it; null if not."""

    def take(self, rows: Integers) -> "Column":
        """These rows of it."""
        chosen = pa.array(rows)
        context = None if self.context is None else self.context.take(chosen)
        return Column(self.texts.take(chosen), self.secret[rows], context)


class _Spans(NamedTuple):
    """Places in the bytes of a column that are masked already: sorted, never overlapping."""

    starts: Integers
    ends: Integers


class TextMasking:
    """Masks columns of texts, whatever they are."""

    def __init__(self, finder: Finds, replacements: Replacements, allow: Allow, secret_keys: SecretKeys) -> None:
        self._finder = finder
        self._names = [*(detector.name for detector in finder.detectors), SECRET]
        self._replacements = replacements
        self._token = compile_pattern(replacements.token_pattern, unicode=True)
        self._allow = allow
        self.quoted_secrets = QuotedSecrets(secret_keys)

    def mask(self, column: Column) -> Masked:
        """Raises whatever a detector's check raises."""
        if not len(column.texts):
            return Masked(column.texts, Counter())
        findings = self._find_all(column)
        if not len(findings.rows):
            return Masked(column.texts, Counter())
        spliced = splice(column.texts, *findings[:3], self._replacements.pieces(column.texts, findings))
        counts = self._counted(findings)
        rows = np.unique(findings.rows[~column.secret[findings.rows]])
        changed = column._replace(texts=spliced.texts).take(rows)
        own = ~column.secret[findings.rows]
        begins = flat(changed.texts)[0][np.searchsorted(rows, findings.rows[own])] if len(rows) else rows
        settled = self._settle(changed, _Spans(begins + spliced.starts[own], begins + spliced.ends[own]))
        return Masked(with_rows(spliced.texts, [(rows, changed.texts, settled.texts)]), counts + settled.counts)

    def _settle(self, column: Column, masked: _Spans) -> Masked:
        """Masks what is found outside of what is masked, until there is nothing."""
        counts: Counter[str] = Counter()
        for _ in range(_ROUNDS):
            findings = self._find_outside(column, masked)
            if not len(findings.rows):
                return Masked(column.texts, counts)
            spliced = splice(column.texts, *findings[:3], self._replacements.pieces(column.texts, findings))
            masked = _moved(column.texts, findings, masked, spliced)
            counts += self._counted(findings)
            column = column._replace(texts=spliced.texts)
        rows = np.unique(self._find_outside(column, masked).rows)
        failed = pa.array([FAILED] * len(rows), pa.string())
        return Masked(with_rows(column.texts, [(rows, None, failed)]), counts + Counter({FAILED_COUNT: len(rows)}))

    def _find_outside(self, column: Column, masked: _Spans) -> Findings:
        if not len(column.texts):
            return Findings(*np.zeros((4, 0), np.int64))
        findings = self._not_masked_yet(column.texts, _outside(column.texts, self._find(column), masked))
        return self._not_allowed(column.texts, findings)

    def _find_all(self, column: Column) -> Findings:
        """What is found, values under secret keys whole."""
        texts = column.texts
        if column.secret.any():
            texts = pc.if_else(pa.array(column.secret), pa.scalar(None, pa.string()), texts)
        findings = self._not_masked_yet(texts, self._find(column._replace(texts=texts)))
        if column.secret.any():
            findings = self._with_secrets(column, findings)
        return self._not_allowed(column.texts, findings)

    def _find(self, column: Column) -> Findings:
        """What the finder finds, and values under keys within the text."""
        quoted = dict(self.quoted_secrets.find(column.texts, len(self._names) - 1))
        findings = self._find_in_context(column)
        return _merged(findings, quoted) if quoted else findings

    def _find_in_context(self, column: Column) -> Findings:
        """What the finder finds; with the words of keys before the texts where they may matter."""
        findings = self._finder.find(column.texts)
        if column.context is None:
            return findings
        rows = present(column.context)
        words = column.context.take(pa.array(rows))
        begins = pc.binary_length(words).to_numpy().astype(np.int64) + len(BETWEEN)
        prefixed = pc.binary_join_element_wise(words, column.texts.take(pa.array(rows)), BETWEEN)
        found = self._finder.find(prefixed)
        kept = found.starts >= begins[found.rows]
        found = Findings(*(values[kept] for values in found))
        shift = begins[found.rows]
        found = Findings(rows[found.rows], found.starts - shift, found.ends - shift, found.detectors)
        rest = ~np.isin(findings.rows, found.rows)
        return _sorted([np.concatenate([values[rest], others]) for values, others in zip(findings, found, strict=True)])

    def _with_secrets(self, column: Column, findings: Findings) -> Findings:
        lengths = pc.binary_length(column.texts).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.flatnonzero(column.secret & (lengths > 0))
        values = column.texts.take(pa.array(rows)).to_pylist()
        rows = rows[np.array([not self._token.fullmatch(value) for value in values], bool)]
        whole = (rows, np.zeros_like(rows), lengths[rows], np.full_like(rows, len(self._names) - 1))
        return _sorted([np.concatenate(pair) for pair in zip(findings, whole, strict=True)])

    def _not_masked_yet(self, texts: pa.StringArray, findings: Findings) -> Findings:
        """Without what is found in what an earlier masking put in."""
        rows = np.unique(findings.rows)
        if not len(rows):
            return findings
        some = texts.take(pa.array(rows)).cast(pa.binary())
        with_tokens = np.flatnonzero(matches(some, self._replacements.token_pattern))
        begins = flat(texts)[0][rows[with_tokens]].tolist()
        values = some.take(pa.array(with_tokens)).to_pylist()
        spans = [
            (begin + match.start(), begin + match.end())
            for begin, value in zip(begins, values, strict=True)
            for match in self._token.finditer(value)
        ]
        return _outside(texts, findings, _Spans(*np.array(spans, np.int64).reshape(-1, 2).T)) if spans else findings

    def _not_allowed(self, texts: pa.StringArray, findings: Findings) -> Findings:
        if not self._allow or not len(findings.rows):
            return findings
        found = found_texts(texts, *findings[:3])
        allowed = {text: text in self._allow for text in set(found)}
        kept = np.array([not allowed[text] for text in found])
        return Findings(*(values[kept] for values in findings))

    def _counted(self, findings: Findings) -> Counter[str]:
        counts: Counter[str] = Counter()
        for detector, count in zip(*np.unique(findings.detectors, return_counts=True), strict=True):
            counts[self._names[detector]] += int(count)
        return counts


def with_rows(
    texts: pa.StringArray, parts: list[tuple[Integers, pa.StringArray | None, pa.StringArray]]
) -> pa.StringArray:
    """A column with some rows replaced. Each part: rows, what was in them (or None), what is now; a part in which
    nothing changed is the same array twice."""
    changed = [(rows, now) for rows, was, now in parts if now is not was and len(rows)]
    if not changed:
        return texts
    places, end = np.arange(len(texts)), len(texts)
    for rows, _ in changed:
        places[rows] = end + np.arange(len(rows))
        end += len(rows)
    return pa.concat_arrays([texts, *(now for _, now in changed)]).take(pa.array(places))


def _sorted(columns: list[Integers]) -> Findings:
    order = np.lexsort((columns[1], columns[0]))
    return Findings(*(values[order] for values in columns))


def _merged(findings: Findings, others: dict[int, list[tuple[int, int, int]]]) -> Findings:
    """Findings with others of some rows; of what overlaps the longest stays."""
    together = {row: list(found) for row, found in others.items()}
    shared = np.isin(findings.rows, np.array(list(others)))
    for row, *found in zip(*(values[shared].tolist() for values in findings), strict=True):
        together[row].append(tuple(found))
    merged = [(row, *found) for row, several in together.items() for found in without_overlaps(several)]
    columns = np.array(merged, np.int64).reshape(-1, 4).T
    return _sorted([np.concatenate([a[~shared], b]) for a, b in zip(findings, columns, strict=True)])


def _outside(texts: pa.StringArray, findings: Findings, masked: _Spans) -> Findings:
    """Those that do not lie within one of the spans."""
    if not len(masked.starts) or not len(findings.rows):
        return findings
    begins = flat(texts)[0][findings.rows]
    around = np.searchsorted(masked.starts, begins + findings.starts, side="right") - 1
    inside = (around >= 0) & (begins + findings.ends <= masked.ends[around])
    return Findings(*(values[~inside] for values in findings))


def _moved(before: pa.StringArray, findings: Findings, masked: _Spans, after: Spliced) -> _Spans:
    """Where what is masked is after these findings are too, themselves among it."""
    begins = flat(before)[0][findings.rows]
    first, last = begins + findings.starts, begins + findings.ends
    grown = np.concatenate([[0], np.cumsum((after.ends - after.starts) - (last - first))])
    behind = np.searchsorted(last, masked.starts, side="right")
    shift = grown[behind]
    free = np.append(first, np.iinfo(np.int64).max)[behind] >= masked.ends
    begins = flat(after.texts)[0][findings.rows]
    joined = np.concatenate([(masked.starts + shift)[free], begins + after.starts])
    order = np.argsort(joined, kind="stable")
    return _Spans(joined[order], np.concatenate([(masked.ends + shift)[free], begins + after.ends])[order])
