"""Whether verdicts are good enough: rules over means of scores, with nothing left to taste.

- A part (an evaluator, or a group of its rows) passes when the mean of its scores reaches the minimum, and has not
  dropped by more than is allowed since the baseline.
- An evaluator with fewer scores than `min_count` does not pass. A group with fewer is shown and not judged by itself:
  its rows count in the evaluator's whole, which always is.
- What the baseline has and the results lack does not pass. What the baseline lacks is not compared.
- When more than `max_failed` of the answers could not be had or read, the part does not pass, however good the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from spanmill.offline.results import Verdicts
from spanmill.offline.statistics import Estimate, difference, mean, paired_difference

_PAIRED_FROM = 0.5
"""The share of the scored rows of either side that the other must have too, for rows to be compared in pairs."""
_ROUNDING = 1e-9


class Status(StrEnum):
    """What became of one part."""

    PASSED = "passed"
    FAILED = "failed"
    TOO_FEW = "too few"
    """Not judged by itself."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of the verdicts."""

    minimum: float | None = None
    """Of the mean, for evaluators without one of their own."""
    minima: Mapping[str, float] = field(default_factory=dict)
    """By evaluator."""
    max_drop: float = 0.05
    """From the baseline's mean."""
    max_failed: float = 0.05
    """The share of answers that may lack a score."""
    min_count: int = 10
    """Scores below which nothing is said of a part."""
    strict: bool = False
    """The lower ends of intervals must hold, not the values only: what is not sure does not pass."""
    confidence: float = 0.95

    def minimum_of(self, evaluator: str) -> float | None:
        """What the mean must reach; None when nothing is asked."""
        return self.minima.get(evaluator, self.minimum)


@dataclass(frozen=True, slots=True)
class Part:
    """An evaluator as a whole, or one group of its rows, and what the rules say."""

    evaluator: str
    column: str = ""
    """What it is grouped by; empty for the whole."""
    group: str = ""
    scored: int = 0
    failed: int = 0
    skipped: int = 0
    minimum: float | None = None
    mean: Estimate | None = None
    baseline: Estimate | None = None
    change: Estimate | None = None
    """From the baseline."""
    pairs: int = 0
    """Rows of both that `change` is of; 0 when it is of two groups."""
    status: Status = Status.PASSED
    reasons: tuple[str, ...] = ()
    """Why it is not passed."""

    @property
    def title(self) -> str:
        """`relevance`, or `relevance, language=ko`."""
        return f"{self.evaluator}, {self.column}={self.group}" if self.column else self.evaluator


@dataclass(frozen=True, slots=True)
class Report:
    """What a gate found."""

    parts: Sequence[Part]
    rules: Rules
    notes: Sequence[str] = ()
    """What a reader should know."""

    @property
    def passed(self) -> bool:
        """Whether there is something, and nothing failed."""
        return bool(self.parts) and all(part.status is not Status.FAILED for part in self.parts)


def judge(new: Verdicts, old: Verdicts | None, by: Sequence[str], rules: Rules) -> Report:
    """Look at every evaluator of either, and at every group of each column."""
    names = sorted({*new.names, *(old.names if old else ())})
    parts = []
    for name in names:
        rows = new.where(new.name == name)
        before = None if old is None else old.where(old.name == name)
        parts.append(_part(Part(name, minimum=rules.minimum_of(name)), rows, before, rules))
        for column in by:
            parts += _groups(name, column, rows, before, rules)
    return Report(parts, rules, list(_notes(names, new, old)))


def _groups(name: str, column: str, new: Verdicts, old: Verdicts | None, rules: Rules) -> Iterator[Part]:
    values = {*new.groups[column], *(old.groups[column] if old else ())}
    for value in sorted(values):
        rows = new.where(new.groups[column] == value)
        before = None if old is None else old.where(old.groups[column] == value)
        yield _part(Part(name, column, value, minimum=rules.minimum_of(name)), rows, before, rules)


