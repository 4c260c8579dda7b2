"""The otlp_grpc exporter: OTLP/gRPC to one server (OTLP specification, "OTLP/gRPC").

The channel is grpc's threaded one: its asyncio channel compresses on the event loop, which stops everything else for
some 10 ms per megabyte. Here a worker thread hands the request over, and waiting for the answer costs no thread.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from spanmill import __version__
from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.errors import Busy, Rejected, StartError
from spanmill.exporters.forwarding import (
    MAX_RESPONSE_BYTES,
    Conceal,
    Refused,
    TooLarge,
    forward,
    partial_success,
    preference,
    retry_delay,
    shortened,
    status_of,
)
from spanmill.exporters.otlp_grpc.config import OtlpGrpcExporterConfig
from spanmill.exporters.request_headers import RequestHeaders
from spanmill.net.tls import ClientTls
from spanmill.otlp.messages import SERVICES
from spanmill.signal import Signal

_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The specification's table of codes; RESOURCE_EXHAUSTED is retryable only with a RetryInfo."""
_ABOUT_SIZE: Final = re.compile(r"larger|too (large|big)|\bsize\b", re.IGNORECASE)
"""How grpc-go, grpc-java and gRPC's C core word a RESOURCE_EXHAUSTED that a smaller request would not meet."""
_COMPRESSION: Final = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}
_MAX_RECONNECT_MS: Final = 10_000
"""gRPC's own pause between connections grows to two minutes; a server that is back is to be found sooner."""


class OtlpGrpcExporter:
    """Forwards every batch as `Export` calls of the signal's OTLP service."""

    def __init__(self, config: OtlpGrpcExporterConfig, settings: Settings) -> None:
        self._config = config
        self._name = f"{settings.kind.singular} {settings.id}"
        self._log = settings.log
        self._headers: RequestHeaders | None = None
        self._tls: ClientTls | None = None
        self._channel: Any = None
        self._calls: dict[Signal, Any] = {}

    def preference(self, signal: Signal) -> BatchPreference:
        return preference(self._config)

    async def start(self, host: Host) -> None:
        self._headers = RequestHeaders(self._config, host)
        if not self._config.plaintext:
            try:
                self._tls = await asyncio.to_thread(ClientTls, self._config.tls)
            except OSError as error:
                raise StartError(self._name, str(error)) from None
        self._connect()

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        if self._tls is not None and await asyncio.to_thread(self._tls.renewed):
            old = self._channel
            self._connect()
            await asyncio.to_thread(old.close)
        signal = batch.signal
        await forward(batch, lambda payload: self._send(signal, payload))

    async def stop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await asyncio.to_thread(channel.close)

    def _connect(self) -> None:
        """A channel connects when it is first used."""
        target, options = self._config.target, _channel_options(self._config)
        compression = _COMPRESSION[self._config.compression]
        if self._tls is None:
            self._channel = grpc.insecure_channel(target, options, compression)
        else:
            self._channel = grpc.secure_channel(target, self._tls.grpc_credentials(), options, compression)
        self._calls = {signal: self._channel.unary_unary(service.method) for signal, service in SERVICES.items()}

    async def _send(self, signal: Signal, payload: bytes) -> Refused:
        assert self._headers is not None, "not started"
        conceal = self._headers.conceal
        call = await asyncio.to_thread(
            self._calls[signal].future,
            payload,
            timeout=self._config.timeout or None,
            metadata=tuple((name.lower(), value) for name, value in self._headers.fields().items()),
            wait_for_ready=self._config.wait_for_ready,
        )
        try:
            await _finished(call)
        finally:
            call.cancel()  # does nothing to a call that is over
        if call.code() is not grpc.StatusCode.OK:
            raise _failure(call, conceal)
        try:
            refused = partial_success(signal, SERVICES[signal].response.FromString(call.result()), conceal)
        except DecodeError:
            self._log.warning("the peer accepted a request with an answer that is not OTLP")
            return Refused()
        if refused.reason and not refused.items:
            self._log.warning("the peer accepted a request and warns", reason=refused.reason)
        return refused


async def _finished(call: Any) -> None:
    loop = asyncio.get_running_loop()
    finished = loop.create_future()

    def finish() -> None:
        if not finished.done():
            finished.set_result(None)

    def wake(_: Any) -> None:
        _call_soon(loop, finish)

    call.add_done_callback(wake)
    await finished


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """From gRPC's thread; by the time a cancelled call ends, the loop may be gone."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)


def _failure(call: Any, conceal: Conceal) -> Exception:
    """What a call that was not OK means to the one who holds the data."""
    code, details = call.code(), shortened(conceal(call.details() or ""))
    reason = f"{code.name}: {details}" if details else str(code.name)
    serialized = dict(call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_of(serialized)
    delay = retry_delay(status) if status is not None else None
    if code in _RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is not None):
        return Busy(reason, delay or 0.0)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _ABOUT_SIZE.search(details):
        return TooLarge(reason)
    return Rejected(reason)


def _channel_options(config: OtlpGrpcExporterConfig) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", f"spanmill/{__version__}"),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_MS),
        ("grpc.lb_policy_name", config.balancer_name),
        ("grpc.use_local_subchannel_pool", 1),  # exporters of one peer have connections of their own
    ]
    if config.authority is not None:
        options.append(("grpc.default_authority", config.authority))
    if config.tls.server_name_override is not None:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name_override))
    if config.keepalive is not None:
        options += [
            ("grpc.keepalive_time_ms", round(config.keepalive.time * 1000)),
            ("grpc.keepalive_timeout_ms", round(config.keepalive.timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", int(config.keepalive.permit_without_stream)),
        ]
    return options
