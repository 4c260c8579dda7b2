"""The finder as plainly as it can be written: one text at a time, one detector at a time, with Python's own `re`.

It shares with the finder only what a detector says: its patterns and checks. Which texts are worth looking at, what
becomes of full-width digits, of neighbours, of context and of overlaps is written a second time, one character after
the other.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from spanmill.pii.detector import Detector, Form

Found = tuple[int, int, int]
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\([nrt])|%([2-7][0-9A-Fa-f])")
_FULL_WIDTH_SIGNS = "%()+-./=@_"


def find(detectors: Sequence[Detector], texts: Sequence[str | None]) -> list[tuple[int, int, int, int]]:
    """Row, start, end and detector of all that is found, in order."""
    return [
        (row, *found) for row, text in enumerate(texts) if text is not None for found in find_in_text(detectors, text)
    ]


def find_in_text(detectors: Sequence[Detector], text: str) -> list[Found]:
    plain, shadow, origins = _plain(text)
    candidates = [
        (origins[start], origins[end], index)
        for index, detector in enumerate(detectors)
        for form in detector.forms
        for start, end in _search(detector, form, plain, shadow)
    ]
    return _painted(candidates, len(text.encode()))


def _plain(text: str) -> tuple[bytes, bytes, list[int]]:
    """The text in ASCII where it can be; the same with other than ASCII letters blotted out; where each byte was."""
    plain, shadow, origins = b"", b"", []
    at, before = 0, ""
    while at < len(text):
        escape = _ESCAPE.match(text, at)
        written = escape.group() if escape else text[at]
        meant = written
        if escape:
            meant = (
                chr(int(escape[1] or escape[3], 16)) if not escape[2] else {"n": "\n", "r": "\r", "t": "\t"}[escape[2]]
            )
        if escape and (meant == "\0" or "\ud800" <= meant <= "\udfff"):
            meant = "\x1a"
        sign = _ascii(meant, before if not escape else "")
        origin = len(text[:at].encode())
        encoded = sign.encode()
        plain += encoded
        shadow += b"\x1a" if sign.isascii() and sign.upper() >= "A" and sign != written else encoded
        origins += [origin + number for number in range(len(encoded))]
        before = text[at + len(written) - 1]
        at += len(written)
    return plain, shadow, [*origins, len(text.encode())]


def _ascii(character: str, before: str) -> str:
    narrow = chr(ord(character) - 0xFEE0) if "\uff01" <= character <= "\uff5e" else ""
    if narrow and (narrow.isalnum() or narrow in _FULL_WIDTH_SIGNS):
        return narrow
    if character in "\u2010\u2011\u2012\u2013\u2212":
        return "-"
    if character in "\u00a0\u2007\u202f\u3000":
        return " "
    if character in "\u30fc\uff70" and before and before in "0123456789０１２３４５６７８９":  # noqa: RUF001
        return "-"
    return character


def _search(detector: Detector, form: Form, plain: bytes, shadow: bytes) -> Iterator[tuple[int, int]]:
    pattern = _compiled(form.pattern)
    at = 0
    while match := pattern.search(plain, at):
        start, end = match.span(min(1, pattern.groups))
        kept = start + (form.check(plain[start:end]) if form.check else end - start)
        if kept > start and _allowed(detector, form, plain, shadow, start, kept):
            yield start, kept
            at = kept
        else:
            at = start + 1 if end - start <= 64 else end


@cache
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.replace("$", r"\Z").encode())


def _allowed(detector: Detector, form: Form, plain: bytes, shadow: bytes, start: int, end: int) -> bool:
    if form.alone and not _alone(shadow[:start], shadow[end:]):
        return False
    if form.refused_after and _compiled(form.refused_after).search(plain[max(0, start - 64) : start]):
        return False
    reach = detector.context_bytes
    near = (plain[max(0, start - reach) : start], plain[end : end + reach])
    return not form.needs_context or any(_says(word, text.lower()) for word in detector.context for text in near)


def _alone(before: bytes, after: bytes) -> bool:
    return not (
        re.search(rb"[0-9A-Za-z]\Z|[0-9]\.\Z|[0-9][A-Za-z]{0,39}-\Z", before)
        or re.match(rb"[0-9A-Za-z]|\.[0-9]|-[A-Za-z]{0,39}[0-9]", after)
    )


def _says(word: str, text: bytes) -> bool:
    if not word.isascii():
        return word.encode() in text
    alone = rb"(?<![a-z])" + re.escape(word.encode()).replace(rb"\ ", b"[ _-]?") + rb"(?![a-z])"
    return re.search(alone, text) is not None


def _painted(candidates: list[Found], length: int) -> list[Found]:
    """Every byte belongs to the best candidate over it."""
    best = sorted(candidates, key=lambda one: (one[0] - one[1], one[2], one[0]))
    owners = [-1] * (length + 1)
    for number in reversed(range(len(best))):
        start, end, _ = best[number]
        owners[start:end] = [number] * (end - start)
    found, begun = [], 0
    for at in range(1, length + 1):
        if owners[at] != owners[begun]:
            if owners[begun] >= 0:
                found.append((begun, at, best[owners[begun]][2]))
            begun = at
    return found
