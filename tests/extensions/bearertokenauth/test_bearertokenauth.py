"""Tokens: whose they are, which are taken, and files of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.errors import StartError
from spanmill.extensions.bearertokenauth.tokens import Token, TokenSet, parse_tokens
from tests.extensions.credentials import authenticator, headers, reason
from tests.logs import CapturedLog

TYPE = "bearertokenauth"
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


async def test_a_sender_is_known_by_the_name_of_its_token() -> None:
    async with authenticator(TYPE, {"named_tokens": {"team-a": "aaa", "team-b": "bbb"}, "token": "ccc"}) as it:
        assert await it.authenticate(headers(Authorization="Bearer bbb")) == "team-b"
        assert await it.authenticate(headers(Authorization="Bearer aaa")) == "team-a"
        assert await it.authenticate(headers(Authorization="Bearer ccc")) == ""


@pytest.mark.parametrize("value", ["Bearer aaa", "bearer aaa", "BEARER   aaa ", " Bearer aaa"])
async def test_the_scheme_may_be_written_in_any_case(value: str) -> None:
    async with authenticator(TYPE, {"tokens": ["xxx", "aaa"]}) as it:
        assert await reason(it, Authorization=value) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "wrong_scheme"),
        ("aaa", "wrong_scheme"),
        ("Basic aaa", "wrong_scheme"),
        ("Bearer", "wrong_credentials"),
        ("Bearer ", "wrong_credentials"),
        ("Bearer aa", "wrong_credentials"),
        ("Bearer aaaa", "wrong_credentials"),
        ("Bearer AAA", "wrong_credentials"),
        ("Bearer aaa bbb", "wrong_credentials"),
        ("Bearer Bearer aaa", "wrong_credentials"),
        ("Bearer \udcff\udcff", "wrong_credentials"),
        ("Bearer " + "a" * 10_000, "wrong_credentials"),
    ],
)
async def test_what_is_not_a_token_is_not_let_in(value: str, expected: str) -> None:
    async with authenticator(TYPE, {"tokens": ["aaa", "bbb"]}) as it:
        assert await reason(it, Authorization=value) == expected


async def test_a_request_without_the_header_or_with_two_of_them_is_not_let_in() -> None:
    async with authenticator(TYPE, {"token": "aaa"}) as it:
        assert await reason(it) == "no_credentials"
        assert await reason(it, X_Token="Bearer aaa") == "no_credentials"
        twice = {"authorization": ["Bearer aaa", "Bearer aaa"]}
        with pytest.raises(Exception, match="is there 2 times"):
            await it.authenticate(lambda name: twice.get(name, []))


async def test_another_header_without_a_scheme_holds_the_token_alone() -> None:
    async with authenticator(TYPE, {"header": "X-Api-Key", "scheme": "", "token": "aaa"}) as it:
        assert await reason(it, X_API_KEY="aaa") == ""
        assert await reason(it, X_API_KEY="Bearer aaa") == "wrong_credentials"
        assert await reason(it, Authorization="aaa") == "no_credentials"
        assert (it.credentials().header, it.credentials().value) == ("X-Api-Key", "aaa")


async def test_an_exporter_sends_the_first_token() -> None:
    for body, value in (
        ({"token": "s3cret"}, "Bearer s3cret"),
        ({"tokens": ["s3cret", "other"]}, "Bearer s3cret"),
        ({"named_tokens": {"me": "s3cret"}, "scheme": "ApiKey"}, "ApiKey s3cret"),
    ):
        async with authenticator(TYPE, body) as it:
            assert it.credentials().value == value
            assert "s3cret" not in repr(it.credentials())


async def test_a_file_of_tokens_is_followed_in_both_directions(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# ours\n\nteam-a: aaa\nbbb\n")
    log = CapturedLog()
    async with authenticator(TYPE, {"filename": str(path)}, log) as it:
        assert await it.authenticate(headers(Authorization="Bearer aaa")) == "team-a"
        assert await it.authenticate(headers(Authorization="Bearer bbb")) == ""
        path.write_text("team-a: ccc\n")
        assert await reason(it, Authorization="Bearer aaa") == "wrong_credentials"
        assert await it.authenticate(headers(Authorization="Bearer ccc")) == "team-a"
        assert it.credentials().value == "Bearer ccc"
        path.write_text("\n")
        assert await reason(it, Authorization="Bearer ccc") == ""
        assert await reason(it, Authorization="Bearer ") == "wrong_credentials"
        path.unlink()
        assert await reason(it, Authorization="Bearer ccc") == ""
    assert not [entry for entry in log.entries if "ccc" in str(entry) or "aaa" in str(entry)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no token in it"),
        ("# only a comment\n", "there is no token in it"),
        ("aaa\nteam a: s3cret\n", None),
        ("aaa\nteäm: s3cret\n", "line 2: not the name of a sender"),
        ("a: s3cret\nb: s3cret\n", "line 2: this token has another name further up"),
        ("a: s3crét\n", "line 1: the token holds what cannot be sent"),
    ],
)
async def test_a_wrong_file_is_refused_with_its_line_and_without_the_token(
    tmp_path: Path, text: str, message: str | None
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    if message is None:  # a space in front of the colon: a token with a space in it, as in the Collector
        assert Token("team a: s3cret") in parse_tokens(text)
        return
    with pytest.raises(StartError) as caught:
        async with authenticator(TYPE, {"filename": str(path)}):
            pass
    assert f"extension bearertokenauth: cannot start: {path}: {message}" in str(caught.value)
    assert "s3cr" not in str(caught.value)


@given(st.lists(TEXTS, min_size=1, max_size=6, unique=True), TEXTS)
def test_exactly_the_tokens_of_a_set_are_found(texts: list[str], other: str) -> None:
    tokens = TokenSet(Token(text, f"sender-{number}") for number, text in enumerate(texts))
    for text in [*texts, other]:
        expected = f"sender-{texts.index(text)}" if text in texts else None
        assert tokens.find(text.encode()) == expected


def test_every_token_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the time would tell how far down the list a token stands, and how long it is."""
    import hmac

    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def recording(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    tokens = TokenSet(Token(text) for text in ("a", "bb", "ccc"))
    monkeypatch.setattr(hmac, "compare_digest", recording)
    for text in (b"a", b"ccc", b"something else altogether"):
        compared.clear()
        tokens.find(text)
        assert compared == [(32, 32)] * 3


def test_tokens_do_not_show_when_they_are_printed() -> None:
    assert "s3cret" not in repr(Token("s3cret", "a"))
    assert "s3cret" not in repr(vars(TokenSet([Token("s3cret", "a")])))
