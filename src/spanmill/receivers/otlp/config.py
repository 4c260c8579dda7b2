"""Configuration of the OTLP receiver."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.authentication import ServerAuth
from spanmill.config.base import Model, warn
from spanmill.config.blocks import Cors, KeepaliveServer, TlsServer
from spanmill.config.values import Duration, Endpoint, Flag, Positive, Whole, invalid

_MIB = 1024 * 1024


class Listener(Model):
    """What both protocols have: where to listen and how much to put up with from a sender."""

    unsupported: ClassVar = {"middlewares": "not supported"}

    transport: Literal["tcp", "tcp4", "tcp6", "unix"] = "tcp"
    """`unix`: the endpoint is the path of a socket. An endpoint that begins with `unix://` says the same."""
    tls: TlsServer | None = None
    """TLS of the listener. None: plain text."""
    auth: ServerAuth | None = None
    """Whom to let in. None: everyone."""
    include_metadata: Flag = False
    """Accepted for the Collector's sake: request headers are not passed on to processors."""
    max_decoded_items: Positive = 200_000
    """Most spans, log records or metric points in one request; more is refused before they are decoded."""
    max_header_bytes: Positive = 16 * 1024
    """Most bytes of header fields in one request."""
    max_connections: Positive = 4096
    """Most open connections; further ones wait to be accepted."""

    @model_validator(mode="before")
    @classmethod
    def endpoint_of_transport(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("transport") != "unix":
            return data
        endpoint = data.get("endpoint")
        if endpoint is None:
            raise invalid(
                "`transport: unix` without a socket", "`endpoint` with the path of the socket", key="transport"
            )
        if isinstance(endpoint, str) and not endpoint.startswith("unix:"):
            return {**data, "endpoint": f"unix://{endpoint}"}
        return data


class GrpcListener(Listener):
    """OTLP over gRPC."""

    endpoint: Endpoint = Endpoint("localhost", 4317)
    """Where to listen: `host:port`, `:port` for every interface, or `unix:///path`."""
    max_recv_msg_size_mib: Positive = 64
    """Largest request, decompressed, in MiB. (The Collector: 4.)"""
    max_concurrent_streams: Whole = 0
    """Most requests under way on one connection; 0: no limit."""
    read_buffer_size: Whole = 524288
    """Accepted for the Collector's sake, in bytes."""
    write_buffer_size: Whole = 0
    """Accepted for the Collector's sake, in bytes."""
    keepalive: KeepaliveServer = KeepaliveServer()
    """How connections are kept alive and let go."""

    @model_validator(mode="after")
    def versions_of_grpc(self) -> Self:
        if self.tls and self.tls.min_version != "1.2":
            raise invalid("gRPC always offers TLS 1.2 and 1.3", "1.2", key="tls.min_version")
        if self.tls and self.tls.max_version not in (None, "1.3"):
            raise invalid("gRPC always offers TLS 1.2 and 1.3", "1.3", key="tls.max_version")
        return self


class HttpListener(Listener):
    """OTLP over HTTP, protobuf and JSON on the same port."""

    also_accepted: ClassVar = {
        "cors_allowed_origins": "retired; write `cors.allowed_origins`",
        "cors_allowed_headers": "retired; write `cors.allowed_headers`",
    }

    endpoint: Endpoint = Endpoint("localhost", 4318)
    """Where to listen: `host:port`, `:port` for every interface, or `unix:///path`."""
    traces_url_path: str = Field(default="/v1/traces", pattern="^/")
    """Path of requests with spans."""
    metrics_url_path: str = Field(default="/v1/metrics", pattern="^/")
    """Path of requests with metrics."""
    logs_url_path: str = Field(default="/v1/logs", pattern="^/")
    """Path of requests with log records."""
    feedback_url_path: str = Field(default="/v1/feedback", pattern="^/")
    """Path of people's feedback on LLM calls, as JSON; it becomes log records. Not in the Collector."""
    max_request_body_size: Positive = 64 * _MIB
    """Largest body in bytes, before and after decompression. (The Collector: 20971520.)"""
    compression_algorithms: tuple[Literal["", "gzip", "deflate", "zlib", "zstd"], ...] = (
        "",
        "gzip",
        "deflate",
        "zlib",
        "zstd",
    )
    """Content encodings that are accepted; the empty text stands for none."""
    cors: Cors | None = None
    """Which web pages may send straight from a browser. None: none."""
    response_headers: dict[str, str] = Field(default_factory=dict)
    """Header fields added to every answer."""
    keep_alives_enabled: Flag = True
    """Let a connection serve more than one request."""
    read_header_timeout: Duration = 10.0
    """How long a sender may take for the header; 0: as long as it likes."""
    read_timeout: Duration = 30.0
    """How long a sender may take for the body; 0: as long as it likes."""
    min_rate: Whole = 1024
    """Slowest body that is put up with, in bytes per second over any 5 seconds; 0: any."""
    write_timeout: Duration = 30.0
    """How long a sender may take to read the answer; 0: as long as it likes."""
    idle_timeout: Duration = 60.0
    """Close a connection without a request after so long; 0: never."""

    @model_validator(mode="after")
    def paths_are_distinct(self) -> Self:
        keys = ("traces_url_path", "metrics_url_path", "logs_url_path", "feedback_url_path")
        taken: dict[str, str] = {}
        for key in keys:
            path = getattr(self, key)
            if path in taken:
                raise invalid(
                    f"{path} is the path of two things", f"another path than that of `{taken[path]}`", key=key
                )
            taken[path] = key
        return self

    @model_validator(mode="before")
    @classmethod
    def retired_cors_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("cors") or {}, dict):
            return data
        data, cors = dict(data), dict(data.get("cors") or {})
        for old, new in (("cors_allowed_origins", "allowed_origins"), ("cors_allowed_headers", "allowed_headers")):
            if old in data:
                cors.setdefault(new, data.pop(old) or [])
                data["cors"] = cors
                warn(info, f"protocols.http.{old}", f"`{old}` is retired; write `cors.{new}`")
        return data


class Protocols(Model):
    """The protocols to listen for; one that is not named is off, a bare `grpc:` or `http:` is on at its defaults."""

    on_when_null: ClassVar = frozenset({"grpc", "http"})

    grpc: GrpcListener | None = None
    """OTLP over gRPC. Not named: off."""
    http: HttpListener | None = None
    """OTLP over HTTP. Not named: off."""

    @model_validator(mode="before")
    @classmethod
    def both_when_empty(cls, data: Any) -> Any:
        return data or {"grpc": {}, "http": {}}


class OtlpReceiverConfig(Model):
    """Receives OTLP over gRPC and HTTP. A bare `otlp:` listens for both on localhost."""

    protocols: Protocols = Protocols(grpc=GrpcListener(), http=HttpListener())
    """The protocols to listen for. Nothing written: both, at their defaults."""
