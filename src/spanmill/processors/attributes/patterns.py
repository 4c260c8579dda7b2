"""Regular expressions as the columns' engine (RE2) takes them."""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.config.problems import Problem, describe

_GROUP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:[a-z^]+:\]|[^\]\\])*\]|\((?!\?)", re.DOTALL)
"""An escaped character, a whole character class, or the beginning of a group without a name."""


def without_unnamed_groups(pattern: str) -> str:
    """The same expression with every `(...)` as `(?:...)`: RE2 has no back references, so nothing can refer to it."""
    return _GROUP.sub(lambda match: "(?:" if match[0] == "(" else match[0], pattern)


def check_pattern(pattern: str, path: str) -> list[Problem]:
    """A problem if RE2 does not take the pattern."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
        if "(?P<" in pattern:
            pc.extract_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        hint = "RE2 has neither look-ahead and look-behind nor back references."
        message = f"not a regular expression ({reason})"
        return [Problem(message, path, expected="RE2 syntax", found=describe(pattern), hint=hint)]
    return []
