"""Finding personal data and secrets in a column of text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import re2

from spanmill.pii.detector import Detector, Form
from spanmill.pii.engine import compile_pattern
from spanmill.pii.neighbours import stands_alone
from spanmill.pii.plain_text import plain

RETRIED_BYTES = 64
"""After a refused candidate this long, the search goes on within it."""
_UNANCHORED = re2._Anchor.UNANCHORED


class Findings(NamedTuple):
    """What was found, sorted by row and start; within a row never overlapping."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    """Byte offsets into the row's UTF-8."""
    ends: npt.NDArray[np.int64]
    detectors: npt.NDArray[np.int64]
    """Indices into the finder's detectors."""


class Finder:
    """Finds what any of its detectors finds. Where findings overlap, the longest stays whole, of equally long ones
    that of the first detector; of the others stays what is not covered, so that nothing found is left in the open."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._forms = [
            _Search(index, form, detector) for index, detector in enumerate(self.detectors) for form in detector.forms
        ]

    def find(self, texts: pa.StringArray) -> Findings:
        """Nulls have none. Safe in several threads at once."""
        found = [
            (row, start, end, detector)
            for row, text in enumerate(texts.to_pylist())
            if text
            for start, end, detector in self._in_text(text.encode())
        ]
        columns = np.array(found, dtype=np.int64).reshape(-1, 4).T
        return Findings(*columns)

    def _in_text(self, original: bytes) -> list[tuple[int, int, int]]:
        text, offsets = plain(original)
        found = []
        for search in self._forms:
            for start, end in search(original, text, offsets):
                found.append((start, end, search.detector))
        return _without_overlaps(found)


class _Search:
    def __init__(self, detector: int, form: Form, of: Detector) -> None:
        self.detector = detector
        self._form = form
        compiled = compile_pattern(form.pattern, unicode=form.unicode)
        self._match = compiled._regexp.Match
        self._group = min(1, compiled.groups)
        self._context = context_pattern(of.context) if form.needs_context else None
        self._context_bytes = of.context_bytes

    def __call__(self, original: bytes, text: bytes, offsets: list[int] | None) -> Iterator[tuple[int, int]]:
        """Spans in the original."""
        at, length = 0, len(text)
        while at <= length:
            spans = self._match(_UNANCHORED, text, at, length)
            start, end = spans[self._group]
            if start < 0:
                return
            kept = start + (self._form.check(text[start:end]) if self._form.check else end - start)
            if kept > start:
                first, last = (start, kept) if offsets is None else (offsets[start], offsets[kept - 1])
                if offsets is not None:
                    last = offsets[kept]
                if self._may_stand(original, text, start, kept, first, last):
                    yield first, last
                    at = kept
                    continue
            at = start + 1 if end - start <= RETRIED_BYTES else end

    def _may_stand(self, original: bytes, text: bytes, start: int, end: int, first: int, last: int) -> bool:
        if self._form.alone and not stands_alone(original, first, last):
            return False
        if self._context is None:
            return True
        reach = self._context_bytes
        return bool(
            self._context.search(text[max(0, start - reach) : start]) or self._context.search(text[end : end + reach])
        )


def context_pattern(words: Sequence[str]) -> "re2._Regexp":
    """Matches any of the words: those of ASCII letters where no ASCII letter is beside them."""
    ascii_words = "|".join(re2.escape(word) for word in words if word.isascii())
    others = "|".join(re2.escape(word) for word in words if not word.isascii())
    either = [rf"(?:^|[^a-z])(?:{ascii_words})(?:[^a-z]|$)"] if ascii_words else []
    return compile_pattern("(?i)" + "|".join([*either, *([others] if others else [])]), unicode=False)


def _without_overlaps(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    kept: list[tuple[int, int, int]] = []
    for start, end, detector in sorted(found, key=lambda one: (one[0] - one[1], one[2], one[0])):
        pieces = [(start, end)]
        for first, last, _ in kept:
            pieces = [
                piece
                for begin, stop in pieces
                for piece in ((begin, min(stop, first)), (max(begin, last), stop))
                if piece[0] < piece[1]
            ]
        kept += [(begin, stop, detector) for begin, stop in pieces]
    return sorted(kept)
