"""RE2 as detectors use it: linear time, no messages on stderr, programs of a bounded size."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import re2

MAX_PROGRAM = 2_000
"""Instructions of a user's pattern. RE2 at its slowest steps through all of them at each byte."""
_MAX_MEMORY_BYTES = 8 * 1024 * 1024
"""RE2's default, which Arrow uses too: what compiles here compiles there."""
_MAX_SET_MEMORY_BYTES = 64 * 1024 * 1024


class PatternError(ValueError):
    """A pattern or checksum of a detector that cannot be used. The message is a user's: what is wrong with it."""


def compile_pattern(pattern: str, *, unicode: bool, capped: bool = False) -> re2._Regexp:
    """Raises PatternError. `unicode`: `.` and classes are of characters, not of bytes. `capped`: it is a user's."""
    options = _options(_MAX_MEMORY_BYTES, unicode=unicode)
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise PatternError(_explained(error)) from None
    if capped and compiled.programsize > MAX_PROGRAM:
        raise PatternError(
            f"it is too large: {compiled.programsize} instructions of at most {MAX_PROGRAM}; use smaller repeats"
        )
    return compiled


def searcher(pattern: str, *, unicode: bool = False) -> Callable[[bytes, int], tuple[int, int]]:
    """Searches a text from an offset on, and answers the span of group 1, or of the match if there is no group; -1
    for none. It is what `search` of google-re2 calls, without an object for each match."""
    compiled = compile_pattern(pattern, unicode=unicode)
    match, group, unanchored = compiled._regexp.Match, min(1, compiled.groups), re2._Anchor.UNANCHORED

    def search(text: bytes, at: int) -> tuple[int, int]:
        span: tuple[int, int] = match(unanchored, text, at, len(text))[group]
        return span

    return search


@lru_cache(maxsize=256)
def tester(pattern: str, *, unicode: bool) -> Callable[[bytes], bool]:
    """Tells whether a text matches. Remembered: compiling the patterns of all detectors takes 2 ms."""
    options = _options(_MAX_MEMORY_BYTES, unicode=unicode)
    options.never_capture = True
    match, unanchored = re2.compile(pattern.encode(), options)._regexp.Match, re2._Anchor.UNANCHORED

    def test(text: bytes) -> bool:
        return bool(match(unanchored, text, 0, len(text))[0][0] >= 0)

    return test


def pattern_set(patterns: Sequence[str]) -> re2.Set:
    """Tells which of the patterns, all of bytes, a text matches."""
    answer = re2.Set.SearchSet(_options(_MAX_SET_MEMORY_BYTES, unicode=False))
    for pattern in patterns:
        answer.Add(pattern.encode())
    answer.Compile()
    return answer


def _options(max_memory_bytes: int, *, unicode: bool) -> re2.Options:
    options = re2.Options()
    options.max_mem = max_memory_bytes
    options.log_errors = False
    if not unicode:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


def _explained(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if "perl operator" in text:
        return f"RE2 does not accept it: {text} (it has no look-around and no back-references)"
    return f"RE2 does not accept it: {text}"
