"""Token counts mean one thing, however they were sent."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.llm.usage import COLUMNS, inclusive

COUNTS = st.integers(0, 100_000)


def _resolved(*, cached_excluded: int = False, reasoning_excluded: int = False, **counts: int) -> dict[str, Any]:
    arrays = {name: pa.array([counts.get(name.removesuffix("_tokens"))], pa.int64()) for name in COLUMNS}
    found = inclusive(arrays, np.array([bool(cached_excluded)]), np.array([bool(reasoning_excluded)]))
    return {name.removesuffix("_tokens"): values[0].as_py() for name, values in found.items()}


@given(plain=COUNTS, read=COUNTS, write=COUNTS, answer=COUNTS, reasoning=COUNTS)
def test_separate_buckets_with_a_total_and_inclusive_ones_are_the_same_call(
    plain: int, read: int, write: int, answer: int, reasoning: int
) -> None:
    whole = {"input": plain + read + write, "output": answer + reasoning}
    wanted = whole | {"total": sum(whole.values())}
    parts = {"cache_read": read, "cache_write": write, "reasoning": reasoning}
    assert _resolved(**wanted, **parts) == wanted
    if answer + plain:  # with nothing outside the buckets both readings are the same
        separate = _resolved(input=plain, output=answer, total=wanted["total"], **parts)
        assert separate == wanted or separate["total"] == wanted["total"]


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ({"input": 412, "output": 87, "total": 499, "cache_read": 128, "reasoning": 24}, (412, 87, 499)),
        ({"input": 284, "output": 63, "total": 499, "cache_read": 128, "reasoning": 24}, (412, 87, 499)),
        ({"input": 284, "output": 87, "total": 499, "cache_read": 128, "reasoning": 24}, (412, 87, 499)),
        ({"input": 412, "output": 63, "total": 499, "cache_read": 128, "reasoning": 24}, (412, 87, 499)),
        ({"input": 100, "output": 10, "cache_read": 130_000}, (130_100, 10, 130_110)),
        ({"input": 100, "output": 10, "cache_read": 90}, (100, 10, 110)),
        ({"input": 100, "output": 10, "cache_read": 90, "cached_excluded": True}, (190, 10, 200)),
        ({"input": 100, "output": 10, "reasoning": 4, "reasoning_excluded": True}, (100, 14, 114)),
        ({"input": 100}, (100, None, 100)),
        ({"total": 7}, (None, None, 7)),
        ({"cache_read": 7}, (None, None, None)),
    ],
)
def test_conventions_are_told_apart(sent: dict[str, Any], wanted: tuple[int | None, ...]) -> None:
    found = _resolved(**sent)
    assert (found["input"], found["output"], found["total"]) == wanted
