"""Strings that are JSON, by the column: their leaves as texts of their own, and masked leaves put back in their places.

Nothing is written anew but the leaves that changed, so everything else keeps its bytes: big integers, duplicate keys,
white space, escapes. Valid JSON is what a parser says; where its strings, numbers and brackets are is read off the
bytes of all documents at once.
"""

import json
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.replacing import Integers, flat, splice
from spanmill.pii.secret_keys import SecretKeys

Flags = npt.NDArray[np.bool_]
_QUOTE, _COLON, _SLASH = b'":\\'
_OPENING, _CLOSING, _NUMERIC = (np.isin(np.arange(256), list(signs)) for signs in (b"{[", b"}]", b"-0123456789"))
_LITERAL = ~np.isin(np.arange(256), list(b'{}[]:,"'))
_SPACE = b" \t\r\n"
_BRACKETED = np.isin(np.arange(256), list(b'{["'))
_ENDED = np.isin(np.arange(256), list(b'}]"'))
_WHITE = np.isin(np.arange(256), list(_SPACE))


class Leaves(NamedTuple):
    """The strings and numbers of a column of documents."""

    texts: pa.StringArray
    """What they say: without quotes and escapes."""
    keys: pa.StringArray
    """The key that each is under, or that the array is under that it is in; null if there is none."""
    secret: Flags
    """Whether that or any key further out names a secret."""
    rows: Integers
    """The document that each is in."""
    starts: Integers
    """Where it is in its document, in bytes, with its quotes."""
    ends: Integers


def looks_like_json(texts: pa.StringArray) -> Flags:
    """By its first and last character: an object, an array or a string. Nulls do not."""
    answer = _by_ends(texts, _BRACKETED, _ENDED)
    padded = np.flatnonzero(_by_ends(texts, _WHITE | _BRACKETED, _WHITE | _ENDED) & ~answer)
    if len(padded):
        answer[padded] = _by_ends(pc.ascii_trim_whitespace(texts.take(pa.array(padded))), _BRACKETED, _ENDED)
    return answer


