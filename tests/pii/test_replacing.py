"""What is put where personal data was."""

import hashlib
import hmac

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.pii.finder import Findings
from spanmill.pii.replacing import HmacKey, Replacements, Style, splice

_KEY = HmacKey("k1", b"0123456789abcdef")


def _wide(text: str) -> str:
    """In full-width characters."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def _replaced(name: str, style: Style, *found: str) -> list[str]:
    replacements = Replacements([name], {}, style)
    rows, zeros = np.arange(len(found)), np.zeros(len(found), np.int64)
    lengths = np.array([len(text.encode()) for text in found])
    pieces = replacements.pieces(pa.array(found), Findings(rows, zeros, lengths, zeros))
    return [piece.decode() for piece in pieces]


def test_replace_says_what_was_there() -> None:
    assert _replaced("email", Style(), "a@example.com") == ["<EMAIL>"]


def test_drop_leaves_nothing_behind() -> None:
    assert _replaced("email", Style("drop"), "a@example.com") == [""]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("4111-1111-1111-1234", "***************1234"),
        ("010-1234-5678", "*********5678"),
        ("kim@example.com", "**********e*com"),
        (_wide("12345678"), "****" + _wide("5678")),
        ("12-34-56", "***34*56"),
        ("1234567", "*******"),
        ("----12", "****12"),
        ("12", "**"),
        ("\\u0030\\u00310-1234-5678", "*********5678"),
        ("\\ud8001234", "*****"),
    ],
)
def test_partial_keeps_the_last_four_letters_or_digits_unless_that_is_more_than_half(found: str, shown: str) -> None:
    assert _replaced("phone", Style("partial"), found) == [shown]


def test_hmac_is_the_beginning_of_the_keyed_hash_of_what_was_found() -> None:
    (token,) = _replaced("email", Style("hmac", _KEY), "kim@example.com")
    expected = hmac.new(b"0123456789abcdef", b"kim@example.com", hashlib.sha256).hexdigest()[:16]
    assert token == f"<EMAIL:k1:{expected}>"


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("card", ["4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", _wide("4111") + "1111-1111-1111"]),
        (
            "phone",
            ["010-1234-5678", "010 1234 5678", _wide("010-1234-5678"), "(010) 1234-5678", "\\u003010-1234-5678"],
        ),
        ("email", ["Kim@Example.com", "kim@example.com", "kim%40example.com", _wide("Kim@") + "example.com"]),
        ("iban", ["DE89 3704 0044 0532 0130 00", "de89370400440532013000"]),
        ("mac", ["00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7"]),
        ("ipv6", ["2001:DB8:0:0::1", "2001:db8::1"]),
        ("kr_rrn", ["900101-1234567", "9001011234567"]),
    ],
)
def test_the_same_person_is_the_same_token_however_it_is_written(name: str, spellings: list[str]) -> None:
    assert len(set(_replaced(name, Style("hmac", _KEY), *spellings))) == 1


def test_another_person_another_key_and_another_kind_are_other_tokens() -> None:
    other = HmacKey("k1", b"fedcba9876543210")
    tokens = _replaced("email", Style("hmac", _KEY), "a@example.com", "b@example.com")
    tokens += _replaced("email", Style("hmac", other), "a@example.com")
    tokens += _replaced("phone", Style("hmac", _KEY), "a@example.com")
    assert len(set(tokens)) == 4


@pytest.mark.parametrize("secret", [b"", b"hunter2", b"0123456789abcde"])
def test_a_short_key_is_refused_and_its_length_is_said_but_not_the_key(secret: bytes) -> None:
    with pytest.raises(ValueError, match=f"at least 16 bytes, found {len(secret)};") as refused:
        HmacKey("k1", secret)
    assert not secret or secret.decode() not in str(refused.value)


def test_the_id_of_a_key_cannot_break_out_of_a_token() -> None:
    with pytest.raises(ValueError, match="id of the HMAC key"):
        HmacKey("k>1", b"0123456789abcdef")


def test_a_key_is_not_shown_when_it_is_printed() -> None:
    assert "0123456789abcdef" not in repr(Style("hmac", _KEY))


def test_there_are_no_hashes_without_a_key() -> None:
    with pytest.raises(ValueError, match="the mode hmac needs a key"):
        Style("hmac")


@st.composite
def _columns_with_ranges(draw: st.DrawFn) -> tuple[pa.StringArray, list[str | None], list[tuple[int, int, int, bytes]]]:
    """A column, sliced or not, and places in it with what to put there."""
    texts = draw(st.lists(st.none() | st.text("aé한😀", max_size=6), min_size=1, max_size=6))
    ranges = []
    for row, text in enumerate(texts):
        marks = sorted(draw(st.lists(st.integers(0, len(text or "")), max_size=4)))
        for first, last in zip(marks[0::2], marks[1::2], strict=False):
            start, end = (len((text or "")[:mark].encode()) for mark in (first, last))
            ranges.append((row, start, end, draw(st.sampled_from([b"", b"<X>", "한".encode()]))))
    before = draw(st.integers(0, 2))
    return pa.array(["xyz"] * before + texts, pa.string())[before:], texts, ranges


@given(_columns_with_ranges())
def test_pieces_are_put_in_place_of_ranges_as_if_one_by_one(
    case: tuple[pa.StringArray, list[str | None], list[tuple[int, int, int, bytes]]],
) -> None:
    column, texts, ranges = case
    expected = [None if text is None else text.encode() for text in texts]
    for row, start, end, piece in reversed(ranges):
        was = expected[row]
        if was is not None:
            expected[row] = was[:start] + piece + was[end:]
    rows, starts, ends = np.array([one[:3] for one in ranges], np.int64).reshape(-1, 3).T
    spliced = splice(column, rows, starts, ends, [piece for *_, piece in ranges])
    spliced.texts.validate(full=True)
    assert spliced.texts.cast(pa.binary()).to_pylist() == expected
    for (row, _, _, piece), start, end in zip(ranges, spliced.starts, spliced.ends, strict=True):
        text = spliced.texts.cast(pa.binary())[row].as_py()
        assert text is None or text[start:end] == piece
