"""Configuration of the basicauth extension."""

from collections.abc import Iterator
from typing import ClassVar, Self

from pydantic import model_validator

from spanmill.config.authentication import Authenticator
from spanmill.config.base import Model
from spanmill.config.values import Secret, invalid
from spanmill.extensions.basicauth.htpasswd import parse_htpasswd


class Htpasswd(Model):
    """Users and their passwords as `htpasswd` writes them: bcrypt, `{SHA}`, `{SSHA}`, or the password itself."""

    file: str | None = None
    """A file with `user:hash` on each line. Read again when it changes."""
    inline: Secret | None = None
    """The same as text. Where a user is in both, this counts."""

    @model_validator(mode="after")
    def has_users(self) -> Self:
        if not self.file and (self.inline is None or not self.inline.reveal().strip()):
            raise invalid("there are no users", "`file` or `inline`")
        if self.inline is not None:
            try:
                users = parse_htpasswd(self.inline.reveal())
            except ValueError as error:
                raise invalid(str(error), key="inline") from None
            if not users and not self.file:
                raise invalid("there are no users in it", "`user:hash`, one on each line", key="inline")
        return self


class BasicClient(Model):
    """The user that exporters are."""

    unsupported: ClassVar = {"aws_secrets_manager": "not supported; have the secret written to `password_file`"}

    username: str | None = None
    """The user's name."""
    username_file: str | None = None
    """A file that holds it, instead. Read again when it changes."""
    password: Secret | None = None
    """The password."""
    password_file: str | None = None
    """A file that holds it, instead. Read again when it changes."""

    @model_validator(mode="after")
    def is_somebody(self) -> Self:
        if not self.username and not self.username_file:
            raise invalid("the user is missing or empty", "`username` or `username_file`")
        if not self.password_file and (self.password is None or not self.password.reveal()):
            raise invalid("the password is missing or empty", "`password` or `password_file`")
        if self.username and ":" in self.username:
            raise invalid("the user's name holds a colon", "a name without one", key="username")
        return self


class BasicAuthExtensionConfig(Authenticator):
    """Users and passwords. With `htpasswd` for receivers, with `client_auth` for exporters; one of the two."""

    htpasswd: Htpasswd | None = None
    """Whom receivers let in."""
    client_auth: BasicClient | None = None
    """Who exporters are."""

    @model_validator(mode="after")
    def is_one_of_them(self) -> Self:
        if (self.htpasswd is None) == (self.client_auth is None):
            found = "both are" if self.htpasswd is not None else "neither is"
            raise invalid(f"`htpasswd` is for receivers and `client_auth` for exporters; {found} given", "one of them")
        return self

    @property
    def checks_senders(self) -> bool:
        return self.htpasswd is not None

    @property
    def sends_credentials(self) -> bool:
        return self.client_auth is not None

    def files(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.htpasswd is not None and self.htpasswd.file:
            yield ("htpasswd", "file"), self.htpasswd.file
        for key in ("username_file", "password_file"):
            if file := getattr(self.client_auth, key, None):
                yield ("client_auth", key), file

    @property
    def header_name(self) -> str:
        return "Authorization"
