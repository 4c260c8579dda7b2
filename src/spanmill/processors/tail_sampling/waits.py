"""When a trace is decided."""

from dataclasses import dataclass

import numpy as np

from spanmill.processors.tail_sampling.trace_index import PENDING, TraceIndex

_SHARE_UNDER_PRESSURE = 0.25
"""Of the pending traces, the oldest, that are decided early at once when there is no room for more."""


@dataclass(frozen=True, slots=True)
class Waits:
    """All in seconds of the event loop's clock."""

    first_span: float
    """Since the first span came."""
    root: float = 0.0
    """Since the root came; 0: a root changes nothing."""
    last_span: float = 0.0
    """Since the last span came, on top of the first wait; 0: further spans change nothing."""
    longest: float = 3600.0
    """Since the first span, whatever comes."""
    most_traces: int = 0
    """Pending at once; 0: no bound."""
    most_bytes: int = 0
    """Of a trace, which is decided as soon as it has more; 0: no bound."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be decided now."""

    slots: np.ndarray
    """Of the traces that are due, the oldest first."""
    early: int
    """How many of them are due only because there is no room."""
    next_at: float
    """When the next one is due, as far as is known now; infinite for never."""


def due(index: TraceIndex, waits: Waits, now: float, *, pressed: bool = False) -> Due:
    """Which pending traces are due. `pressed`: there is no room for what they hold."""
    slots = index.in_state(PENDING)
    slots = slots[index.spans[slots] > 0]
    first = index.first_seen[slots]
    at = first + waits.first_span
    if waits.last_span:
        at = np.maximum(at, index.last_seen[slots] + waits.last_span)
    if waits.root:
        at = np.minimum(at, index.root_seen[slots] + waits.root)
    at = np.minimum(at, first + waits.longest)
    too_early = _early(index, waits, slots, first, pressed=pressed) & (at > now)
    is_due = (at <= now) | too_early
    found = slots[is_due]
    order = np.argsort(index.first_seen[found], kind="stable")
    return Due(found[order], int(too_early.sum()), float(at[~is_due].min(initial=np.inf)))


def _early(index: TraceIndex, waits: Waits, slots: np.ndarray, first: np.ndarray, *, pressed: bool) -> np.ndarray:
    early = np.zeros(len(slots), bool)
    if waits.most_bytes:
        early |= index.size[slots] > waits.most_bytes
    excess = len(slots) - waits.most_traces if waits.most_traces else 0
    if pressed:
        excess = max(excess, int(np.ceil(_SHARE_UNDER_PRESSURE * len(slots))))
    if excess > 0:
        early[np.argpartition(first, excess - 1)[:excess]] = True
    return early
