"""Which language a text is in, as far as its script tells. Pure."""

import re
from typing import Final

_HANGUL: Final = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_KANA: Final = re.compile("[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_LOOKED_AT: Final = 1000
"""Characters from a text's beginning."""
_LEAST_SHARE: Final = 0.1
"""Of the letters: a word in another script that is quoted does not change a text's language."""


def primary(tag: str | None) -> str:
    """The language of a BCP 47 tag: `ko` of `ko-KR`."""
    return re.split("[-_]", tag or "", maxsplit=1)[0].strip().lower()


def by_script(text: str) -> str | None:
    """`ko` for Hangul, `ja` for kana, None for anything else: other scripts serve several languages."""
    text = text[:_LOOKED_AT]
    if text.isascii():
        return None
    letters = sum(map(str.isalpha, text))
    hangul, kana = len(_HANGUL.findall(text)), len(_KANA.findall(text))
    if max(hangul, kana) < max(_LEAST_SHARE * letters, 1):
        return None
    return "ko" if hangul >= kana else "ja"
