"""RE2 as detectors use it: linear time, no messages on stderr, programs of a bounded size."""

import re2

MAX_PROGRAM = 2_000
"""Instructions of a user's pattern. RE2 at its slowest steps through all of them at each byte."""
_MAX_MEMORY_BYTES = 32 * 1024 * 1024


class PatternError(ValueError):
    """A pattern or checksum of a detector that cannot be used. The message is a user's: what is wrong with it."""


def compile_pattern(pattern: str, *, unicode: bool, capped: bool = False) -> "re2._Regexp":
    """Raises PatternError. `unicode`: `.` and classes are of characters, not of bytes. `capped`: it is a user's."""
    options = re2.Options()
    options.max_mem = _MAX_MEMORY_BYTES
    options.log_errors = False
    if not unicode:
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise PatternError(_explained(error)) from None
    if capped and compiled.programsize > MAX_PROGRAM:
        raise PatternError(
            f"it is too large: {compiled.programsize} instructions of at most {MAX_PROGRAM}; use smaller repeats"
        )
    return compiled


def _explained(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if "perl operator" in text:
        return f"RE2 does not accept it: {text} (it has no look-around and no back-references)"
    return f"RE2 does not accept it: {text}"
