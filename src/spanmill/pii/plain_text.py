"""Text as detectors match it: what people and programs write instead of ASCII letters, digits and signs, in ASCII.

A Japanese keyboard gives full-width digits and its own hyphens; editors put no-break spaces and en dashes between the
groups of a number; JSON that was cut off, and so is no JSON, has `\\u` escapes. Everything else stays. All at once for
a column of texts, in the bytes of its buffer.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SPECIAL = (
    r"\xef(?:\xbc[\x85\x88\x89\x8b\x8d-\x99\x9d\xa0-\xba\xbf]|\xbd[\x81-\x9a])|\xe3\x80\x80|\xc2\xa0"
    r"|\xe2(?:\x80[\x87\x90-\x93\xaf]|\x88\x92)|[0-9](?:\xe3\x83\xbc|\xef\xbd\xb0)|\\(?:[nrt]|u[0-9A-Fa-f]{4})|%[2-7][0-9A-Fa-f]"
)
"""RE2 over bytes: a text that it does not match is plain as it is."""
_FULL_WIDTH = {chr(ord(sign) + 0xFEE0): sign for sign in "%()+-./=@_"} | {
    chr(code + 0xFEE0): chr(code) for code in range(128) if chr(code).isalnum()
}
_SIGNS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-") | dict.fromkeys("\u2007\u202f\u3000", " ")
_LONG_VOWELS = ("\u30fc", "\uff70")
"""The sign of a long vowel, typed for a hyphen between digits; elsewhere it is a part of a word."""
_ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9}
_REPLACED_LETTER = 0x1A


class PlainTexts(NamedTuple):
    """Texts in plain form."""

    texts: pa.Array
    """Binary. A surrogate that was escaped is the byte 1A."""
    shadows: npt.NDArray[np.uint8]
    """The bytes of all texts, with 1A in place of letters that were not ASCII in the original, and so end a number."""
    offsets: npt.NDArray[np.int64]
    """Of each text, where it begins in `shadows`; and the end."""
    origins: npt.NDArray[np.int64]
    """Of each byte of `shadows`, where it was in the original's bytes; and the end."""
    starts: npt.NDArray[np.int64]
    """Of each text, where its original began."""


def plain_texts(texts: pa.Array) -> PlainTexts:
    """`texts`: binary, no slice, no nulls, every one matching SPECIAL."""
    starts = np.frombuffer(texts.buffers()[1], dtype=np.int32)[: len(texts) + 1].astype(np.int64)
    original = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[: starts[-1]]
    # Eight bytes of nothing behind the end, so that looking ahead needs no limits.
    buffer = np.concatenate([original, np.zeros(8, np.uint8)])
    keep = np.ones(len(original), bool)
    # What a URL escapes may be a backslash, and so comes first.
    replacements = (_replace_url_escapes, _replace_characters, _replace_escapes)
    letters = np.concatenate([replace(buffer, keep, starts) for replace in replacements])
    kept = np.flatnonzero(keep)
    values = buffer[kept]
    shadows = buffer.copy()
    shadows[letters] = _REPLACED_LETTER
    offsets = np.concatenate([[0], np.cumsum(keep)])[starts]
    array = pa.Array.from_buffers(
        pa.binary(), len(texts), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(values)]
    )
    return PlainTexts(array, shadows[kept], offsets, np.append(kept, len(original)), starts[:-1])


