"""What authenticator extensions offer to receivers and exporters.

`host.extension(id)` gives a started extension; the configuration's checks see to it that it has the half asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

HeaderValues = Callable[[str], Sequence[str | bytes]]
"""Every value that a request has under a header's name, which is given in lower case."""


class Unauthenticated(Exception):  # noqa: N818 - an answer, not a fault
    """A request is not let in. `reason` is the label it is counted under; the message shows no credential."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Credentials:
    """A header field that an exporter adds to its requests. Its value does not show when it is printed."""

    header: str
    value: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """What of it must not show anywhere, such as the token without its scheme."""


class ServerAuthenticator(Protocol):
    """Checks who sends."""

    @property
    def challenge(self) -> str:
        """What a 401 says in `WWW-Authenticate` (RFC 9110, 11.6.1)."""

    async def authenticate(self, headers: HeaderValues) -> str:
        """The name of the sender; empty for one that is known and has none.

        Raises `Unauthenticated`, or `Busy` when it cannot be checked now.
        """


class ClientAuthenticator(Protocol):
    """Says who we are."""

    def credentials(self) -> Credentials:
        """What to send with the next request."""


def only_value(headers: HeaderValues, name: str) -> bytes:
    """The value of a header field. Raises `Unauthenticated` when it is missing, or there more than once.

    Of two values a proxy in front may have checked the other one.
    """
    values = headers(name.lower())
    if not values:
        raise Unauthenticated("no_credentials", f"the request has no credentials; expected the header {name}")
    if len(values) > 1:
        raise Unauthenticated("malformed_credentials", f"the header {name} is there {len(values)} times")
    value = values[0]
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def after_scheme(value: bytes, scheme: str) -> bytes:
    """What follows the scheme, whose letters' case is of no account (RFC 9110, 11.1). Raises `Unauthenticated`."""
    if not scheme:
        return value.strip(b" \t")
    found, _, rest = value.strip(b" \t").partition(b" ")
    if found.lower() != scheme.lower().encode():
        raise Unauthenticated("wrong_scheme", f"the credentials have another scheme; expected {scheme}")
    return rest.strip(b" \t")
