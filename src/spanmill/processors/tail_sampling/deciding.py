"""From traces that are due to a pass: what the policies make of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from spanmill.batch import Batch
from spanmill.processors.tail_sampling.decisions import DROPPED_BY_NONE, Pass
from spanmill.processors.tail_sampling.held_spans import select, take
from spanmill.processors.tail_sampling.policies import Policies, Traces, Verdicts
from spanmill.processors.tail_sampling.sampler import Sampler
from spanmill.sampling import NEVER, of_probabilities, randomness_of, thresholds_of

_ALWAYS_READ: Final = frozenset({"trace_id", "trace_state"})
UNDECIDED: Final = "undecided"
"""In place of a policy's name, where policies failed."""
MOST_ROWS: Final = 100_000
"""Spans in a pass. More would not be quicker, and what they take in memory is beside what is held."""


@dataclass(frozen=True, slots=True)
class CacheSizes:
    """How many decisions are remembered for spans that come late."""

    kept: int
    dropped: int


def decide(
    sampler: Sampler, policies: Policies, slots: np.ndarray, sizes: CacheSizes, seconds: float, most_bytes: float
) -> tuple[Pass, Verdicts | None]:
    """A pass over the traces in `slots`, the first of them if they are many, and what the policies said.

    `seconds`: since 1970, for rate limits. Traces with more than `most_bytes` are dropped. Raises `OSError`.
    """
    if len(slots):
        ends = np.cumsum(sampler.index.spans[slots])
        slots = slots[: max(1, int(np.searchsorted(ends, MOST_ROWS, side="right")))]
    rejected = np.full(len(slots), NEVER, np.uint64)
    kept_by = np.full(len(slots), DROPPED_BY_NONE, np.int16)
    verdicts = None
    batch, traces = _rows(sampler, policies, slots)
    if batch is not None and most_bytes > 0:
        verdicts = policies.decide(batch, traces, _traces(sampler, batch, traces, slots), seconds)
        kept = (verdicts.policy >= 0) & (sampler.index.size[slots] <= most_bytes)
        kept_by[kept] = verdicts.policy[kept]
        rejected[kept] = of_probabilities(1.0 - verdicts.threshold[kept])
    return _pass(sampler, policies, slots, rejected, kept_by, sizes), verdicts


def keep_undecided(sampler: Sampler, policies: Policies, slots: np.ndarray, sizes: CacheSizes) -> Pass:
    """A pass that keeps the traces for want of a decision."""
    if UNDECIDED not in sampler.names:
        sampler.names.append(UNDECIDED)
    kept_by = np.full(len(slots), sampler.names.index(UNDECIDED), np.int16)
    return _pass(sampler, policies, slots, np.zeros(len(slots), np.uint64), kept_by, sizes)


def _pass(
    sampler: Sampler,
    policies: Policies,
    slots: np.ndarray,
    rejected: np.ndarray,
    kept_by: np.ndarray,
    sizes: CacheSizes,
) -> Pass:
    return Pass(
        sampler.number + 1, sampler.upto, sampler.index.ids[slots], rejected, kept_by,
        max(0, len(sampler.kept) + int((kept_by >= 0).sum()) - sizes.kept),
        max(0, len(sampler.dropped) + int((kept_by < 0).sum()) - sizes.dropped),
        policies.state(),
    )  # fmt: skip


def _rows(sampler: Sampler, policies: Policies, slots: np.ndarray) -> tuple[Batch | None, np.ndarray]:
    """The spans of the traces with the columns that policies look at, and for each the place of its trace."""
    of_slot = np.full(len(sampler.index.state) + 1, -1)
    of_slot[slots] = np.arange(len(slots))
    wanted = policies.columns | _ALWAYS_READ
    parts, traces = [], []
    for chunk, rows in sampler.held.of(of_slot >= 0):
        read = sampler.held.read(chunk, rows)
        if read is not None:
            batch, places, sound = read
            parts.append(take(select(batch, wanted), places))
            traces.append(of_slot[chunk.slots[sound]])
    return (Batch.concat(parts), np.concatenate(traces)) if parts else (None, np.zeros(0, np.int64))


def _traces(sampler: Sampler, batch: Batch, traces: np.ndarray, slots: np.ndarray) -> Traces:
    index, first = sampler.index, np.zeros(len(slots), np.int64)
    first[traces[::-1]] = np.arange(len(traces))[::-1]
    arriving, randomness = thresholds_of(batch).values[first], randomness_of(batch)[first]
    passed = (np.uint64(NEVER) - arriving).astype(np.float64)
    return Traces(
        count=len(slots),
        randomness=np.where(randomness >= arriving, randomness - arriving, randomness).astype(np.float64) / passed,
        size=index.size[slots],
        lowest_score=index.lowest_score[slots].astype(np.float64),
        negative_feedback=index.negative_feedback[slots],
    )
