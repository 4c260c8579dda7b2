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

    def take(self, costs: np.ndarray, randomness: np.ndarray, seconds: float) -> np.ndarray:
        """The threshold of each candidate: one and the same, but 1, never, for those larger than the burst.

        `costs` in the limit's unit, `seconds` since 1970. What those cost that are not below it is taken.
        """
        held = self.holds(seconds)
        fits = costs <= self.burst
        threshold = cutoff(costs[fits], randomness[fits], held)
        spent = float(costs[fits & (randomness >= threshold)].sum())
        self.held = (max(0.0, held - spent), seconds)
        return np.where(fits, threshold, 1.0)

    def holds(self, seconds: float) -> float:
        """What may be taken at this time. A clock that was set back gives nothing, and takes nothing."""
        if self.held is None:
            return self.burst
        held, since = self.held
        return min(self.burst, held + max(0.0, seconds - since) * self.per_second)


def cutoff(costs: np.ndarray, randomness: np.ndarray, held: float) -> float:
    """The lowest threshold whose traces, those not below it, cost no more than is held together; just above the
    randomness of the first that does not fit. 0 when all fit."""
    order = np.argsort(-randomness)
    rejected = np.cumsum(costs[order]) > held
    if not rejected.any():
        return 0.0
    return float(np.nextafter(randomness[order[np.argmax(rejected)]], 2.0))
