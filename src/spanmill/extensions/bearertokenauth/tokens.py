"""Tokens, and files of them."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from spanmill.config.authentication import credential_lines, is_header_value

_NAME: Final = re.compile(r"[A-Za-z0-9._@/-]{1,64}", re.ASCII)
_NAMED_LINE: Final = re.compile(r"(\S+):\s+(.*)")
"""A token itself holds no space (RFC 6750, 2.1), so that a line with a name cannot be taken for one without."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. It does not show when it is printed."""

    text: str = field(repr=False)
    name: str = ""
    """Of its sender; empty where it has none."""


def is_sender_name(text: str) -> bool:
    """Whether this may name a sender."""
    return _NAME.fullmatch(text) is not None


def parse_tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a file: on each line `token` or `name: token`, comments behind `#`.

    Raises `ValueError` with the line and without the token.
    """
    tokens: list[Token] = []
    for number, line in credential_lines(text):
        match = _NAMED_LINE.fullmatch(line)
        token = Token(match[2], match[1]) if match else Token(line)
        if token.name and not is_sender_name(token.name):
            raise ValueError(f"line {number}: not the name of a sender; expected letters, digits and ._@/-, at most 64")
        if not is_header_value(token.text):
            raise ValueError(f"line {number}: the token holds what cannot be sent; expected printable ASCII")
        if any(token.text == other.text and token.name != other.name for other in tokens):
            raise ValueError(f"line {number}: this token has another name further up")
        tokens.append(token)
    if not tokens:
        raise ValueError("there is no token in it")
    return tuple(tokens)


class TokenSet:
    """Says whose token a text is, in a time that tells nothing about the tokens.

    What is compared are keyed digests, of one length whatever the token's, and all of them every time.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._key = os.urandom(32)
        self._digests = [(self._digest(token.text.encode()), token.name) for token in tokens]

    def find(self, text: bytes) -> str | None:
        """The name of the token, empty where it has none; None when it is no token of this set."""
        presented, found = self._digest(text), None
        for digest, name in self._digests:
            if hmac.compare_digest(digest, presented):
                found = name
        return found

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, hashlib.sha256)
