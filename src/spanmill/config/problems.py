"""What is wrong with a configuration, and how it is said."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from spanmill.config.tree import Location, Path
from spanmill.config.values import without_user_info

_LONGEST_FOUND = 80


class Severity(StrEnum):
    """An error stops the daemon from starting; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. Rendered as `file:line:column path: what is wrong; expected X; found Y. Hint`."""

    message: str
    path: str = ""
    """Dotted, from the top of the file: `exporters.parquet.compression`."""
    location: Location | None = None
    expected: str = ""
    found: str = ""
    hint: str = ""
    """Whole sentences: what to do about it."""
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """The problem in one line."""
        where = " ".join(part for part in (str(self.location or ""), self.path) if part)
        what = f"warning: {self.message}" if self.severity is Severity.WARNING else self.message
        if self.expected:
            what += f"; expected {self.expected}"
        if self.found:
            what += f"; found {self.found}"
        if self.hint:
            what += f". {self.hint}"
        text = f"{where}: {what}" if where else what
        return " ".join(text.split("\n"))


def dotted(path: Path) -> str:
    """A path as people write it: `service.pipelines.traces.receivers[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def describe(value: Any) -> str:
    """A value as the user wrote it, without passwords in URLs; or what kind of thing it is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = without_user_info(value)
        return f'"{value}"' if len(value) <= _LONGEST_FOUND else f'"{value[:_LONGEST_FOUND]}..."'
    if isinstance(value, dict):
        return "a map" if value else "an empty map"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return str(value)


def did_you_mean(found: object, known: Iterable[str]) -> str:
    """`Did you mean "zstd"?` when something known is close to what was found, else nothing."""
    close = closest(found, known)
    return f'Did you mean "{close}"?' if close else ""


def closest(found: object, known: Iterable[str]) -> str:
    """What is known and most like what was found, in upper or lower case; empty if nothing is."""
    choices = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(str(found).lower(), choices, n=1, cutoff=0.6)
    return choices[close[0]] if close else ""


def one_of(choices: Iterable[str]) -> str:
    """`a, b or c`."""
    *rest, last = list(choices) or ["nothing"]
    return f"{', '.join(rest)} or {last}" if rest else last
