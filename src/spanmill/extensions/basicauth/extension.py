"""Users and passwords in the `Authorization` header (RFC 7617): checks those of senders, or sends its own."""

import asyncio
import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from spanmill.component import Host, Settings
from spanmill.errors import StartError
from spanmill.extensions.basicauth.config import BasicAuthExtensionConfig, BasicClient, Htpasswd
from spanmill.extensions.basicauth.htpasswd import parse_htpasswd
from spanmill.extensions.basicauth.passwords import Passwords
from spanmill.net.authentication import Credentials, HeaderValues, Unauthenticated, after_scheme, only_value
from spanmill.net.watched_file import CHECK_SECONDS, WatchedFile

_HEADER: Final = "Authorization"
_SCHEME: Final = "Basic"


class BasicAuthExtension:
    """Implements `ServerAuthenticator` with `htpasswd`, and `ClientAuthenticator` with `client_auth`."""

    challenge = 'Basic realm="spanmill", charset="UTF-8"'

    def __init__(
        self, config: BasicAuthExtensionConfig, settings: Settings, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._config = config
        self._settings = settings
        self._check_seconds = check_seconds
        self._users: _Users | None = None
        self._identity: _Identity | None = None
        self._executor: ThreadPoolExecutor | None = None

    async def start(self, host: Host) -> None:
        """Read the files, if there are any. Raises `StartError`."""
        try:
            if self._config.htpasswd is not None:
                self._users = _Users(self._config.htpasswd, self._settings, self._check_seconds)
            if self._config.client_auth is not None:
                self._identity = _Identity(self._config.client_auth, self._settings, self._check_seconds)
        except (OSError, ValueError) as error:
            raise StartError(f"extension {self._settings.id}", str(error)) from None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"extension {self._settings.id}")

    async def stop(self) -> None:
        """End the thread that checks passwords. Safe twice."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)

    async def authenticate(self, headers: HeaderValues) -> str:
        assert self._users is not None, "not started, or without `htpasswd`"
        assert self._executor is not None
        user, password = _parse(after_scheme(only_value(headers, _HEADER), _SCHEME))
        if not await self._users.passwords().verify(user, password, self._executor):
            raise Unauthenticated("wrong_credentials", "this user and password are not accepted here")
        return user.decode()

    def credentials(self) -> Credentials:
        assert self._identity is not None, "not started, or without `client_auth`"
        user, password = self._identity.current()
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        value = f"{_SCHEME} {encoded}"
        return Credentials(_HEADER, value, (value, encoded, password))


def _parse(encoded: bytes) -> tuple[bytes, bytes]:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        colon = b""
    if not colon:
        raise Unauthenticated("malformed_credentials", "the credentials are not base64 of user:password")
    return user, password


class _Users:
    """`htpasswd`, as it is at present."""

    def __init__(self, config: Htpasswd, settings: Settings, check_seconds: float) -> None:
        inline = parse_htpasswd(config.inline.reveal()) if config.inline is not None else {}
        self._inline = Passwords(inline)
        self._file: WatchedFile[Passwords] | None = None

        def parse(text: str) -> Passwords:
            users = parse_htpasswd(text)
            if not users:
                raise ValueError("there are no users in it")
            return Passwords(users | inline)

        if config.file:
            self._file = WatchedFile(config.file, parse, settings.log, check_seconds)

    def passwords(self) -> Passwords:
        return self._inline if self._file is None else self._file.current()


class _Identity:
    """`client_auth`, as it is at present."""

    def __init__(self, config: BasicClient, settings: Settings, check_seconds: float) -> None:
        self._username = config.username or ""
        self._password = config.password.reveal() if config.password is not None else ""
        self._username_file, self._password_file = (
            WatchedFile(path, parse, settings.log, check_seconds) if path else None
            for path, parse in ((config.username_file, _user), (config.password_file, _password))
        )

    def current(self) -> tuple[str, str]:
        """User and password. As in the Collector a file counts more than what is written beside it."""
        user = self._username_file.current() if self._username_file else self._username
        return user, self._password_file.current() if self._password_file else self._password


def _user(text: str) -> str:
    user = text.strip()
    if not user or ":" in user:
        raise ValueError("expected the name of a user, without a colon")
    return user


def _password(text: str) -> str:
    password = text.rstrip("\r\n")
    if not password:
        raise ValueError("expected a password; it is empty")
    return password
