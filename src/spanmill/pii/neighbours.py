"""Whether a number or name stands alone, or is a piece of something longer: of a UUID, a hash, a version, a path.

Looks at the original text: a full-width letter or a Hangul syllable beside a number does not hide it.
"""

_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset(b"0123456789")
_ESCAPED = frozenset(b"bfnrt")
_CHAIN_BYTES = 40
"""How far a piece beside a hyphen is looked at."""


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Whether what is at `start` to `end` has no ASCII letter or digit beside it, and no decimals and no piece with a
    digit hang on it by a point or hyphen. The letter of `\\n` in JSON text is no letter."""
    return _free_before(text, start) and _free_after(text, end)


def _free_before(text: bytes, start: int) -> bool:
    if start == 0:
        return True
    before = text[start - 1]
    if before in _ALNUM:
        return before in _ESCAPED and text[start - 2 : start - 1] == b"\\"
    if before == 0x2E:
        return start < 2 or text[start - 2] not in _DIGITS
    if before != 0x2D:
        return True
    at = start - 2
    while at >= 0 and start - at <= _CHAIN_BYTES and text[at] in _ALNUM:
        if text[at] in _DIGITS:
            return False
        at -= 1
    return True


def _free_after(text: bytes, end: int) -> bool:
    if end == len(text):
        return True
    after = text[end]
    if after in _ALNUM:
        return False
    if after == 0x2E:
        return end + 1 == len(text) or text[end + 1] not in _DIGITS
    if after != 0x2D:
        return True
    at = end + 1
    while at < len(text) and at - end <= _CHAIN_BYTES and text[at] in _ALNUM:
        if text[at] in _DIGITS:
            return False
        at += 1
    return True