def _code(first: npt.ArrayLike, second: npt.ArrayLike, third: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return (
        (np.asarray(first, np.int64) & 15) << 12
        | (np.asarray(second, np.int64) & 63) << 6
        | (np.asarray(third, np.int64) & 63)
    )


def _table() -> npt.NDArray[np.uint8]:
    """By code point below 10000, the ASCII that stands for it; 0 for none."""
    table = np.zeros(0x10000, np.uint8)
    for special, sign in (_FULL_WIDTH | _SIGNS).items():
        table[ord(special)] = ord(sign)
    return table


_TABLE = _table()
_LEADS = np.isin(np.arange(256), [0xC2, 0xE2, 0xE3, 0xEF])


def _replace_characters(
    buffer: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Writes the ASCII at the first byte of each special character, and gives up the others. Where letters are."""
    leads = np.flatnonzero(_LEADS[buffer])
    first, second, third = buffer[leads], buffer[leads + 1], buffer[leads + 2]
    spaces = leads[(first == 0xC2) & (second == 0xA0)]
    codes = np.where(first == 0xC2, 0, _code(first, second, third))
    signs = _TABLE[codes]
    vowels = np.isin(codes, [ord(vowel) for vowel in _LONG_VOWELS])
    if vowels.any():
        at = leads[vowels]
        signs[vowels] = np.where(_after_digit(buffer, at, at - starts[np.searchsorted(starts, at, "right") - 1]), 45, 0)
    found = leads[signs > 0]
    buffer[found], buffer[spaces] = signs[signs > 0], ord(" ")
    keep[found + 1] = keep[found + 2] = keep[spaces + 1] = False
    return found[buffer[found] >= ord("A")]


def _after_digit(
    buffer: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], behind: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether a digit, ASCII or full-width, is before these places, with so many bytes of the text behind them. Called
    before anything is replaced."""
    before, second, first = (buffer[np.maximum(at - back, 0)] for back in (1, 2, 3))
    narrow = (before >= 0x30) & (before <= 0x39) & (behind > 0)
    wide = (first == 0xEF) & (second == 0xBC) & (before >= 0x90) & (before <= 0x99) & (behind > 2)
    answer: npt.NDArray[np.bool_] = narrow | wide
    return answer


def _replace_escapes(
    buffer: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """As `_replace_characters`, for JSON's escapes of control characters and code units."""
    slashes = np.flatnonzero(buffer == 0x5C)
    left = starts[np.searchsorted(starts, slashes, "right")] - slashes
    after = np.where(left > 1, buffer[slashes + 1], 0)
    for letter, control in _ESCAPES.items():
        at = slashes[after == letter]
        buffer[at] = control
        keep[at + 1] = False
    at = slashes[(after == ord("u")) & (left >= 6)]
    digits = _HEX[buffer[at[:, None] + np.arange(2, 6)]].astype(np.int64)
    at, digits = at[(digits < 16).all(axis=1)], digits[(digits < 16).all(axis=1)]
    codes = digits @ np.array([4096, 256, 16, 1])
    signs = np.where(codes < 128, codes, _TABLE[codes])
    signs[codes == 0xA0] = ord(" ")
    signs[(codes == 0) | ((codes >= 0xD800) & (codes < 0xE000))] = _REPLACED_LETTER
    for place in range(1, 6):
        keep[at + place] = False
    single, wide = signs > 0, signs == 0
    buffer[at[single]] = signs[single]
    _write_utf8(buffer, keep, at[wide], codes[wide])
    letters: npt.NDArray[np.int64] = at[single & (signs >= ord("A"))]
    return letters


def _replace_url_escapes(
    buffer: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """As `_replace_characters`, for what a URL writes as `%40`."""
    at = np.flatnonzero(buffer[:-8] == 0x25)
    at = at[starts[np.searchsorted(starts, at, "right")] - at > 2]
    codes = _HEX[buffer[at + 1]].astype(np.int64) * 16 + _HEX[buffer[at + 2]]
    valid = (_HEX[buffer[at + 1]] >= 2) & (_HEX[buffer[at + 1]] < 8) & (_HEX[buffer[at + 2]] < 16)
    at, codes = at[valid], codes[valid]
    buffer[at] = codes
    keep[at + 1] = keep[at + 2] = False
    letters: npt.NDArray[np.int64] = at[codes >= ord("A")]
    return letters


def _write_utf8(
    buffer: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], at: npt.NDArray[np.int64], codes: npt.NDArray[np.int64]
) -> None:
    two = codes < 0x800
    buffer[at] = np.where(two, 0xC0 | codes >> 6, 0xE0 | codes >> 12)
    buffer[at + 1] = np.where(two, 0x80 | codes & 63, 0x80 | codes >> 6 & 63)
    buffer[at + 2] = 0x80 | codes & 63
    keep[at + 1] = True
    keep[at[~two] + 2] = True


def _hex_values() -> npt.NDArray[np.uint8]:
    values = np.full(256, 16, np.uint8)
    for digit in "0123456789abcdefABCDEF":
        values[ord(digit)] = int(digit, 16)
    return values


_HEX = _hex_values()
