"""OTLP over gRPC: the three Export methods, with the messages as bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
from google.rpc import code_pb2

from spanmill.admission import Held
from spanmill.component import Host, Settings
from spanmill.config.values import Endpoint
from spanmill.errors import Busy
from spanmill.net.listening import check_free
from spanmill.net.tls import ServerTls
from spanmill.otlp import responses
from spanmill.otlp.messages import SERVICES
from spanmill.otlp.responses import Encoding
from spanmill.receivers.otlp import answers
from spanmill.receivers.otlp.answers import Refusal
from spanmill.receivers.otlp.authentication import SenderCheck
from spanmill.receivers.otlp.config import GrpcListener
from spanmill.receivers.otlp.grpc_authentication import AuthenticatingInterceptor
from spanmill.receivers.otlp.message_sizes import MessageSizes
from spanmill.receivers.otlp.reception import Reception
from spanmill.signal import Signal

TRANSPORT = "grpc"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_STATUS_TRAILER = "grpc-status-details-bin"
_RETRY_TRAILER = "google.rpc.retryinfo-bin"
"""Where OpenTelemetry's Python exporter looks for the delay; others read it from the status."""
_MAX_MESSAGE_CHARACTERS = 256
"""It travels in trailers, three times over; clients accept 8 KiB of those."""
_HANDSHAKE_MILLISECONDS = 10_000
_NEVER_MILLISECONDS = 2**31 - 1

Export = Callable[..., Awaitable[bytes]]
"""Takes the stream of messages, the call's context and, where senders are authenticated, `name`."""


