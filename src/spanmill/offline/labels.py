"""People's labels beside a judge's verdicts: the same thing said on the evaluator's own scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spanmill.judge.evaluator import Evaluator
from spanmill.offline.agreement import Counts, Errors, Kappa, confusion, corrected_rate, kappa
from spanmill.offline.mistakes import Mistake
from spanmill.offline.results_file import Verdict
from spanmill.offline.statistics import Estimate, effective_size

_YES: Final = frozenset({"true", "yes", "pass", "passed", "good"})
_NO: Final = frozenset({"false", "no", "fail", "failed", "bad"})
PASS, FAIL = "pass", "fail"
_MIDDLE: Final = 0.5
"""The threshold of evaluators that have none."""


@dataclass(frozen=True)
class Agreement:
    """An evaluator against labels."""

    classes: tuple[str, ...]
    """A category's labels, else `fail` and `pass`."""
    table: Counts
    """A row for what people said, a column for what the judge did."""
    kappa: Kappa | None
    errors: Errors
    """Of pass and fail."""
    rate: float | None
    """The judge's share of passes, of all that it scored, weighted."""
    corrected: Estimate | None
    """The share that people would have passed."""


def read_label(evaluator: Evaluator, value: Any) -> str:
    """The label as the evaluator's class. Raises `Mistake`.

    Of a category one of its labels; of a boolean true or false (yes, no); of a number a number of its own range. For
    all three `pass` and `fail` are understood, unless the category has such labels itself.
    """
    scale = evaluator.scale
    text = str(value).strip().casefold()
    if scale.kind == "category":
        for label in scale.labels:
            if label.casefold() == text:
                return label
        raise _strange(evaluator, value, f"one of {', '.join(scale.labels)}")
    if text in (PASS, FAIL):
        return text
    number = _number(text)
    if scale.kind == "boolean":
        said = True if text in _YES or number == 1 else False if text in _NO or number == 0 else None
        if said is None:
            raise _strange(evaluator, value, "true or false")
        return _class_of(evaluator, scale.score(said))
    if text in _YES | _NO:
        return PASS if text in _YES else FAIL
    if number is None or not scale.least <= number <= scale.most:
        raise _strange(evaluator, value, f"a number from {scale.least:g} to {scale.most:g}, or pass and fail")
    return _class_of(evaluator, scale.score(number))


def agreement_of(
    evaluator: Evaluator, verdicts: list[Verdict], labels: Mapping[str, Any], confidence: float = 0.95
) -> Agreement | None:
    """Of the scored verdicts of one evaluator; None without any that has a label."""
    both = [(row, read_label(evaluator, labels[row["id"]])) for row in verdicts if row["id"] in labels]
    if not both:
        return None
    category = evaluator.scale.kind == "category"
    classes = tuple(evaluator.scale.labels) if category else (FAIL, PASS)
    said = [str(row["label"]) if category else _class_of(evaluator, row["score"]) for row, _ in both]
    meant = [label for _, label in both]
    table = confusion(said, meant, classes)
    passes = confusion(
        [_class_of(evaluator, row["score"]) for row, _ in both],
        [_class_of(evaluator, evaluator.scale.labels[label]) if category else label for label in meant],
        (FAIL, PASS),
    )
    errors = Errors(int(passes[1, 1]), int(passes[1, 0]), int(passes[0, 1]), int(passes[0, 0]))
    weights = np.array([row.get("sample_weight") or 1.0 for row in verdicts], np.float64)
    passed = np.array([_class_of(evaluator, row["score"]) == PASS for row in verdicts], np.float64)
    rate = float(weights @ passed / weights.sum())
    corrected = corrected_rate(rate, effective_size(weights), errors, confidence=confidence)
    return Agreement(classes, table, kappa(table, confidence=confidence), errors, rate, corrected)


def agreement_lines(name: str, found: Agreement | None) -> list[str]:
    """What a person reads."""
    if found is None:
        return [f"{name}: no scored row has a label"]
    count = int(found.table.sum())
    agreed = float(np.trace(found.table)) / count
    value = f"kappa {_shown(found.kappa.value, found.kappa.interval)}" if found.kappa else "kappa means nothing here"
    lines = [f"{name}: {count} labels: {value}, accuracy {agreed:.3f}"]
    width = max(len(text) for text in found.classes)
    lines += [f"  {'people, judge:':<{width + 8}}" + "".join(f"{text:>{width + 2}}" for text in found.classes)]
    for text, row in zip(found.classes, found.table.tolist(), strict=True):
        lines.append(f"  {text:<{width + 8}}".ljust(max(16, width + 10)) + "".join(f"{n:>{width + 2}}" for n in row))
    for what, estimate in (("sensitivity", found.errors.sensitivity()), ("specificity", found.errors.specificity())):
        lines.append(f"  {what} {'-' if estimate is None else _shown(estimate.value, estimate.interval)}")
    corrected = found.corrected
    said = "cannot be told" if corrected is None else _shown(corrected.value, corrected.interval)
    lines.append(f"  passed: {found.rate or 0:.3f} by the judge; corrected for its errors {said}")
    return lines


def _shown(value: float, interval: Any) -> str:
    return f"{value:.3f} (95% interval {interval.low:.3f} .. {interval.high:.3f})"


def _class_of(evaluator: Evaluator, score: float) -> str:
    threshold = _MIDDLE if evaluator.threshold is None else evaluator.threshold
    return PASS if score >= threshold else FAIL


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _strange(evaluator: Evaluator, value: Any, expected: str) -> Mistake:
    shown = str(value) if len(str(value)) <= 40 else f"{str(value)[:40]}..."
    return Mistake(f'--labels: "{shown}" is no label for {evaluator.name}; expected {expected}')
