"""Authentication of gRPC calls, from their metadata alone.

grpc.aio asks an interceptor before it takes a call's message from the connection. A call that is refused gets a handler
that never asks for the message: it is not read beyond what flow control let through, nor decompressed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc

from spanmill.receivers.otlp.authentication import SenderCheck

Refuse = Callable[[Any, Exception], None]
"""Sets the answer to a call that ended in an error."""


class AuthenticatingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Authenticates every call, whatever its method, and tells the handler as `name` who sent it."""

    def __init__(self, check: SenderCheck, refuse: Refuse) -> None:
        self._check = check
        self._refuse = refuse

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        metadata = details.invocation_metadata or ()
        try:
            name = await self._check.authenticate(lambda key: [value for each, value in metadata if each == key])
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is let in by it
            return grpc.stream_unary_rpc_method_handler(self._refusing(error))
        handler = await continuation(details)
        if handler is None:
            return None
        return grpc.stream_unary_rpc_method_handler(partial(handler.stream_unary, name=name))

    def _refusing(self, error: Exception) -> Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]:
        async def refuse(_messages: AsyncIterator[bytes], context: Any) -> bytes:
            self._refuse(context, error)
            return b""

        return refuse
