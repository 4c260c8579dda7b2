"""What a detector is: a name, and the forms in which what it finds is written. How they are searched is `finder.py`.

Patterns are RE2's, whose running time is linear in the text whatever the pattern; so there is no look-around, and what
a form needs around it is matched too, with the thing itself as group 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

from spanmill.pii.engine import PatternError, compile_pattern

Check = Callable[[bytes], int]
"""Of what a pattern matched (plain text, see `plain_text.py`): how many of its bytes, from the first, are the real
thing; 0 for none. Most say all or none."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing what a detector finds.

    Candidates are the matches of `pattern` from left to right. A candidate is found if its neighbours, its context and
    its check allow it. After what was found the search goes on at its end; after what was refused, one byte after its
    start if it is at most `search.RETRIED_BYTES` long, else at its end.
    """

    pattern: str
    """RE2 syntax. ASCII and literal text only, unless `unicode`: it is matched to bytes. What is found is group 1, or
    the whole match if there is no group."""
    check: Check | None = None
    needs_context: bool = False
    """Only found near a context word of its detector."""
    alone: bool = False
    """Only found if it stands alone: see `neighbours.stands_alone`."""
    refused_after: str = ""
    """RE2 syntax: not found if this matches the 64 bytes before it."""
    unicode: bool = False
    """Matched to characters, not bytes. Slower; for patterns of users."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds one kind of personal data or secret."""

    name: str
    """lower_snake_case; upper-cased it is what replaces the text."""
    forms: tuple[Form, ...]
    context: tuple[str, ...] = ()
    """Lower-case words, one of which must stand near a form that needs context. ASCII words stand alone (`tel` is not
    in `hotel`); in other scripts anywhere. A space stands for an underscore, a hyphen and for nothing too."""
    context_bytes: int = 96
    """How far from the form a context word may begin or end, on either side, in bytes of UTF-8."""


def custom_detector(
    name: str,
    pattern: str,
    *,
    checksum: str | None = None,
    context: tuple[str, ...] = (),
    context_bytes: int = 96,
) -> Detector:
    """A detector of a user's own. Raises PatternError if RE2 does not accept the pattern, if it is too large or
    matches nothing at all, and if there is no such checksum."""
    from spanmill.pii.checksums import CHECKSUMS

    if checksum is not None and checksum not in CHECKSUMS:
        raise PatternError(f"no checksum {checksum!r}; there are {', '.join(sorted(CHECKSUMS))}")
    check = None if checksum is None else CHECKSUMS[checksum]
    if compile_pattern(pattern, unicode=True, capped=True).fullmatch(b""):
        raise PatternError("it matches the empty text, and so everywhere")
    words = tuple(word.lower() for word in context)
    return Detector(name, (Form(pattern, check, needs_context=bool(words), unicode=True),), words, context_bytes)
