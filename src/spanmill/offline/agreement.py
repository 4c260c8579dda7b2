"""How far a judge agrees with people, and the rate that people would have found. Pure.

Accuracy alone says little: a judge that always says yes is right as often as yes is. So there is Cohen's kappa, which
takes off what chance would agree on (interval: Fleiss, Cohen and Everitt 1969), and the judge's errors of both kinds.
With these, the judge's own rate is corrected as a diagnostic test's is (Rogan and Gladen 1978; interval: Lang and
Reiczigel 2014, which allows for what is not known of the judge either).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spanmill.offline.statistics import Estimate, Interval, proportion, z_of

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa: 1 is full agreement, 0 what chance would bring."""

    value: float
    interval: Interval
    count: int
    accuracy: float
    """The share of rows on which both agree, chance included."""


@dataclass(frozen=True, slots=True)
class Errors:
    """A judge's errors where people said yes or no."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @property
    def positives(self) -> int:
        """Rows to which people said yes."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """Rows to which people said no."""
        return self.true_negatives + self.false_positives

    def sensitivity(self, confidence: float = 0.95) -> Estimate | None:
        """The share of people's yes that the judge finds; None when there is none."""
        return _share(self.true_positives, self.positives, confidence)

    def specificity(self, confidence: float = 0.95) -> Estimate | None:
        """The share of people's no that the judge finds; None when there is none."""
        return _share(self.true_negatives, self.negatives, confidence)


def confusion(judge: Sequence[str], people: Sequence[str], classes: Sequence[str]) -> Counts:
    """How often: a row for what people said, a column for what the judge did, both in the order of `classes`."""
    numbers = {name: index for index, name in enumerate(classes)}
    table = np.zeros((len(classes), len(classes)), np.int64)
    for said, meant in zip(judge, people, strict=True):
        table[numbers[meant], numbers[said]] += 1
    return table


def kappa(table: Counts, *, confidence: float = 0.95) -> Kappa | None:
    """Of a square table of counts. None where it means nothing: without rows, or when both only ever said the same one
    thing, and chance alone would have them agree."""
    count = int(table.sum())
    if not count:
        return None
    shares = table / count
    agreed, expected = _agreement(shares)
    if expected >= 1:
        return None
    value = (agreed - expected) / (1 - expected)
    variance = _kappa_variance(shares, count)
    middle = value
    if agreed >= 1:
        # Without a single disagreement the formula knows no doubt; half a row more in each cell brings it back.
        smoothed = (table + 0.5) / (table + 0.5).sum()
        agreed_smoothed, expected_smoothed = _agreement(smoothed)
        middle = (agreed_smoothed - expected_smoothed) / (1 - expected_smoothed)
        variance = _kappa_variance(smoothed, count)
    half = z_of(confidence) * float(np.sqrt(variance))
    interval = Interval(max(-1.0, middle - half), max(value, min(1.0, middle + half)))
    return Kappa(value, interval, count, agreed)


def corrected_rate(rate: float, count: float, errors: Errors, *, confidence: float = 0.95) -> Estimate | None:
    """The share of yes that people would have found, from the judge's `rate` of yes among `count` rows.

    None when it cannot be told: people never said yes, or never no, or the judge is no better than chance.
    """
    sensitivity, specificity = errors.sensitivity(confidence), errors.specificity(confidence)
    if sensitivity is None or specificity is None or sensitivity.value + specificity.value <= 1 or count <= 0:
        return None
    value = (rate + specificity.value - 1) / (sensitivity.value + specificity.value - 1)
    value = min(1.0, max(0.0, value))
    interval = _corrected_interval(rate, count, errors, z_of(confidence))
    # Its middle is another than the value; at the ends of 0..1 it may leave the value out.
    return Estimate(value, Interval(min(interval.low, value), max(interval.high, value)), int(count), count)


def _corrected_interval(rate: float, count: float, errors: Errors, z: float) -> Interval:
    added = z * z
    p, n = (count * rate + added / 2) / (count + added), count + added
    found, yes = (errors.true_positives + 1) / (errors.positives + 2), errors.positives + 2
    refused, no = (errors.true_negatives + 1) / (errors.negatives + 2), errors.negatives + 2
    skill = found + refused - 1
    if skill <= 0:
        return Interval(0.0, 1.0)
    value = (p + refused - 1) / skill
    found_variance, refused_variance = found * (1 - found) / yes, refused * (1 - refused) / no
    shift = 2 * added * (value * found_variance - (1 - value) * refused_variance)
    variance = p * (1 - p) / n + (1 - value) ** 2 * refused_variance + value**2 * found_variance
    half = z * float(np.sqrt(variance)) / skill
    low, high = (min(1.0, max(0.0, value + shift + side * half)) for side in (-1, 1))
    return Interval(low, high)


def _agreement(shares: npt.NDArray[np.float64]) -> tuple[float, float]:
    """What is agreed on, and what chance would."""
    return float(np.trace(shares)), float(shares.sum(axis=1) @ shares.sum(axis=0))


def _kappa_variance(shares: npt.NDArray[np.float64], count: int) -> float:
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreed, expected = _agreement(shares)
    value = (agreed - expected) / (1 - expected)
    rest = 1 - value
    diagonal = np.diag(shares) @ (1 - (rows + columns) * rest) ** 2
    pairs = (columns[:, None] + rows[None, :]) ** 2
    others = rest**2 * float((shares * pairs)[~np.eye(len(shares), dtype=bool)].sum())
    return max(0.0, float(diagonal + others - (value - expected * rest) ** 2)) / (count * (1 - expected) ** 2)


def _share(part: int, whole: int, confidence: float) -> Estimate | None:
    if not whole:
        return None
    return Estimate(part / whole, proportion(part / whole, whole, confidence=confidence), whole, float(whole))
