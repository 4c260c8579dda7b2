"""Authentication in the configuration: the blocks that name an authenticator, and what authenticators have in common.

Which authenticator fits where is checked in `config.security`, because it takes more than one component to see.
"""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import Field

from spanmill.config.base import Model
from spanmill.config.sections import parse_id
from spanmill.config.values import invalid
from spanmill.names import ComponentId

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""Names of header fields and of authentication schemes (RFC 9110, 5.6.2)."""
_SENDABLE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
"""What travels unchanged as the value of a header over HTTP and gRPC alike."""


class Authenticator(Model):
    """The configuration of an extension that checks credentials, sends them, or both."""

    @property
    def checks_senders(self) -> bool:
        """Whether a receiver can use it."""
        raise NotImplementedError

    @property
    def sends_credentials(self) -> bool:
        """Whether an exporter can use it."""
        raise NotImplementedError

    @property
    def header_name(self) -> str:
        """The header field that the credentials travel in, as written."""
        raise NotImplementedError

    @property
    def names_senders(self) -> bool:
        """Whether everyone that it lets in has a name; true where that cannot be told from the configuration."""
        return True


class AuthReference(Model):
    """Names an authenticator."""

    authenticator: Annotated[str, Field(min_length=1)]
    """Id of an extension: `basicauth` or `bearertokenauth`, with its name. It must be in `service.extensions`."""

    @property
    def extension(self) -> ComponentId:
        """The id; of a component that exists, once the configuration is checked."""
        return parse_id(self.authenticator) or ComponentId(self.authenticator)


class ServerAuth(AuthReference):
    """Lets in only those senders that an authenticator knows."""

    unsupported: ClassVar = {
        "request_params": "not supported: credentials in URLs end up in logs; send them in a header"
    }

    sender_attribute: Annotated[str, Field(min_length=1)] | None = None
    """Attribute that tells who sent it, put on the resource of everything that comes in, over what the sender says
    itself: the name of the token or user, or the address where a token has no name. None: none."""


class ClientAuth(AuthReference):
    """Adds the credentials of an authenticator to every request."""


def is_header_name(text: str) -> bool:
    """Whether this is the name of a header field, or of an authentication scheme."""
    return _TOKEN.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    """Whether a header field can hold this: printable ASCII, no space at its ends, not empty."""
    return _SENDABLE.fullmatch(text) is not None


def credential_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a file of credentials with their numbers, without empty ones and comments (`#`)."""
    for number, line in enumerate(text.splitlines(), 1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped


def check_sendable(text: str, what: str, key: str) -> None:
    """Raise `invalid`, which does not show the text, when `text` is not something that a header field can hold."""
    if not text:
        raise invalid(f"{what} is empty", "text", "Is the variable that it comes from set?", key=key)
    if not is_header_value(text):
        raise invalid(f"{what} holds what cannot be sent", "printable ASCII without spaces at its ends", key=key)
