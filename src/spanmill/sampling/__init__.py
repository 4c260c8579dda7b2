"""Consistent probability sampling: which rows are kept, and how much each kept row counts for.

Pure functions over batches, after the OpenTelemetry specification ("TraceState: Probability Sampling"). Every trace has
56 random bits R, and every sampling stage a threshold T in [0, 2^56]: it keeps the traces with R >= T, which is a share
of (2^56 - T) / 2^56. Rows carry the threshold that they have passed in `ot=th:...`, so that each kept one stands for
2^56 / (2^56 - T). Who decides what, and why, is for processors.
"""

from spanmill.sampling.arriving import Thresholds, randomness_of, thresholds_of
from spanmill.sampling.thresholds import NEVER, of_probabilities, of_probability, raised
from spanmill.sampling.weights import with_kept_share

__all__ = [
    "NEVER",
    "Thresholds",
    "of_probabilities",
    "of_probability",
    "raised",
    "randomness_of",
    "thresholds_of",
    "with_kept_share",
]
