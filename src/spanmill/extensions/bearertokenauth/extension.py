"""Tokens in a header: checks those of senders, and sends the first of its own (RFC 6750)."""

from spanmill.component import Host, Settings
from spanmill.errors import StartError
from spanmill.extensions.bearertokenauth.config import BearerTokenAuthExtensionConfig
from spanmill.extensions.bearertokenauth.tokens import Token, TokenSet, parse_tokens
from spanmill.net.authentication import Credentials, HeaderValues, Unauthenticated, after_scheme, only_value
from spanmill.net.watched_file import CHECK_SECONDS, WatchedFile

_REALM = 'realm="spanmill"'


class _Accepted:
    """Tokens as both halves need them."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.first = tokens[0].text
        self.set = TokenSet(tokens)


class BearerTokenAuthExtension:
    """Implements `ServerAuthenticator` and `ClientAuthenticator`."""

    def __init__(
        self, config: BearerTokenAuthExtensionConfig, settings: Settings, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._config = config
        self._settings = settings
        self._check_seconds = check_seconds
        self._inline: _Accepted | None = None
        self._file: WatchedFile[_Accepted] | None = None

    @property
    def challenge(self) -> str:
        return f"{self._config.scheme or 'Bearer'} {_REALM}"

    async def start(self, host: Host) -> None:
        """Read the file, if there is one. Raises `StartError`."""
        if self._config.filename is None:
            self._inline = _Accepted(self._config.inline())
            return
        try:
            self._file = WatchedFile(
                self._config.filename,
                lambda text: _Accepted(parse_tokens(text)),
                self._settings.log,
                self._check_seconds,
            )
        except (OSError, ValueError) as error:
            raise StartError(f"extension {self._settings.id}", str(error)) from None

    async def stop(self) -> None:
        """Nothing runs."""

    async def authenticate(self, headers: HeaderValues) -> str:
        token = after_scheme(only_value(headers, self._config.header), self._config.scheme)
        name = self._accepted().set.find(token)
        if name is None:
            raise Unauthenticated("wrong_credentials", "the token is not one that is accepted here")
        return name

    def credentials(self) -> Credentials:
        token = self._accepted().first
        value = f"{self._config.scheme} {token}" if self._config.scheme else token
        return Credentials(self._config.header, value, (value, token))

    def _accepted(self) -> _Accepted:
        accepted = self._inline if self._file is None else self._file.current()
        assert accepted is not None, "not started"
        return accepted
