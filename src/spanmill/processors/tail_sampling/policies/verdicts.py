"""What policies are asked about, and what they answer."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of a pass. Each array has an element for each trace."""

    count: int
    randomness: np.ndarray
    """float64, uniform in [0, 1) given that the trace arrived."""
    size: np.ndarray
    """Bytes of the spans, as they are held."""
    lowest_score: np.ndarray
    """float64, 0 to 1: the lowest evaluation that came for the trace; NaN where none did."""
    negative_feedback: np.ndarray
    """Whether there was any."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What becomes of each trace, in the first three arrays; then counts for each policy."""

    threshold: np.ndarray
    """float64 in [0, 1]: the trace is kept when its randomness is not below. It would have been kept with a probability
    of 1 - threshold, and stands for 1 / (1 - threshold) traces."""
    policy: np.ndarray
    """int32, index of the policy that keeps it; -1 when it is dropped."""
    dropped_by: np.ndarray
    """int32, index of the first `drop` policy that drops it; -1 when none does."""
    matched: np.ndarray
    """int64, for each policy how many traces it would keep if it were the only one; of a `drop` policy, would drop."""
    failed: np.ndarray
    """int64, for each policy for how many traces it could not be worked out. They do not match it."""
    oversized: np.ndarray
    """int64, for each policy how many traces match, but are larger than the burst of its rate limit."""
