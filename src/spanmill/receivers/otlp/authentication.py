"""Who a request comes from: asked before anything of its body is read, the same way over both protocols."""

from types import MappingProxyType
from typing import Final

from google.rpc import code_pb2 as code

from spanmill.component import Host, Sender
from spanmill.config.authentication import ServerAuth
from spanmill.errors import Busy
from spanmill.net.authentication import HeaderValues, ServerAuthenticator, Unauthenticated
from spanmill.receivers.otlp import answers
from spanmill.receivers.otlp.answers import Refusal

_CHALLENGE: Final = "WWW-Authenticate"


class SenderCheck:
    """Lets in everyone, or those whom an authenticator knows."""

    def __init__(self, config: ServerAuth | None, host: Host) -> None:
        self._authenticator: ServerAuthenticator | None = host.extension(config.extension) if config else None
        self._attribute = config.sender_attribute if config else None

    @property
    def open(self) -> bool:
        """Whether everyone is let in."""
        return self._authenticator is None

    async def authenticate(self, headers: HeaderValues) -> str:
        """The name of who sends; empty where there is none. Raises `Refusal`."""
        if self._authenticator is None:
            return ""
        try:
            return await self._authenticator.authenticate(headers)
        except Unauthenticated as error:
            challenge = MappingProxyType({_CHALLENGE: self._authenticator.challenge})
            raise Refusal(
                401, code.UNAUTHENTICATED, error.reason, error.message, headers=challenge, close=True
            ) from None
        except Busy as error:
            raise answers.busy(error) from None

    def sender(self, name: str, address: str) -> Sender:
        """The sender of this name, which `authenticate` gave; without one, of this address."""
        name = name or address
        return Sender(name, {self._attribute: name}) if self._attribute else Sender(name)
