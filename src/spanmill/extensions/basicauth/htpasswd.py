"""htpasswd: users and what their passwords must match (Apache HTTP Server, "Password Formats").

Taken are bcrypt (`htpasswd -B`), salted and plain SHA-1 and, as in the Collector, the password itself. MD5 (`$apr1$`,
`$1$`) and crypt's SHA-2 (`$5$`, `$6$`) are refused by name: no maintained library that comes as a wheel checks them.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from spanmill.config.authentication import credential_lines

Form = Literal["bcrypt", "sha1", "plain"]

MOST_COST: Final = 16
"""bcrypt doubles its work with each: 16 takes seconds."""
_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_BCRYPT_BYTES: Final = 72
"""bcrypt looks no further; programs that make hashes cut the password there without a word."""
_OTHER: Final = re.compile(r"\$[0-9A-Za-z-]{1,12}\$|\{[0-9A-Z.-]{1,16}\}", re.ASCII)
"""How every other form of a hash begins."""
_SHA1_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What a password must match. It does not show when it is printed."""

    form: Form
    stored: bytes = field(repr=False)
    """The bcrypt hash; the SHA-1 digest; the password."""
    salt: bytes = field(default=b"", repr=False)

    @property
    def slow(self) -> bool:
        """Whether checking takes so long that it is not for the event loop."""
        return self.form == "bcrypt"

    @property
    def cost(self) -> int:
        """Of bcrypt; 0 for other forms."""
        return int(self.stored[4:6]) if self.slow else 0

    def matches(self, password: bytes) -> bool:
        """Whether this is the password, in a time that tells nothing about it. Takes 50 ms and more where `slow`."""
        if self.form == "bcrypt":
            return _bcrypt_matches(password, self.stored)
        if self.form == "sha1":
            return hmac.compare_digest(_sha1(password + self.salt), self.stored)
        return hmac.compare_digest(hashlib.sha256(password).digest(), hashlib.sha256(self.stored).digest())


def parse_htpasswd(text: str) -> dict[bytes, Expected]:
    """Users and what their passwords must match; of a user who is there twice the last line counts.

    Raises `ValueError` with the line, and nothing of what stands in it but the user.
    """
    users: dict[bytes, Expected] = {}
    for number, line in credential_lines(text):
        user, colon, stored = line.partition(":")
        if not colon or not user or not stored:
            raise ValueError(f"line {number}: expected `user:hash`, as `htpasswd -B` writes it")
        try:
            users[user.encode()] = _expected(stored)
        except ValueError as error:
            raise ValueError(f"line {number}: the password of {user}: {error}") from None
    return users


def _expected(stored: str) -> Expected:
    if match := _BCRYPT.fullmatch(stored):
        if not 4 <= int(match[1]) <= MOST_COST:
            raise ValueError(f"a bcrypt cost of {match[1]}; expected 4 to {MOST_COST}")
        return Expected("bcrypt", stored.encode())
    if stored.startswith(("{SHA}", "{SSHA}")):
        return _sha1_expected(stored)
    if stored.startswith("$2"):
        raise ValueError("not a whole bcrypt hash; make it again with `htpasswd -B`")
    if match := _OTHER.match(stored):
        raise ValueError(f"hashes that begin with {match[0]} are not supported; make it again with `htpasswd -B`")
    return Expected("plain", stored.encode())


def _sha1_expected(stored: str) -> Expected:
    scheme, _, encoded = stored.partition("}")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    salted = scheme == "{SSHA"
    if len(decoded) < _SHA1_BYTES or (len(decoded) > _SHA1_BYTES) is not salted:
        raise ValueError(f"not a whole {scheme}}} hash; make it again with `htpasswd -B`")
    return Expected("sha1", decoded[:_SHA1_BYTES], decoded[_SHA1_BYTES:])


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()  # noqa: S324 - what such files hold


def _bcrypt_matches(password: bytes, stored: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], stored)
    except ValueError:
        return False
