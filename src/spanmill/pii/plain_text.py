"""Text as detectors match it: full-width letters, digits and signs, and the many hyphens and spaces, in ASCII.

People write `０９０－１２３４－５６７８` and `010–1234–5678`; patterns are about `090-1234-5678`. Everything else stays.
"""

import re

_SPECIAL = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\u30fc\uff70", "-"),
    **dict.fromkeys("\u00a0\u2007\u202f\u3000", " "),
}
_ASCII = {special.encode(): ascii_.encode() for special, ascii_ in _SPECIAL.items()}
_ANY = re.compile(b"|".join(sorted(map(re.escape, _ASCII))))


def plain(text: bytes) -> tuple[bytes, list[int] | None]:
    """The text in ASCII where it can be, and for each of its bytes, and its end, the offset in `text`; None: as it
    was."""
    if _ANY.search(text) is None:
        return text, None
    pieces: list[bytes] = []
    offsets: list[int] = []
    done = 0
    for match in _ANY.finditer(text):
        start, end = match.span()
        pieces += (text[done:start], _ASCII[match.group()])
        offsets += range(done, start + 1)
        done = end
    pieces.append(text[done:])
    offsets += range(done, len(text) + 1)
    return b"".join(pieces), offsets
