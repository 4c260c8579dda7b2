"""How often, and in which order of accidents: both can be asked for.

SPANMILL_CRASH_CYCLES=50     crashes of each kind in the long suites, in rounds on fresh directories; 1,000 by default
SPANMILL_CRASH_SEED=4711     the seed of the first round; the following ones count up. By default another one each time
"""

import os
from random import SystemRandom
from typing import Final

import pytest

CYCLES: Final = int(os.environ.get("SPANMILL_CRASH_CYCLES", "1000"))
SEED: Final = int(os.environ.get("SPANMILL_CRASH_SEED", SystemRandom().randrange(1_000_000)))
_EACH_ROUND: Final = 50


def rounds(cycles: int) -> pytest.MarkDecorator:
    """Parameters `seed` and `cycles` of a test that crashes so often in all."""
    lengths = [min(_EACH_ROUND, cycles - start) for start in range(0, cycles, _EACH_ROUND)]
    made = [pytest.param(SEED + i, length, id=f"seed {SEED + i}") for i, length in enumerate(lengths)]
    return pytest.mark.parametrize(("seed", "cycles"), made)
