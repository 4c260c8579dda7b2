"""Configuration of the bearertokenauth extension."""

from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.authentication import Authenticator, check_sendable, is_header_name
from spanmill.config.base import warn
from spanmill.config.values import Secret, invalid
from spanmill.extensions.bearertokenauth.tokens import Token, is_sender_name

_RETRY = "ignored: the file is looked at again and again, and what was read last stays in use"


class BearerTokenAuthExtensionConfig(Authenticator):
    """Tokens. A receiver lets in whoever sends one of them; an exporter sends the first of them."""

    also_accepted: ClassVar = {"file_retry": _RETRY}
    file_keys: ClassVar = ("filename",)

    header: str = "Authorization"
    """The header field that carries the token; upper and lower case are the same."""
    scheme: str = "Bearer"
    """What stands before the token; empty: nothing does."""
    token: Secret | None = None
    """A token."""
    tokens: tuple[Secret, ...] = ()
    """Several tokens, such as the old one and the new one while senders change over."""
    named_tokens: dict[str, Secret] = Field(default_factory=dict)
    """Tokens by the name of their sender, so that senders can be told apart."""
    filename: str | None = None
    """A file with a token on each line, or `name: token`; `#` begins a comment line. Read again when it changes. With
    it the tokens above are ignored."""

    @model_validator(mode="before")
    @classmethod
    def ignored_retry(cls, data: object, info: ValidationInfo) -> object:
        if isinstance(data, dict) and "file_retry" in data:
            warn(info, "file_retry", _RETRY)
            return {key: value for key, value in data.items() if key != "file_retry"}
        return data

    @model_validator(mode="after")
    def fits_a_header(self) -> Self:
        if not is_header_name(self.header) or self.header.lower().endswith("-bin"):
            raise invalid("not the name of a header field", "a name such as Authorization", key="header")
        if self.scheme and not is_header_name(self.scheme):
            raise invalid("not an authentication scheme", "one word, such as Bearer, or nothing", key="scheme")
        return self

    @model_validator(mode="after")
    def has_tokens(self, info: ValidationInfo) -> Self:
        given = self.inline()
        if self.filename is not None:
            if not self.filename:
                raise invalid("the path is empty", "the path of a file", key="filename")
            if given:
                warn(info, "filename", "the tokens of the file are used, and those written here are ignored")
            return self
        if not given:
            raise invalid("there is no token", "`token`, `tokens`, `named_tokens` or `filename`")
        if self.token is not None and self.tokens:
            raise invalid("`token` and `tokens` are both given", "one of them", key="token")
        self._check(given)
        return self

    def _check(self, given: tuple[Token, ...]) -> None:
        for token in given:
            key = f"named_tokens.{token.name}" if token.name else "token" if self.token else "tokens"
            if token.name and not is_sender_name(token.name):
                expected = "letters, digits and ._@/- in the name, at most 64"
                raise invalid("not the name of a sender", expected, key="named_tokens")
            check_sendable(token.text, "the token", key)
        named = [token.text for token in given if token.name]
        if len(set(named)) < len(named):
            raise invalid("two names have the same token", "each its own", key="named_tokens")

    def inline(self) -> tuple[Token, ...]:
        """The tokens written here, in order."""
        unnamed = [*self.tokens, *([self.token] if self.token is not None else [])]
        return (
            *(Token(token.reveal()) for token in unnamed),
            *(Token(token.reveal(), name) for name, token in self.named_tokens.items()),
        )

    @property
    def checks_senders(self) -> bool:
        return True

    @property
    def sends_credentials(self) -> bool:
        return True

    @property
    def header_name(self) -> str:
        return self.header

    @property
    def names_senders(self) -> bool:
        return self.filename is not None or all(token.name for token in self.inline())
