"""How errors say that a provider's rate limit was hit."""

import re
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ERROR_TYPES: Final = (
    r"(^|[^0-9])429([^0-9]|$)",
    r"rate.?limit",
    r"too.?many.?requests",
    r"throttl",
    r"resource.?exhausted",
)
"""Regular expressions, one of which is found in `error_type`, whatever the case: `429`, `RateLimitError`,
`ThrottlingException`."""

STATUS_MESSAGES: Final = (
    r"\b(code|status|http|error)\b[^a-z0-9]{0,4}429\b",
    r"^429\b",
    r"\brate.?limit",
    r"\btoo.?many.?requests\b",
    r"\bthrottl(ed|ing)",
    r"\bresource_exhausted\b",
)
"""The same for the text of the status: `Error code: 429 - {...}`. A number alone says nothing there."""

_FEW: Final = 20
_MAX_CHARACTERS: Final = 500
"""Further on there is the provider's whole answer."""


def says_rate_limit(column: pa.StringArray, rows: np.ndarray, patterns: tuple[str, ...]) -> np.ndarray:
    """For each of the rows whether one of the patterns is found in its text; a null says nothing."""
    if len(rows) <= _FEW:  # Arrow compiles the patterns anew at each call, which takes longer than to search these
        texts = [column[row].as_py() for row in rows.tolist()]
        return np.array([text is not None and _found(patterns, text[:_MAX_CHARACTERS]) for text in texts], dtype=bool)
    short = pc.utf8_slice_codeunits(column.take(pa.array(rows)), 0, _MAX_CHARACTERS)
    found = pc.match_substring_regex(short, _joined(patterns), ignore_case=True)
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))


@lru_cache(1024)
def _found(patterns: tuple[str, ...], text: str) -> bool:
    return re.search(_joined(patterns), text, re.IGNORECASE | re.ASCII) is not None


def _joined(patterns: tuple[str, ...]) -> str:
    return "|".join(f"({pattern})" for pattern in patterns)
