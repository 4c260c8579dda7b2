"""Policies as thresholds: a trace is kept by a policy when its randomness is not below the policy's threshold for it.

A yes is 0, a no is 1, a share p is 1 - p. Of several policies in an `and` the highest threshold counts, of several
policies beside each other the lowest; what a `drop` policy drops is below a threshold too. So every trace has one
threshold in the end, whatever kept it, and is kept with a probability of 1 - threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spanmill.processors.tail_sampling.policies.firsts import Columns, Combinations, FirstOf
from spanmill.processors.tail_sampling.policies.limits import Candidates, Limit, Unit, limited
from spanmill.processors.tail_sampling.policies.query import Answers


@dataclass(frozen=True, slots=True)
class Pass:
    """What rules look at. Arrays have an element for each trace."""

    randomness: np.ndarray
    answers: Answers
    costs: dict[Unit, np.ndarray]
    seconds: float
    combinations: dict[Columns, Combinations]
    floor: np.ndarray
    """Below which a trace is dropped, whatever keeps it."""


@dataclass(slots=True)
class Outcome:
    """What a rule makes of the traces of a pass."""

    threshold: np.ndarray
    oversized: int = 0
    """Traces that match but are larger than the burst of a limit."""


Said = tuple[np.ndarray, np.ndarray]
"""Where something is true, and where it could not be worked out."""
Question = Callable[[Answers], Said]


def asked(index: int) -> Question:
    """One of the query's questions."""
    return lambda answers: (answers.true[index], answers.failed[index])


def negated(question: Question) -> Question:
    """What cannot be worked out is neither true nor untrue."""

    def ask(answers: Answers) -> Said:
        true, failed = question(answers)
        return ~true & ~failed, failed

    return ask


def conjunction(questions: Sequence[Question]) -> Question:
    """All of them. Without any it is always true."""

    def ask(answers: Answers) -> Said:
        count = answers.true.shape[1]
        true, failed = np.ones(count, bool), np.zeros(count, bool)
        for question in questions:
            held, not_known = question(answers)
            true, failed = true & held, failed | not_known
        return true & ~failed, failed

    return ask


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps the traces for which the question is true and that are among the first of their kind; of those a share; and
    of that what limits allow."""

    question: Question
    share: float = 1.0
    """0 to 1."""
    limits: tuple[Limit, ...] = ()
    firsts: tuple[FirstOf, ...] = ()

    def failed(self, answers: Answers) -> np.ndarray:
        """The traces for which the question could not be worked out."""
        return self.question(answers)[1]

    def thresholds(self, now: Pass, allowed: np.ndarray) -> Outcome:
        """For each trace. `allowed`: those that are not dropped, and may count. To be asked once in a pass."""
        return self.thresholds_of(self.matched(now, allowed), now, allowed)

    def matched(self, now: Pass, allowed: np.ndarray) -> np.ndarray:
        """The traces that it may keep, whatever their randomness. To be asked once in a pass."""
        true, _ = self.question(now.answers)
        firsts = [first.matches(now.combinations[first.columns], allowed & true) for first in self.firsts]
        return np.asarray(np.logical_and.reduce([true, *firsts]))

    def thresholds_of(self, matched: np.ndarray, now: Pass, allowed: np.ndarray) -> Outcome:
        """The same where it is known what `matched` gives."""
        outcome = Outcome(np.where(matched, 1.0 - self.share, 1.0))
        if self.limits:
            candidates = np.flatnonzero(allowed & (now.randomness >= outcome.threshold))
            asking = Candidates(
                now.randomness[candidates],
                np.maximum(outcome.threshold, now.floor)[candidates],
                [now.costs[limit.unit][candidates] for limit in self.limits],
            )
            found = limited(self.limits, asking, now.seconds)
            outcome.threshold[candidates] = np.maximum(outcome.threshold[candidates], found.thresholds)
            outcome.oversized = int(np.count_nonzero(found.oversized))
        return outcome

    def drops_below(self, answers: Answers) -> np.ndarray:
        """As a `drop` policy: for each trace below which randomness it is dropped."""
        true, _ = self.question(answers)
        return np.where(true, self.share, 0.0)


@dataclass(frozen=True, slots=True)
class Composite:
    """Rules that share a rate. A trace belongs to the first rule that may keep it, whatever its randomness: if that
    depended on it, there would be no threshold that says with which probability a trace was kept."""

    rules: tuple[Rule, ...]

    def failed(self, answers: Answers) -> np.ndarray:
        """The traces for which some question could not be worked out."""
        return np.asarray(np.logical_or.reduce([rule.failed(answers) for rule in self.rules]))

    def thresholds(self, now: Pass, allowed: np.ndarray) -> Outcome:
        """For each trace. `allowed` as for rules."""
        free = ~self.failed(now.answers)
        whole = Outcome(np.ones(len(allowed)))
        for rule in self.rules:
            mine = free & rule.matched(now, allowed & free)
            free &= ~mine
            outcome = rule.thresholds_of(mine, now, allowed & mine)
            whole.threshold[mine] = outcome.threshold[mine]
            whole.oversized += outcome.oversized
        return whole
