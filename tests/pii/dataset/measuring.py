"""How much of what is in the data set is found, and how much of what is found is in it.

Span level: a value is found if findings of its detector cover at least 90 % of its characters; a finding is right if at
least 90 % of its characters are of values of its detector. Character level: whose detector found a character does not
matter, as it is masked all the same.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spanmill.pii.finder import Finder
from tests.pii.dataset.labelled import Label, Sample

_ENOUGH = 0.9
Cell = tuple[str, str]
"""Detector and language."""


class Found(NamedTuple):
    """Characters `start` to `end` of a text."""

    start: int
    end: int
    detector: str


@dataclass(slots=True)
class Counts:
    """Of one detector, or one of its languages, or all; they add up."""

    values: int = 0
    values_found: int = 0
    findings: int = 0
    findings_right: int = 0
    characters: int = 0
    characters_covered: int = 0
    characters_found: int = 0
    characters_found_right: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def recall(self) -> float:
        return self.values_found / max(1, self.values)

    @property
    def precision(self) -> float:
        return self.findings_right / self.findings if self.findings else 1.0

    @property
    def character_recall(self) -> float:
        return self.characters_covered / max(1, self.characters)

    @property
    def character_precision(self) -> float:
        return self.characters_found_right / self.characters_found if self.characters_found else 1.0


@dataclass(slots=True)
class Measures:
    """`missed` and `wrong` hold what counted against recall and precision; `negative_findings` are by detector, in
    texts without any personal data."""

    cells: dict[Cell, Counts] = field(default_factory=dict)
    texts: Counter[str] = field(default_factory=Counter)
    """By language."""
    negative_texts: int = 0
    negative_findings: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[Sample, Label]] = field(default_factory=list, repr=False)
    wrong: list[tuple[Sample, Found]] = field(default_factory=list, repr=False)

    def of(self, detector: str | None = None, language: str | None = None) -> Counts:
        """`None` is all."""
        chosen = (
            counts
            for (name, tongue), counts in self.cells.items()
            if detector in (None, name) and language in (None, tongue)
        )
        return sum(chosen, Counts())


def measured(finder: Finder, samples: Sequence[Sample]) -> Measures:
    measures = Measures()
    for sample, found in zip(samples, _found(finder, samples), strict=True):
        measures.texts[sample.language] += 1
        if not sample.labels:
            measures.negative_texts += 1
            measures.negative_findings.update(one.detector for one in found)
        for label in sample.labels:
            if not _count_label(_counts(measures, label.value.detector, sample.language), label, found):
                measures.missed.append((sample, label))
        for one in found:
            if not _count_finding(_counts(measures, one.detector, sample.language), one, sample.labels):
                measures.wrong.append((sample, one))
    return measures


def _found(finder: Finder, samples: Sequence[Sample]) -> list[list[Found]]:
    """By text."""
    findings = finder.find(pa.array([sample.text for sample in samples], pa.string()))
    names = [detector.name for detector in finder.detectors]
    found: list[list[Found]] = [[] for _ in samples]
    ends_of_characters: tuple[int, list[int]] = (-1, [])
    for row, start, end, which in zip(*(column.tolist() for column in findings), strict=True):
        if ends_of_characters[0] != row:
            ends_of_characters = (row, _character_starts(samples[row].text))
        starts = ends_of_characters[1]
        found[row].append(Found(bisect_right(starts, start) - 1, bisect_right(starts, end - 1), names[which]))
    return found


def _character_starts(text: str) -> list[int]:
    data = np.frombuffer(text.encode(), np.uint8)
    starts: list[int] = np.flatnonzero((data & 0xC0) != 0x80).tolist()
    return starts


def _counts(measures: Measures, detector: str, language: str) -> Counts:
    return measures.cells.setdefault((detector, language), Counts())


def _count_label(counts: Counts, label: Label, found: Iterable[Found]) -> bool:
    size, names = label.end - label.start, (label.value.detector, *label.value.also)
    by_name = sum(_shared(label, one) for one in found if one.detector in names)
    counts.values += 1
    counts.values_found += by_name >= _ENOUGH * size
    counts.characters += size
    counts.characters_covered += sum(_shared(label, one) for one in found)
    return by_name >= _ENOUGH * size


def _count_finding(counts: Counts, found: Found, labels: Iterable[Label]) -> bool:
    size = found.end - found.start
    by_name = sum(
        _shared(label, found) for label in labels if found.detector in (label.value.detector, *label.value.also)
    )
    counts.findings += 1
    counts.findings_right += by_name >= _ENOUGH * size
    counts.characters_found += size
    counts.characters_found_right += sum(_shared(label, found) for label in labels)
    return by_name >= _ENOUGH * size


def _shared(label: Label, found: Found) -> int:
    return max(0, min(label.end, found.end) - max(label.start, found.start))