class GrpcServer:
    """One listener. grpc.aio itself enforces the sizes of messages and metadata, and decompresses gzip and deflate."""

    def __init__(self, config: GrpcListener, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._server: Any = None
        self.endpoint = config.endpoint

    async def start(self, host: Host) -> None:
        """Raises `OSError` when the address cannot be had, or the certificate cannot be read."""
        tls = ServerTls(self._config.tls) if self._config.tls else None
        check_free(self._config.endpoint)
        reception = Reception(host, self._settings, TRANSPORT, self._config.max_decoded_items)
        check = SenderCheck(self._config.auth, host)
        interceptors = () if check.open else (AuthenticatingInterceptor(check, partial(_answer_error, reception)),)
        methods = _methods(reception, check)
        self._server = grpc.aio.server(handlers=(methods,), interceptors=interceptors, options=_options(self._config))
        try:
            port = self._bind(tls)
            self.endpoint = (
                self._config.endpoint if self._config.endpoint.socket else Endpoint(self._config.endpoint.host, port)
            )
            await self._server.start()
        except RuntimeError as error:
            await self._server.stop(None)
            self._server = None
            raise OSError(f"cannot listen on {self._config.endpoint}: {error}") from None

    async def stop(self, grace_seconds: float) -> None:
        """Stop accepting, finish what is under way, close."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace_seconds)

    def _bind(self, tls: ServerTls | None) -> int:
        endpoint = self._config.endpoint
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host or "[::]"
        address = f"unix:{endpoint.socket}" if endpoint.socket else f"{host}:{endpoint.port}"
        if tls is None:
            return int(self._server.add_insecure_port(address))
        return int(self._server.add_secure_port(address, tls.grpc_credentials()))


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Handlers by method name; grpc answers UNIMPLEMENTED to any other."""

    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def service(self, details: Any) -> Any:
        return self._handlers.get(details.method)


def _methods(reception: Reception, check: SenderCheck) -> _Methods:
    return _Methods(
        {
            SERVICES[signal].method: grpc.stream_unary_rpc_method_handler(_export(signal, reception, check))
            for signal in Signal
        }
    )


def _export(signal: Signal, reception: Reception, check: SenderCheck) -> Export:
    """The handler of one method. To grpc it takes a stream, which on the wire is the same: only then is the message
    not read before there is room for it.
    """
    sizes = MessageSizes()

    async def read(sender: str, context: Any, held: Held) -> bytes:
        try:
            held.add(sizes.expected(sender))
        except Busy as error:
            raise answers.busy(error) from None
        message = await context.read()
        payload = b"" if message is grpc.aio.EOF else bytes(message)
        held.shrink_to(len(payload))
        sizes.arrived(sender, len(payload))
        return payload

    async def export(_messages: Any, context: Any, name: str = "") -> bytes:
        peer = context.peer()
        if not peer:
            # The call is over and nobody hears the answer. Taken as somebody else's, its bytes would be stored again
            # when they are sent again.
            raise asyncio.CancelledError
        try:
            sender = check.sender(name, _address(peer))
            with reception.admission.hold(sender.name) as held:
                payload = await read(sender.name, context, held)
                outcome = await reception.take(signal, payload, sender, held)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the sender gets an answer
            _answer_error(reception, context, error, signal)
            return b""
        return responses.success(signal, outcome, Encoding.PROTOBUF)

    return export


def _address(peer: str) -> str:
    """The address in grpc's name of a peer (`ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`, `unix:`)."""
    family, _, address = peer.partition(":")
    return unquote(address).rpartition(":")[0].strip("[]") if family.startswith("ip") else family


def _answer_error(reception: Reception, context: Any, error: Exception, signal: Signal | None = None) -> None:
    _refuse(context, reception.refusal(error, _address(context.peer())), signal)


def _refuse(context: Any, refusal: Refusal, signal: Signal | None) -> None:
    message = refusal.message[:_MAX_MESSAGE_CHARACTERS]
    trailers: list[tuple[str, bytes]] = []
    if refusal.retry_after is not None:
        trailers.append((_RETRY_TRAILER, responses.retry_info(refusal.retry_after)))
    if signal is not None and refusal.grpc_code == code_pb2.INVALID_ARGUMENT:
        details = responses.bad_request(refusal.grpc_code, message, SERVICES[signal].resources)
    else:
        details = responses.status(refusal.grpc_code, message, refusal.retry_after, Encoding.PROTOBUF)
    trailers.append((_STATUS_TRAILER, details))
    context.set_code(_CODES[refusal.grpc_code])
    context.set_details(message)
    context.set_trailing_metadata(tuple(trailers))


def _options(config: GrpcListener) -> list[tuple[str, int]]:
    parameters, enforcement = config.keepalive.server_parameters, config.keepalive.enforcement_policy
    options = {
        "grpc.max_receive_message_length": config.max_recv_msg_size_mib * 1024 * 1024,
        "grpc.max_metadata_size": config.max_header_bytes,
        "grpc.absolute_max_metadata_size": config.max_header_bytes,
        "grpc.max_allowed_incoming_connections": config.max_connections,
        "grpc.server_handshake_timeout_ms": _HANDSHAKE_MILLISECONDS,
        "grpc.so_reuseport": 0,
        "grpc.keepalive_time_ms": _milliseconds(parameters.time),
        "grpc.keepalive_timeout_ms": _milliseconds(parameters.timeout),
        "grpc.max_connection_idle_ms": _milliseconds(parameters.max_connection_idle),
        "grpc.max_connection_age_ms": _milliseconds(parameters.max_connection_age),
        "grpc.max_connection_age_grace_ms": _milliseconds(parameters.max_connection_age_grace),
        "grpc.http2.min_ping_interval_without_data_ms": _milliseconds(enforcement.min_time),
        "grpc.keepalive_permit_without_calls": int(enforcement.permit_without_stream),
    }
    if config.max_concurrent_streams:
        options["grpc.max_concurrent_streams"] = config.max_concurrent_streams
    return list(options.items())


def _milliseconds(seconds: float) -> int:
    """In grpc's terms, where the largest number stands for never; in the configuration it is 0."""
    return min(_NEVER_MILLISECONDS, round(seconds * 1000)) if seconds else _NEVER_MILLISECONDS