def is_json(text: bytes) -> bool:
    """Also with NaN and lone surrogates, which Python writes; not if nested deeper than parsers go."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            # Numbers are not made: thousands of digits would take long.
            json.loads(text, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            return False
    return True


def rows_with_escapes(texts: pa.StringArray, of: Flags) -> Integers:
    """Rows with a backslash before one of these bytes; some more than once."""
    offsets, data = flat(texts)
    values = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    slashes = np.flatnonzero(values == _SLASH)
    found = slashes[of[values[np.minimum(slashes + 1, len(values) - 1)]]]
    rows: Integers = np.searchsorted(offsets, found + offsets[0], side="right") - 1
    return rows


def leaves(documents: pa.StringArray, secret_keys: SecretKeys, *, with_keys: bool) -> Leaves:
    """`documents`: valid, no nulls, not a slice, at least one. `with_keys`: keys are leaves too, under no key."""
    offsets, data = flat(documents)
    tokens = _tokens(np.frombuffer(data, np.uint8)[: offsets[-1]])
    contents = _contents(data, tokens)
    keys = np.flatnonzero(tokens.is_key)
    names_secret = secret_keys.among(contents.take(pa.array(keys)))
    secret_tokens = np.zeros(len(tokens.starts) + 1, bool)
    secret_tokens[keys[names_secret]] = True
    chosen = np.arange(len(tokens.starts)) if with_keys else np.flatnonzero(~tokens.is_key)
    own = tokens.own_key[chosen]
    quotes = tokens.is_string[chosen]
    starts, ends = tokens.starts[chosen] - quotes, tokens.ends[chosen] + quotes
    secret = secret_tokens[own]
    if names_secret.any():
        under = secret_tokens[tokens.bracket_keys]
        secret |= _inside(tokens.starts[chosen], tokens.opening[under], tokens.closing[under]) & ~tokens.is_key[chosen]
    rows = np.searchsorted(offsets, starts, side="right") - 1
    return Leaves(
        contents.take(pa.array(chosen)),
        contents.take(pa.array(own, mask=own < 0)),
        secret,
        rows,
        starts - offsets[rows],
        ends - offsets[rows],
    )


def put_back(documents: pa.StringArray, of: Leaves, masked: pa.StringArray) -> pa.StringArray:
    """The documents with these leaves; those that are the same as before keep their bytes, the others become JSON
    strings."""
    changed = np.flatnonzero(pc.not_equal(of.texts, masked).to_numpy(zero_copy_only=False))
    if not len(changed):
        return documents
    pieces = [orjson.dumps(text) for text in masked.take(pa.array(changed)).to_pylist()]
    return splice(documents, of.rows[changed], of.starts[changed], of.ends[changed], pieces).texts


class _Tokens(NamedTuple):
    """Strings, without their quotes, and numbers; and pairs of brackets. Places in the bytes of all documents."""

    starts: Integers
    ends: Integers
    is_string: Flags
    is_key: Flags
    own_key: Integers
    """Index of the token that is the key it is under, directly or with its array; -1 for none."""
    escaped: Flags
    opening: Integers
    closing: Integers
    bracket_keys: Integers
    """As `own_key`, of the brackets."""


def _tokens(data: npt.NDArray[np.uint8]) -> _Tokens:
    slashes, opens, closes = _strings(data)
    places = _outside(opens, closes, len(data))
    places = places[~_WHITE[data[places]]]
    signs = data[places]
    first, last = _literals(places, signs)
    numeric = _NUMERIC[data[first]]
    starts = np.concatenate([opens + 1, first[numeric]])
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.concatenate([closes, last[numeric] + 1])[order]
    is_string = order < len(opens)
    padded = np.append(signs, 0)
    is_key = is_string & (padded[np.searchsorted(places, ends)] == _COLON)
    escaped = np.searchsorted(slashes, ends) > np.searchsorted(slashes, starts)
    # Where the value begins decides; the quote of a string is before its first byte.
    where = starts - is_string
    structure = _Structure(places, signs, starts)
    own = np.where(is_key, -1, structure.keys_of(where))
    return _Tokens(starts, ends, is_string, is_key, own, escaped, *structure.pairs())


class _Structure:
    """The brackets and colons outside strings."""

    def __init__(self, places: Integers, signs: npt.NDArray[np.uint8], tokens: Integers) -> None:
        self._places, self._tokens = places, tokens
        opening, closing = _OPENING[signs], _CLOSING[signs]
        # One more of each: what index -1, before the first place, means.
        self._colon = np.append(signs == _COLON, False)
        self._depth = np.append(np.cumsum(opening.astype(np.int64) - closing), 0)
        brackets = np.flatnonzero(opening | closing)
        # Parsers go no deeper than 1,024 levels; numbers of 16 bits are sorted in linear time.
        level = (self._depth[brackets] + closing[brackets]).astype(np.int16)
        order = np.argsort(level, kind="stable")
        # Of one level, brackets open and close in turn.
        pairs = places[brackets[order]]
        self.opening, self.closing = pairs[0::2], pairs[1::2]
        self._width = int(places[-1]) + 2 if len(places) else 1
        self._by_level = level[order[0::2]] * np.int64(self._width) + self.opening

    def pairs(self) -> tuple[Integers, Integers, Integers]:
        """Of every pair of brackets, where it opens and closes, and its key."""
        return self.opening, self.closing, self._direct_keys(self.opening)

    def keys_of(self, values: Integers) -> Integers:
        """Of values that begin there, the token that is their key, or the key of the array they are in; -1 for none."""
        keys = self._direct_keys(values)
        within = self._depth[np.searchsorted(self._places, values) - 1]
        rest = np.flatnonzero((keys < 0) & (within > 0))
        if len(rest):
            around = np.searchsorted(self._by_level, within[rest] * self._width + values[rest]) - 1
            keys[rest] = self._direct_keys(self.opening)[around]
        return keys

    def _direct_keys(self, values: Integers) -> Integers:
        before = np.searchsorted(self._places, values) - 1
        keyed = self._colon[before]
        colons = np.append(self._places, 0)[before]
        return np.where(keyed, np.searchsorted(self._tokens, colons) - 1, -1)


def _strings(data: npt.NDArray[np.uint8]) -> tuple[Integers, Integers, Integers]:
    """Where backslashes are, and where strings open and close."""
    slashes = np.flatnonzero(data == _SLASH)
    quotes = data == _QUOTE
    if len(slashes):
        runs = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
        lengths = np.diff(np.append(runs, len(slashes)))
        quotes[(slashes[runs] + lengths)[lengths % 2 == 1]] = False
    found = np.flatnonzero(quotes)
    return slashes, found[0::2], found[1::2]


def _outside(opens: Integers, closes: Integers, length: int) -> Integers:
    """Every place outside strings."""
    begins, ends = np.append(0, closes + 1), np.append(opens, length)
    lengths = ends - begins
    before = np.cumsum(lengths) - lengths
    places: Integers = np.arange(lengths.sum()) + np.repeat(begins - before, lengths)
    return places


def _literals(places: Integers, signs: npt.NDArray[np.uint8]) -> tuple[Integers, Integers]:
    """Where numbers, true, false and null begin, and their last byte."""
    at = places[_LITERAL[signs]]
    if not len(at):
        return at, at
    apart = np.diff(at) != 1
    return at[np.append(True, apart)], at[np.append(apart, True)]


def _contents(data: memoryview, tokens: _Tokens) -> pa.StringArray:
    """What the tokens say. The tokens and what is between them are a column over the same bytes."""
    count = len(tokens.starts)
    if not count:
        return pa.array([], pa.string())
    offsets = np.empty(2 * count, np.int32)
    offsets[0::2], offsets[1::2] = tokens.starts, tokens.ends
    both = pa.Array.from_buffers(pa.string(), 2 * count - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    raw = both.take(pa.array(np.arange(0, 2 * count, 2)))
    escaped = np.flatnonzero(tokens.escaped)
    if not len(escaped):
        return raw
    decoded = _without_escapes(raw.take(pa.array(escaped)).to_pylist())
    places = np.arange(count)
    places[escaped] = count + np.arange(len(escaped))
    return pa.concat_arrays([raw, decoded]).take(pa.array(places))


def _without_escapes(escaped: list[str]) -> pa.StringArray:
    joined = '["' + '","'.join(escaped) + '"]'
    try:
        return pa.array(orjson.loads(joined), pa.string())
    except orjson.JSONDecodeError:
        # Halves of surrogate pairs: no text can hold them.
        texts = json.loads(joined)
        whole = [text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for text in texts]
        return pa.array(whole, pa.string())


def _inside(values: Integers, opening: Integers, closing: Integers) -> Flags:
    """Whether any of the pairs is around the value."""
    answer: Flags = np.searchsorted(np.sort(opening), values) > np.searchsorted(np.sort(closing), values)
    return answer


def _by_ends(texts: pa.StringArray, first: Flags, last: Flags) -> Flags:
    """Whether the first and the last byte are of these."""
    offsets, data = flat(texts)
    long = np.flatnonzero(np.diff(offsets) > 1)
    values = np.frombuffer(data, np.uint8)
    answer = np.zeros(len(texts), bool)
    answer[long] = first[values[offsets[long]]] & last[values[offsets[long + 1] - 1]]
    if texts.null_count:
        answer &= texts.is_valid().to_numpy(zero_copy_only=False)
    return answer
