"""Whether a number or name stands alone, or is a piece of something longer: of a UUID, a hash, a version, a path."""

_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset(b"0123456789")
_POINT, _HYPHEN = b".-"
_CHAIN_BYTES = 40
"""How far a piece beside a hyphen is looked at."""


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Whether what is at `start` to `end` has no ASCII letter or digit beside it, and no decimals and no piece with a
    digit hang on it by a point or hyphen."""
    if start and text[start - 1] in _ALNUM:
        return False
    if end < len(text) and text[end] in _ALNUM:
        return False
    return not _hangs_on(text[max(0, start - 1 - _CHAIN_BYTES) : start][::-1]) and not _hangs_on(
        text[end : end + 1 + _CHAIN_BYTES]
    )


def _hangs_on(beside: bytes) -> bool:
    """`beside`: what is next, nearest first."""
    if len(beside) < 2:
        return False
    if beside[0] == _POINT:
        return beside[1] in _DIGITS
    if beside[0] != _HYPHEN:
        return False
    for byte in beside[1:]:
        if byte in _DIGITS:
            return True
        if byte not in _ALNUM:
            return False
    return False
