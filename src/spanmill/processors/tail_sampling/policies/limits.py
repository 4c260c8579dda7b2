"""Rate limits whose decisions are thresholds, so that sums over what they keep can be unbiased.

Among the traces of a pass that a limit is asked about, those with the highest randomness are taken as long as they fit
what the rate allows, up to the first that does not fit; its randomness is the threshold for all of them. That the
limit stops there, though a smaller trace further down might still fit, is what makes it honest: the threshold is then
the same wherever above it a kept trace's randomness lies, and given the others the trace is kept exactly when its
randomness is above it. So it was kept with probability 1 - threshold, and stands for 1 / (1 - threshold) traces.

A trace larger than the whole burst could never be taken, with any randomness: it is set aside, and so stops no other.
One that is larger than what is there just now is not kept either, though a burst would hold it; sums are unbiased for
traces that fit what is there, and so a burst should hold several of the largest.

Sources: Ting, "Adaptive Threshold Sampling" (SIGMOD 2022), on substitutable thresholds; Duffield, Lund and Thorup,
"Priority sampling for estimation of arbitrary subset sums" (JACM 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["spans", "bytes", "usd"]
Held = tuple[float, float]
"""What a bucket holds, and when that was, in seconds since 1970."""


@dataclass(slots=True)
class Limit:
    """A token bucket: what it holds grows by `per_second` up to `burst`, and what is kept is taken from it."""

    name: str
    """Distinct among the limits of a processor, and the same after a restart."""
    unit: Unit
    per_second: float
    burst: float
    held: Held | None = None
    """None: it is full."""

    def holds(self, seconds: float) -> float:
        """What may be taken at this time. A clock that was set back gives nothing, and takes nothing."""
        if self.held is None:
            return self.burst
        held, since = self.held
        return min(self.burst, held + max(0.0, seconds - since) * self.per_second)

    def spend(self, cost: float, seconds: float) -> None:
        """Take out what was kept at this time."""
        self.held = (max(0.0, self.holds(seconds) - cost), seconds)


def cutoff(costs: np.ndarray, randomness: np.ndarray, held: float) -> float:
    """The lowest threshold whose traces, those not below it, cost no more than is held together; just above the
    randomness of the first that does not fit. 0 when all fit."""
    order = np.argsort(-randomness)
    rejected = np.cumsum(costs[order]) > held
    if not rejected.any():
        return 0.0
    return float(np.nextafter(randomness[order[np.argmax(rejected)]], 2.0))


@dataclass(frozen=True, slots=True)
class Limited:
    """What limits make of candidates."""

    thresholds: np.ndarray
    """One and the same, but 1, never, for those that are oversized."""
    oversized: np.ndarray
    """Where a trace is larger than the burst of some limit."""


def limited(limits: Sequence[Limit], costs: Sequence[np.ndarray], randomness: np.ndarray, seconds: float) -> Limited:
    """What all of the limits allow of some traces. Each is charged for what is kept, not for what another one refuses.

    `costs` are in the unit of each limit, `seconds` since 1970.
    """
    fits = np.ones(len(randomness), bool)
    for limit, cost in zip(limits, costs, strict=True):
        fits &= cost <= limit.burst
    threshold = 0.0
    for limit, cost in zip(limits, costs, strict=True):
        threshold = max(threshold, cutoff(cost[fits], randomness[fits], limit.holds(seconds)))
    kept = fits & (randomness >= threshold)
    for limit, cost in zip(limits, costs, strict=True):
        limit.spend(float(cost[kept].sum()), seconds)
    return Limited(np.where(fits, threshold, 1.0), ~fits)
