"""Regular expressions as the columns' engine (RE2) takes them."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.config.actions import Action, Match
from spanmill.config.base import Misfit

TEXT_LISTS: Final = ("services", "span_names", "span_kinds", "log_bodies", "log_severity_texts", "metric_names")
"""The lists of texts that a `Match` has."""

_GROUP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:[a-z^]+:\]|[^\]\\])*\]|\((?!\?)", re.DOTALL)
"""An escaped character, a whole character class, or the beginning of a group without a name."""


def without_unnamed_groups(pattern: str) -> str:
    """The same expression with every `(...)` as `(?:...)`: RE2 has no back references, so nothing can refer to it."""
    return _GROUP.sub(lambda match: "(?:" if match[0] == "(" else match[0], pattern)


def action_misfits(actions: Sequence[Action], key: str) -> Iterator[Misfit]:
    """The patterns of actions that RE2 does not take; `key` is where the actions stand."""
    for index, action in enumerate(actions):
        if action.pattern is not None:
            yield from _misfit(without_unnamed_groups(action.pattern), (key, index, "pattern"))


def match_misfits(match: Match | None, key: str) -> Iterator[Misfit]:
    """The same for an `include` or `exclude` block."""
    if match is None or match.match_type != "regexp":
        return
    for name in TEXT_LISTS:
        for index, pattern in enumerate(getattr(match, name)):
            yield from _misfit(pattern, (key, name, index))
    for name in ("attributes", "resources"):
        for index, wanted in enumerate(getattr(match, name)):
            if isinstance(wanted.value, str):
                yield from _misfit(wanted.value, (key, name, index, "value"))
    for index, library in enumerate(match.libraries):
        for part, pattern in (("name", library.name), ("version", library.version or "")):
            yield from _misfit(pattern, (key, "libraries", index, part))


def _misfit(pattern: str, path: tuple[str | int, ...]) -> Iterator[Misfit]:
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
        if "(?P<" in pattern:
            pc.extract_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        hint = "RE2 has neither look-ahead and look-behind nor back references."
        yield Misfit(path, f"not a regular expression ({reason})", "RE2 syntax", hint)
