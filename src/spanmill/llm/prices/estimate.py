"""Token counts from the length of texts: about four characters for a token, or one and a half of Chinese, Japanese and
Korean ones. For bills it is no more than the order of magnitude; tokenizers differ by a third among themselves."""

import math
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CHARACTERS_PER_TOKEN: Final = 4.0
_CJK_CHARACTERS_PER_TOKEN: Final = 1.5
_CJK_LEADS: Final = (0xE3, 0xED)
"""First and last lead byte in UTF-8 of U+3000 to U+DFFF: kana, CJK ideographs, Hangul."""
_SYNTAX: Final = (('"role":', 26), ('"type":', 27))
"""What stands once in each message, and in each part, of a JSON list of messages, and about how many characters of
such a message or part are not its text."""


def estimated_tokens(*texts: pa.StringArray) -> np.ndarray:
    """For each row about how many tokens (int64) the messages of these columns are; 0 where all are null."""
    tokens = np.zeros(len(texts[0]), dtype=np.float64)
    for column in texts:
        characters, cjk = _characters(column)
        for mark, length in _SYNTAX:
            marks = pc.count_substring(column, mark).fill_null(0).to_numpy()
            characters = characters - marks.astype(np.int64) * length
        tokens += np.maximum(characters - cjk, 0) / _CHARACTERS_PER_TOKEN + cjk / _CJK_CHARACTERS_PER_TOKEN
    return np.ceil(tokens).astype(np.int64)


def tokens_of_text(text: str) -> int:
    """The same of one text that is no list of messages, without the half millisecond that columns cost."""
    cjk = 0 if text.isascii() else int(_is_cjk(np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)).sum())
    return math.ceil((len(text) - cjk) / _CHARACTERS_PER_TOKEN + cjk / _CJK_CHARACTERS_PER_TOKEN)


def _is_cjk(data: np.ndarray) -> np.ndarray:
    return (data >= _CJK_LEADS[0]) & (data <= _CJK_LEADS[1])


def _characters(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """For each text the number of characters, and of those that are Chinese, Japanese or Korean (int64)."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    # Bytes 10xxxxxx continue a character.
    starts = (data & 0xC0) != 0x80
    ends = offsets - offsets[0]
    return tuple(np.where(valid, np.diff(np.append(0, np.cumsum(each))[ends]), 0) for each in (starts, _is_cjk(data)))  # type: ignore[return-value]
