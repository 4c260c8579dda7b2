"""A running receiver in front of an intake that keeps what it is handed."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc

from spanmill.admission import Admission
from spanmill.component import Intake, Outcome, Sender, Settings, Status
from spanmill.memory_guard import ShortOfMemory
from spanmill.names import ComponentId, Kind
from spanmill.otlp import codec
from spanmill.otlp.messages import SERVICES
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from spanmill.receivers.otlp.receiver import OtlpReceiver
from spanmill.signal import Signal
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from spanmill.utilization import Utilization
from tests.logs import CapturedLog

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
PATHS = {Signal.TRACES: "/v1/traces", Signal.METRICS: "/v1/metrics", Signal.LOGS: "/v1/logs"}


@dataclass
class KeepingIntake:
    """Decodes what it is handed, as the engine does, and keeps it."""

    signal: Signal
    payloads: list[bytes] = field(default_factory=list)
    transports: list[str] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    sent_as: list[bytes] = field(default_factory=list)
    answer: Outcome | Exception | None = None
    """What to say instead of taking everything."""

    async def submit(
        self, payload: bytes, transport: str, sender: Sender, weight: int = 0, *, sent_as: bytes = b""
    ) -> Outcome:
        if isinstance(self.answer, Exception):
            raise self.answer
        records = codec.decode(self.signal, [payload]).records
        self.payloads.append(payload)
        self.transports.append(transport)
        self.senders.append(sender)
        self.sent_as.append(sent_as)
        return self.answer or Outcome(records.num_rows)


class NoMemory:
    """Memory with no room for anything."""

    def room_bytes(self, lately: float) -> float:
        raise ShortOfMemory("memory is short")


class KeepingHost:
    """An engine with nothing behind its intakes."""

    def __init__(self, signals: tuple[Signal, ...] = tuple(Signal), max_bytes: int = 512 * 1024 * 1024) -> None:
        self.admission = Admission(max_bytes, retry_after=2.4)
        self.utilization = Utilization()
        self.pages = Pages()
        self.intakes = {signal: KeepingIntake(signal) for signal in signals}
        self.extensions: dict[ComponentId, Any] = {}

    def intake(self, signal: Signal) -> Intake | None:
        return self.intakes.get(signal)

    def report_fatal(self, error: BaseException) -> None:
        raise error

    def status(self) -> Status:
        return Status(ready=True)

    def extension(self, component: ComponentId) -> Any:
        return self.extensions[component]


@dataclass
class Running:
    """A receiver under test, with what it counted, logged and handed on."""

    receiver: OtlpReceiver
    host: KeepingHost
    metrics: Metrics
    logs: list[Any]

    @property
    def url(self) -> str:
        return f"http://{self.receiver.endpoints['http']}"

    @property
    def target(self) -> str:
        return str(self.receiver.endpoints["grpc"])

    @property
    def http_address(self) -> tuple[str, int]:
        return "127.0.0.1", self.receiver.endpoints["http"].port

    def kept(self, signal: Signal) -> list[bytes]:
        return self.host.intakes[signal].payloads

    def outcomes(self, outcome: str) -> float:
        return self.metrics.value("otelcol_receiver_requests", outcome=outcome)

    def bad(self, reason: str) -> float:
        return self.metrics.value("spanmill_receiver_bad_requests", reason=reason)

    async def post(self, path: str, body: Any = b"", **headers: str) -> "Reply":
        """POST to the receiver; header names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            body = io.BytesIO(body)  # aiohttp warns about large bytes
        skip = [] if "Content-Type" in named else ["Content-Type"]
        async with (
            aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=skip) as session,
            session.post(self.url + path, data=body, headers=named) as response,
        ):
            return Reply(response.status, await response.read(), dict(response.headers))

    async def export(self, signal: Signal, payload: bytes, **options: Any) -> bytes:
        """Call the signal's gRPC method with the bytes of a request."""
        async with grpc.aio.insecure_channel(self.target) as channel:
            return bytes(await channel.unary_unary(SERVICES[signal].method)(payload, **options))


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]


def configured(protocols: dict[str, Any]) -> OtlpReceiverConfig:
    """A configuration that listens on free ports."""
    bodies = {name: {"endpoint": "127.0.0.1:0", **(body or {})} for name, body in protocols.items()}
    return OtlpReceiverConfig.model_validate({"protocols": bodies})


@asynccontextmanager
async def running(
    host: KeepingHost | None = None, *, grpc: dict[str, Any] | None = None, http: dict[str, Any] | None = None
) -> AsyncIterator[Running]:
    """Start a receiver for the protocols that are given; for both when none is."""
    named = {name: body for name, body in (("grpc", grpc), ("http", http)) if body is not None}
    host, metrics, log = host or KeepingHost(), Metrics(), CapturedLog()
    settings = Settings(Kind.RECEIVERS, ComponentId("otlp", "test"), log, metrics)
    receiver = OtlpReceiver(configured(named or {"grpc": {}, "http": {}}), settings)
    await receiver.start(host)
    try:
        yield Running(receiver, host, metrics, log.entries)
    finally:
        await receiver.stop()
