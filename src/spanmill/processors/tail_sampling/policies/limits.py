"""Rate limits whose decisions are thresholds, so that sums over what they keep can be unbiased.

A limit is a token bucket, but one that is not emptied: when there is more than the rate allows, a trace that is larger
than what is left in an empty bucket would never be kept, and large traces would be missing from all sums. So the limit
thins beforehand. From what the bucket holds, and from what was asked for lately and now, it plans a share, the same for
all traces of a pass whatever they cost; in a steady flow that leaves the bucket at about 0.7 of its burst.

Only if a pass takes more than there is, by chance, those with the highest randomness are kept as long as they fit, up
to the first that does not fit; its randomness is the threshold for all of them. That the limit stops there, though a
smaller trace further down might still fit, is what makes it honest: the threshold is then the same wherever above it a
kept trace's randomness lies, and given the others the trace is kept exactly when its randomness is above it. So it was
kept with probability 1 - threshold, and stands for 1 / (1 - threshold) traces.

A trace larger than the whole burst could never be kept, with any randomness: it is set aside, and so stops no other.
One that is larger than what the bucket holds just now is not kept either, though a burst would hold it. That is where
sums are too low, and why a burst should hold ten of the larger traces.

Sources: Ting, "Adaptive Threshold Sampling" (SIGMOD 2022), on substitutable thresholds; Duffield, Lund and Thorup,
"Priority sampling for estimation of arbitrary subset sums" (JACM 2007).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["spans", "bytes", "usd"]
Held = tuple[float, float, float]
"""What a bucket holds; when that was, in seconds since 1970; and what was asked for lately, see `Limit.plan`."""


@dataclass(slots=True)
class Limit:
    """A token bucket: what it holds grows by `per_second` up to `burst`, and what is kept is taken from it."""

    name: str
    """Distinct among the limits of a processor, and the same after a restart."""
    unit: Unit
    per_second: float
    burst: float
    held: Held | None = None
    """None: it is full, and nothing was asked for."""

    def holds(self, seconds: float) -> float:
        """What may be taken at this time. A clock that was set back gives nothing, and takes nothing."""
        if self.held is None:
            return self.burst
        held, since, _ = self.held
        return min(self.burst, held + max(0.0, seconds - since) * self.per_second)

    def plan(self, demand: float, seconds: float) -> float:
        """The threshold (0 to 1) for what is asked for now, with no regard to who asks; `demand` is what it costs.

        The share is held^2 / (burst * lately), where `lately` is all demand, fading by e in the time in which the rate
        fills half of the burst. In a flow of f a second that is kept with a share of rate / f, the bucket then stays
        at 0.7 of the burst; after a quiet time a whole burst is kept.
        """
        holds, lately = self.holds(seconds), demand
        if self.held is not None:
            _, since, before = self.held
            lately += before * math.exp(-max(0.0, seconds - since) * 2 * self.per_second / self.burst)
        self.held = (holds, seconds, lately)
        return max(0.0, 1 - holds**2 / (self.burst * lately)) if lately > 0 else 0.0

    def spend(self, cost: float) -> None:
        """Take out what was kept of that."""
        if self.held is not None:
            held, since, lately = self.held
            self.held = (max(0.0, held - cost), since, lately)


def cutoff(costs: np.ndarray, randomness: np.ndarray, held: float) -> float:
    """The lowest threshold whose traces, those not below it, cost no more than is held together; just above the
    randomness of the first that does not fit. 0 when all fit."""
    order = np.argsort(-randomness)
    rejected = np.cumsum(costs[order]) > held
    if not rejected.any():
        return 0.0
    return float(np.nextafter(randomness[order[np.argmax(rejected)]], 2.0))


@dataclass(frozen=True, slots=True)
class Candidates:
    """Traces that a policy would keep but for its limits. Arrays have an element for each."""

    randomness: np.ndarray
    thresholds: np.ndarray
    """Which it has passed already: it stands for 1 / (1 - threshold)."""
    costs: Sequence[np.ndarray]
    """Of each limit, in its unit."""


@dataclass(frozen=True, slots=True)
class Limited:
    """What limits make of candidates."""

    thresholds: np.ndarray
    """One and the same, but 1, never, for those that are oversized."""
    oversized: np.ndarray
    """Where a trace is larger than the burst of some limit."""


def limited(limits: Sequence[Limit], asking: Candidates, seconds: float) -> Limited:
    """What all of the limits allow. Each is charged for what is kept, not for what another one refuses.

    `seconds` since 1970.
    """
    fits = np.ones(len(asking.randomness), bool)
    for limit, cost in zip(limits, asking.costs, strict=True):
        fits &= cost <= limit.burst
    threshold = 0.0
    for limit, cost in zip(limits, asking.costs, strict=True):
        demand = float((cost[fits] / (1 - asking.thresholds[fits])).sum())
        threshold = max(threshold, limit.plan(demand, seconds))
    planned = fits & (asking.randomness >= threshold)
    for limit, cost in zip(limits, asking.costs, strict=True):
        threshold = max(threshold, cutoff(cost[planned], asking.randomness[planned], limit.holds(seconds)))
    kept = planned & (asking.randomness >= threshold)
    for limit, cost in zip(limits, asking.costs, strict=True):
        limit.spend(float(cost[kept].sum()))
    return Limited(np.where(fits, threshold, 1.0), ~fits)
