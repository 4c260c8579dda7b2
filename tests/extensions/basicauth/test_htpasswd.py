"""htpasswd files: the forms that are taken, those that are refused, and that nothing of a password shows."""

import base64
import hashlib

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.extensions.basicauth.htpasswd import parse_htpasswd

BCRYPT = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"
"""Made by Apache's htpasswd, of `myPassword`."""


def ssha(password: str, salt: bytes = b"salt") -> str:
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        (BCRYPT, "myPassword"),
        (bcrypt.hashpw(b"p\xc3\xa4ss:wort", bcrypt.gensalt(4)).decode(), "päss:wort"),
        ("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "myPassword"),
        (ssha("myPassword"), "myPassword"),
        ("myPassword", "myPassword"),
        ("my:Pass word", "my:Pass word"),
    ],
    ids=["bcrypt-y", "bcrypt-b", "sha", "ssha", "plain", "plain with a colon"],
)
def test_the_right_password_matches_and_no_other(stored: str, password: str) -> None:
    (expected,) = parse_htpasswd(f"user:{stored}").values()
    assert expected.matches(password.encode())
    for wrong in ("", "x", password.upper(), f"{password} ", password[:-1], stored if stored != password else "y"):
        assert not expected.matches(wrong.encode())


def test_a_password_beyond_what_bcrypt_looks_at_still_matches() -> None:
    """As with every other program that reads such files; the library itself refuses long passwords."""
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    (expected,) = parse_htpasswd(f"user:{hashed}").values()
    assert expected.matches(b"x" * 100)
    assert not expected.matches(b"x" * 71 + b"y" * 29)


@given(st.binary(max_size=90))
def test_any_bytes_may_be_tried_as_a_password(password: bytes) -> None:
    for stored in (BCRYPT.replace("$05$", "$04$"), "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", ssha("a"), "s3cret"):
        (expected,) = parse_htpasswd(f"user:{stored}").values()
        assert expected.matches(password) is False or password in (b"myPassword", b"a", b"s3cret")


def test_comments_and_empty_lines_are_skipped_and_the_last_line_of_a_user_counts() -> None:
    users = parse_htpasswd("# people\n\n  ada:one  \r\nbob:two\nada:three\n")
    assert list(users) == [b"ada", b"bob"]
    assert users[b"ada"].matches(b"three")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s3cret", "line 3: expected `user:hash`"),
        (":s3cret", "line 3: expected `user:hash`"),
        ("ada:", "line 3: expected `user:hash`"),
        ("ada:$apr1$s3cret$x", "line 3: the password of ada: hashes that begin with $apr1$ are not supported"),
        ("ada:$1$s3cret$x", "begin with $1$ are not supported"),
        ("ada:$5$s3cret$x", "begin with $5$ are not supported"),
        ("ada:$6$s3cret$x", "begin with $6$ are not supported"),
        ("ada:$argon2id$s3cret", "begin with $argon2id$ are not supported"),
        ("ada:{PBKDF2}s3cret", "begin with {PBKDF2} are not supported"),
        ("ada:$2y$10$s3cret", "line 3: the password of ada: not a whole bcrypt hash"),
        ("ada:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRq", "not a whole bcrypt hash"),
        ("ada:$2y$31$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "a bcrypt cost of 31; expected 4 to 16"),
        ("ada:{SHA}s3cret", "not a whole {SHA} hash"),
        ("ada:{SHA}" + ssha("x").removeprefix("{SSHA}"), "not a whole {SHA} hash"),
        ("ada:{SSHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "not a whole {SSHA} hash"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_not_shown(line: str, message: str) -> None:
    with pytest.raises(ValueError, match="line 3") as caught:
        parse_htpasswd(f"ok:fine\n\n{line}\n")
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_passwords_must_match_does_not_show_when_it_is_printed() -> None:
    (expected,) = parse_htpasswd("user:s3cret").values()
    assert "s3cret" not in repr(expected)
