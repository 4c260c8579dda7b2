"""Finding personal data and secrets in a column of text.

Most text has none, so the whole column is asked first, in one scan by Arrow, which texts hold a candidate of any
detector. Only those are looked at one by one, and only for the detectors that an RE2 set says have one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanmill.pii.detector import Detector
from spanmill.pii.overlaps import without_overlaps
from spanmill.pii.plain_text import SPECIAL, PlainTexts, plain_texts
from spanmill.pii.search import Found, Searches, matches

Integers = npt.NDArray[np.int64]


class Findings(NamedTuple):
    """What was found, sorted by row and start; within a row never overlapping."""

    rows: Integers
    starts: Integers
    """Byte offsets into the row's UTF-8."""
    ends: Integers
    detectors: Integers
    """Indices into the finder's detectors."""


class Finder:
    """Finds what any of its detectors finds. Where findings overlap, the longest stays whole, of equally long ones
    that of the first detector; of the others stays what is not covered, so that nothing found is left in the open."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._searches = Searches(self.detectors)

    def worth_searching(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """By text, whether `find` would look at it: one scan of the column. Nulls are not."""
        chosen = np.zeros(len(texts), bool)
        if self.detectors and len(texts):
            chosen[self._searches.candidates(texts.cast(pa.binary()), or_matching=SPECIAL)] = True
        return chosen

    def find(self, texts: pa.StringArray) -> Findings:
        """Nulls have none. Safe in several threads at once."""
        found: list[tuple[int, int, int, int]] = []
        if self.detectors and len(texts):
            for row, spans in self._candidates(texts):
                found += [(row, *span) for span in spans]
        columns = np.array(found, dtype=np.int64).reshape(-1, 4)
        return Findings(*np.ascontiguousarray(columns.T))

    def _candidates(self, texts: pa.StringArray) -> Iterator[tuple[int, list[Found]]]:
        """Rows in order with what was found in each."""
        column = texts.cast(pa.binary())
        rows = self._searches.candidates(column, or_matching=SPECIAL)
        if not len(rows):
            return
        column = column.take(pa.array(rows))
        special = matches(column, SPECIAL)
        answers: list[tuple[int, list[Found]]] = []
        if not special.all():
            ordinary = np.flatnonzero(~special)
            column_of_ordinary = column if len(ordinary) == len(column) else column.take(pa.array(ordinary))
            answers += self._in_texts(rows[ordinary], column_of_ordinary, None, np.arange(len(ordinary)))
        if special.any():
            unusual = np.flatnonzero(special)
            plain = plain_texts(column.take(pa.array(unusual)))
            chosen = self._searches.candidates(plain.texts)
            answers += self._in_texts(rows[unusual], plain.texts, plain, chosen)
        yield from sorted(answers) if special.any() else answers

    def _in_texts(
        self, rows: Integers, texts: pa.Array, plain: PlainTexts | None, chosen: Integers
    ) -> list[tuple[int, list[Found]]]:
        """`chosen`: which of the plain texts have a candidate."""
        answers = []
        chosen = chosen[self._searches.worth_searching(texts.take(pa.array(chosen)))]
        values = texts.take(pa.array(chosen)).to_pylist()
        for index, row, text in zip(chosen.tolist(), rows[chosen].tolist(), values, strict=True):
            begin, end = (0, 0) if plain is None else plain.offsets[index : index + 2]
            shadow = text if plain is None else plain.shadows[begin:end].tobytes()
            found = self._searches.search(text, shadow)
            if found and plain is not None:
                origins = plain.origins[begin : end + 1] - plain.starts[index]
                found = [(int(origins[first]), int(origins[last]), which) for first, last, which in found]
            if found:
                answers.append((row, without_overlaps(found)))
        return answers
