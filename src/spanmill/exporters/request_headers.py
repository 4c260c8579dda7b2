"""The header fields that go with every request of an OTLP exporter, and how they are kept out of what is logged."""

import base64
from typing import Final
from urllib.parse import unquote, urlsplit

from spanmill.component import Host
from spanmill.config.forwarding import ForwardingConfig
from spanmill.config.values import REDACTED
from spanmill.net.authentication import ClientAuthenticator

_SHORTEST_SECRET: Final = 4
"""Characters. Nothing shorter is concealed: it is no secret, and it is part of many words."""


class RequestHeaders:
    """`headers` and the credentials of `auth`, which may change while the daemon runs."""

    def __init__(self, config: ForwardingConfig, host: Host, urls: tuple[str, ...] = ()) -> None:
        """`urls`: where requests go; a user and password within them are concealed too."""
        self._fixed = {name: value.reveal() for name, value in config.headers.items()}
        self._authenticator: ClientAuthenticator | None = host.extension(config.auth.extension) if config.auth else None
        self._secrets = [*self._fixed.values(), *(secret for url in urls for secret in _in_url(url))]

    def fields(self) -> dict[str, str]:
        """The header fields for the next request."""
        if self._authenticator is None:
            return self._fixed
        credentials = self._authenticator.credentials()
        return {**self._fixed, credentials.header: credentials.value}

    def conceal(self, text: str) -> str:
        """A peer's words without our credentials: some servers repeat in their answer what they were sent."""
        secrets = list(self._secrets)
        if self._authenticator is not None:
            secrets += self._authenticator.credentials().secrets
        parts = {part for secret in secrets for part in (secret, secret.partition(" ")[2])}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= _SHORTEST_SECRET:
                text = text.replace(part, REDACTED)
        return text


def _in_url(url: str) -> list[str]:
    """The password within a URL, and what becomes of it in a header."""
    parts = urlsplit(url)
    if parts.password is None:
        return []
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    return [parts.password, unquote(parts.password), base64.b64encode(pair.encode()).decode()]
