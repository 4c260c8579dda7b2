"""One meaning of token counts: input includes what was cached, output includes reasoning, the total is both.

OpenTelemetry's counts are inclusive; Anthropic's own, Langfuse's and others' are separate buckets. The total tells
which, where there is one; what is cached cannot be more than the whole.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

COLUMNS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def inclusive(
    counts: Mapping[str, pa.Array], cached_excluded: np.ndarray, reasoning_excluded: np.ndarray
) -> dict[str, pa.Array]:
    """`input_tokens`, `output_tokens` and `total_tokens` in that meaning, from all of `COLUMNS`.

    `cached_excluded` and `reasoning_excluded` say for each row what its dialect means where nothing else tells.
    """
    known = {name: counts[name].is_valid().to_numpy(zero_copy_only=False) for name in COLUMNS}
    number = {name: counts[name].fill_null(0).to_numpy(zero_copy_only=False) for name in COLUMNS}
    given, answer, total = number["input_tokens"], number["output_tokens"], number["total_tokens"]
    cached = number["cache_read_tokens"] + number["cache_write_tokens"]
    reasoning = number["reasoning_tokens"]
    told = known["total_tokens"] & known["input_tokens"] & known["output_tokens"]
    rest = total - given - answer

    all_in = told & (rest == 0)
    both_out = told & ~all_in & (rest == cached + reasoning)
    cached_out = told & ~all_in & ~both_out & (rest == cached)
    reasoning_out = told & ~all_in & ~both_out & ~cached_out & (rest == reasoning)
    decided = all_in | both_out | cached_out | reasoning_out

    add_cached = both_out | cached_out | (cached > given) | (~decided & cached_excluded)
    add_reasoning = both_out | reasoning_out | (reasoning > answer) | (~decided & reasoning_excluded)
    whole_input = given + np.where(add_cached & known["input_tokens"], cached, 0)
    whole_output = answer + np.where(add_reasoning & known["output_tokens"], reasoning, 0)
    either = known["input_tokens"] | known["output_tokens"]
    sums = np.where(either, whole_input + whole_output, total)
    return {
        "input_tokens": pa.array(whole_input, pa.int64(), mask=~known["input_tokens"]),
        "output_tokens": pa.array(whole_output, pa.int64(), mask=~known["output_tokens"]),
        "total_tokens": pa.array(sums, pa.int64(), mask=~(either | known["total_tokens"])),
    }