def _part(part: Part, new: Verdicts, old: Verdicts | None, rules: Rules) -> Part:
    before = None if old is None else _mean(old, rules)
    change, pairs = (None, 0) if old is None else _change(new, old, rules)
    found = Part(
        part.evaluator,
        part.column,
        part.group,
        scored=int(new.scored.sum()),
        failed=new.failed,
        skipped=int((new.skipped & ~new.scored).sum()),
        minimum=part.minimum,
        mean=_mean(new, rules),
        baseline=before,
        change=change,
        pairs=pairs,
    )
    return _decided(found, rules)


def _decided(part: Part, rules: Rules) -> Part:
    missing = part.scored + part.failed + part.skipped == 0
    was = part.baseline.count if part.baseline else 0
    if part.column and (was if missing else part.scored + part.failed) < rules.min_count:
        count = f"{part.scored} scores" + (f", {was} in the baseline" if missing else "")
        return replace(part, status=Status.TOO_FEW, reasons=(f"{count}; judged from {rules.min_count} on",))
    reasons = ("the baseline has it, the results do not",) if missing else tuple(_reasons(part, rules))
    return replace(part, status=Status.FAILED if reasons else Status.PASSED, reasons=reasons)


def _reasons(part: Part, rules: Rules) -> Iterator[str]:
    asked = part.scored + part.failed
    if part.failed > rules.max_failed * asked + _ROUNDING:
        yield f"{part.failed} of {asked} answers failed; at most {rules.max_failed:.0%} may"
    if part.scored < rules.min_count:
        yield f"{part.scored} scores are too few; expected {rules.min_count}"
    end = "the lower end of the interval" if rules.strict else "the mean"
    if part.mean is not None and part.minimum is not None:
        reached = part.mean.interval.low if rules.strict else part.mean.value
        if reached < part.minimum - _ROUNDING:
            yield f"{end}, {reached:.3f}, is below {part.minimum:g}"
    if part.change is not None:
        drop = -(part.change.interval.low if rules.strict else part.change.value)
        if drop > rules.max_drop + _ROUNDING:
            verb = "may have dropped" if rules.strict else "dropped"
            yield f"it {verb} by {drop:.3f} from the baseline; at most {rules.max_drop:g} is allowed"


def _mean(rows: Verdicts, rules: Rules) -> Estimate | None:
    scored = rows.scored
    if not scored.any():
        return None
    return mean(rows.score[scored], rows.weight[scored], confidence=rules.confidence)


def _change(new: Verdicts, old: Verdicts, rules: Rules) -> tuple[Estimate | None, int]:
    """In pairs where most rows are in both, else of the two means. Rows weigh as in the results."""
    new, old = new.where(new.scored), old.where(old.scored)
    if not len(new) or not len(old):
        return None, 0
    in_new, in_old = _shared(new, old)
    if len(in_new) and len(in_new) >= _PAIRED_FROM * max(len(new), len(old)):
        scores, before = new.score[in_new], old.score[in_old]
        return paired_difference(scores, before, new.weight[in_new], confidence=rules.confidence), len(in_new)
    means = _mean(new, rules), _mean(old, rules)
    assert means[0] is not None
    assert means[1] is not None
    return difference(means[0], means[1]), 0


def _shared(new: Verdicts, old: Verdicts) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    places = {key: index for index, key in enumerate(old.key) if key is not None}
    pairs = [(index, places[key]) for index, key in enumerate(new.key) if key in places]
    both = np.array(pairs, np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _notes(names: Sequence[str], new: Verdicts, old: Verdicts | None) -> Iterator[str]:
    for name in names:
        hashes = {text for text in new.template[new.name == name] if text is not None}
        if len(hashes) > 1:
            yield f"{name}: verdicts of {len(hashes)} versions of the evaluator are put together (template_hash)"
        if old is None:
            continue
        before = {text for text in old.template[old.name == name] if text is not None}
        if not (old.name == name).any():
            yield f"{name}: the baseline has none, and nothing is compared"
        elif hashes and before and hashes != before:
            yield f"{name}: the baseline is of another version of the evaluator (template_hash), which may differ"
