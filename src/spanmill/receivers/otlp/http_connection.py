"""One HTTP connection: aiohttp's protocol, with the deadlines and the error answers that it does not have.

aiohttp waits for ever for a header that dribbles in, for a sender that does not read its answers, and answers broken
HTTP in plain text with a traceback in the log.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from google.rpc import code_pb2 as code

from spanmill.otlp.responses import Encoding
from spanmill.receivers.otlp.answers import Refusal, internal
from spanmill.receivers.otlp.config import HttpListener
from spanmill.receivers.otlp.reception import Reception

_MAX_HEADERS = 128
_NEVER_SECONDS = 10 * 365 * 86400.0
_LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and dropped, so that its sender gets to see the answer."""


class ConnectionServer(web.Server):
    """aiohttp's server, making connections of our kind. Called for each connection that was accepted."""

    def __init__(self, handler: Any, config: HttpListener, reception: Reception, closed: Callable[[], None]) -> None:
        super().__init__(handler)
        self._config = config
        self._reception = reception
        self._closed = closed

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._closed()

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._config, self._reception)


class Connection(web.RequestHandler):
    """The deadlines: header, answer, idle. (The body's is the request handler's.)"""

    __slots__ = (
        "_deadline",
        "_header_bytes",
        "_header_seconds",
        "_last_payload",
        "_limit",
        "_reception",
        "_write_seconds",
        "_write_timer",
    )

    def __init__(self, server: ConnectionServer, config: HttpListener, reception: Reception) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=config.idle_timeout or _NEVER_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to turn it off
            auto_decompress=False,
            max_line_size=config.max_header_bytes,
            max_field_size=config.max_header_bytes,
            max_headers=_MAX_HEADERS,
            lingering_time=_LINGER_SECONDS,
        )
        self._reception = reception
        self._limit = config.max_header_bytes
        self._header_seconds = config.read_header_timeout
        self._write_seconds = config.write_timeout
        self._header_bytes = 0
        self._last_payload: Any = None
        self._deadline: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_header()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._header_arrived()
        self.resume_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        requests = self._request_count
        in_body = self._last_payload is not None and not self._last_payload.is_eof()
        super().data_received(data)
        if self._request_count != requests:
            self._header_arrived()
            self._last_payload = self._messages[-1][1] if self._messages else None
        elif data and not in_body:
            self._expect_header()
            self._header_bytes += len(data)
            if self._header_bytes > self._limit:
                self._turn_away(header_too_large(self._limit))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_seconds and self.transport is not None:
            self._write_timer = self._loop.call_later(self._write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self.resume_write_timer()
        super().resume_writing()

    def resume_write_timer(self) -> None:
        """The answer went out, or nobody is there to take it."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what never became a request, or a defect that escaped the request handler."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has already begun")
        if isinstance(exc, HttpProcessingError):
            refusal = header_too_large(self._limit) if isinstance(exc, LineTooLong) else malformed(exc)
            refusal = self._reception.refusal(refusal)
        else:
            refusal = self._reception.refusal(exc if isinstance(exc, Exception) else internal())
        response = web.Response(
            status=refusal.http_status, body=refusal.body(Encoding.JSON), content_type=Encoding.JSON.value
        )
        response.force_close()
        return response

    def _expect_header(self) -> None:
        if self._deadline is None and self._header_seconds:
            self._deadline = self._loop.call_later(self._header_seconds, self._header_is_late)

    def _header_arrived(self) -> None:
        self._header_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _header_is_late(self) -> None:
        self._deadline = None
        if self._request_in_progress or self._messages:
            self._expect_header()
            return
        if self._header_bytes == 0:
            self.force_close()  # an idle connection: nothing was asked, nothing is answered
            return
        message = f"the header did not arrive within {self._header_seconds:g} s"
        self._turn_away(Refusal(408, code.DEADLINE_EXCEEDED, "too_slow", message))

    def _turn_away(self, refusal: Refusal) -> None:
        """Answer a header that will not be waited for, and close."""
        self._header_arrived()
        if self.transport is not None and not self._request_in_progress:
            self._reception.refusal(refusal)
            body = refusal.body(Encoding.JSON)
            head = (
                f"HTTP/1.1 {refusal.http_status} {web.Response(status=refusal.http_status).reason}\r\n"
                f"Content-Type: {Encoding.JSON.value}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.force_close()


def header_too_large(limit: int) -> Refusal:
    return Refusal(
        431, code.RESOURCE_EXHAUSTED, "header_too_large", f"the header is larger than {limit} bytes", close=True
    )


def malformed(error: HttpProcessingError) -> Refusal:
    reason = str(error.message).splitlines()[0].rstrip(":") if error.message else "unreadable"
    return Refusal(400, code.INVALID_ARGUMENT, "malformed_http", f"not valid HTTP: {reason}", close=True)
