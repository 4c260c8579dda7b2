"""What rows carry of earlier sampling, however their signal writes it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Reading(NamedTuple):
    """What one row says."""

    threshold: int | None = None
    unreadable: bool = False
    """Whether there is a threshold that cannot be read."""
    randomness: int | None = None


class Carried(NamedTuple):
    """The same for every row, each an array."""

    threshold: np.ndarray
    """uint64; 0 where there is none."""
    has_threshold: np.ndarray
    unreadable: np.ndarray
    randomness: np.ndarray
    """uint64; 0 where there is none."""
    has_randomness: np.ndarray


def carried_of(distinct: Sequence[Reading], indices: pa.Int32Array) -> Carried:
    """What each row carries, from what the distinct ones say and which of them it has; null is none."""
    readings = [*distinct, Reading()]
    places = indices.fill_null(len(distinct)).to_numpy()
    return Carried(
        np.array([each.threshold or 0 for each in readings], np.uint64)[places],
        np.array([each.threshold is not None for each in readings], dtype=bool)[places],
        np.array([each.unreadable for each in readings], dtype=bool)[places],
        np.array([each.randomness or 0 for each in readings], np.uint64)[places],
        np.array([each.randomness is not None for each in readings], dtype=bool)[places],
    )
