"""The searches of all detectors: which texts of a column are worth one, and what is found in one text."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.budget import Budget
from spanmill.pii.detector import Detector, Form
from spanmill.pii.engine import pattern_set, searcher, tester
from spanmill.pii.neighbours import stands_alone

Found = tuple[int, int, int]
"""Start, end and detector."""
RETRIED_BYTES = 64
"""After a refused candidate at most this long, the search goes on within it."""
_FEW_TEXTS = 1_000
"""Arrow compiles a pattern for every column. For so few texts one that is compiled is quicker."""
_BEFORE_BYTES = 64
"""How far before a candidate a form's `refused_after` sees."""


class Searches:
    """Those of a list of detectors."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._forms = [_Search(index, form, of) for index, of in enumerate(detectors) for form in of.forms]
        built_in = [search for search in self._forms if not search.form.unicode]
        self._of_users = [search for search in self._forms if search.form.unicode]
        self._built_in = built_in
        self._set = pattern_set([search.form.pattern for search in built_in]) if built_in else None
        self._any = _either([search.form.pattern for search in built_in])
        self._sure = _either([search.form.pattern for search in built_in if not search.form.needs_context])
        words = {word: None for search in built_in if search.form.needs_context for word in search.words}
        self._context = _any_word(list(words)) if words else ""

    def candidates(self, texts: pa.Array, or_matching: str = "") -> npt.NDArray[np.int64]:
        """Which of the texts (binary, plain) have a candidate, as far as one scan can tell, or match the other
        pattern."""
        chosen = np.zeros(len(texts), bool)
        either = "|".join(pattern for pattern in (self._any, or_matching) if pattern)
        if either:
            chosen |= matches(texts, either)
        for search in self._of_users:
            chosen |= matches(texts.view(pa.string()), search.form.pattern)
        return np.flatnonzero(chosen)

    def worth_searching(self, texts: pa.Array) -> npt.NDArray[np.bool_]:
        """Of texts with candidates, those where one needs no context, or where there is some word of any context."""
        if not self._context or not len(texts):
            return np.ones(len(texts), bool)
        worth = matches(texts, self._sure) if self._sure else np.zeros(len(texts), bool)
        for search in self._of_users:
            worth |= matches(texts.view(pa.string()), search.form.pattern)
        rest = np.flatnonzero(~worth)
        if len(rest):
            worth[rest] = matches(texts.take(pa.array(rest)), self._context)
        return worth

    def search(self, text: bytes, shadow: bytes) -> list[Found]:
        """What is found in a plain text; overlaps and all. `shadow`: see `plain_text.PlainTexts`."""
        forms = self._of_users
        if self._set is not None:
            hit = self._set.Match(text)
            # A set that ran out of memory answers nothing; then every pattern is tried.
            forms = forms + ([self._built_in[index] for index in hit] if hit else self._built_in)
        return [found for form in forms for found in form(text, shadow)]


class _Search:
    """That of one form."""

    def __init__(self, detector: int, form: Form, of: Detector) -> None:
        self.detector = detector
        self.form = form
        self.words = of.context
        self._search = searcher(form.pattern, unicode=form.unicode)
        self._context = searcher(_context(of.context)) if form.needs_context else None
        self._has_word = searcher(_any_word(of.context)) if form.needs_context else None
        self._refused_after = searcher(form.refused_after) if form.refused_after else None
        self._reach = of.context_bytes

    def __call__(self, text: bytes, shadow: bytes) -> Iterator[Found]:
        if self._has_word is not None and self._has_word(text, 0)[0] < 0:
            return
        at, budget = 0, Budget(text) if self.form.unicode else None
        while at < len(text):
            start, end = self._search(text, at)
            if start < 0:
                return
            kept = self._kept(text, shadow, start, end) if start < end else start
            if kept > start:
                yield start, kept, self.detector
                at = kept
            else:
                at = start + 1 if end - start <= RETRIED_BYTES else end
            if budget is not None and budget.is_used_up() and at < len(text):
                yield at, len(text), self.detector
                return

    def _kept(self, text: bytes, shadow: bytes, start: int, end: int) -> int:
        """Where what is found ends; `start`: it is nothing."""
        check = self.form.check
        kept = start + check(text[start:end]) if check else end
        if kept == start or (self.form.alone and not stands_alone(shadow, start, kept)):
            return start
        if (
            self._refused_after is not None
            and self._refused_after(text[max(0, start - _BEFORE_BYTES) : start], 0)[0] >= 0
        ):
            return start
        if self._context is None:
            return kept
        before, after = text[max(0, start - self._reach) : start], text[kept : kept + self._reach]
        return kept if self._context(before, 0)[0] >= 0 or self._context(after, 0)[0] >= 0 else start


def _context(words: Sequence[str]) -> str:
    """Matches any of the words: those of ASCII letters where no ASCII letter is beside them."""
    narrow = "|".join(_escaped(word) for word in words if word.isascii())
    wide = "|".join(_escaped(word) for word in words if not word.isascii())
    return "|".join(part for part in (narrow and rf"(?i:(?:^|[^a-z])(?:{narrow})(?:[^a-z]|$))", wide) if part)


def _any_word(words: Sequence[str]) -> str:
    """Matches any of the words, whatever is beside them: what is near a candidate may begin within a word."""
    return "(?i:" + "|".join(_escaped(word) for word in words) + ")"


def _escaped(word: str) -> str:
    """As bytes, each escaped: a pattern that means the same to a matcher of characters does not to one of bytes. A
    space may also be an underscore, a hyphen or nothing."""
    return "".join("[ _-]?" if byte == 0x20 else rf"\x{byte:02x}" for byte in word.encode())


def _either(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def matches(texts: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    """By text; nulls match nothing."""
    if len(texts) <= _FEW_TEXTS:
        test = tester(pattern, unicode=pa.types.is_string(texts.type))
        values = texts.cast(pa.binary()).to_pylist()
        return np.fromiter((value is not None and test(value) for value in values), bool, len(values))
    matched: Any = pc.fill_null(pc.match_substring_regex(texts, pattern=pattern), False)
    answer: npt.NDArray[np.bool_] = matched.to_numpy(zero_copy_only=False)
    return answer
