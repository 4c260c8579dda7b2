"""Configuration of the otlp_grpc exporter."""

import re
from typing import Any, Self

from pydantic import field_validator, model_validator

from spanmill.config.authentication import is_header_value
from spanmill.config.blocks import KeepaliveClient
from spanmill.config.forwarding import ForwardingConfig
from spanmill.config.values import Duration, Flag, invalid

_EXPECTED = "host:port, with https:// for TLS or http:// for none in front if you like"
_RESOLVER = re.compile(r"^(dns|passthrough|unix|unix-abstract|xds|ipv4|ipv6):")


class OtlpGrpcExporterConfig(ForwardingConfig):
    """Forwards over OTLP/gRPC."""

    endpoint: str
    """The server: `host:port`. `http://` in front means without TLS, `https://` with; `unix:///path` a Unix socket."""
    timeout: Duration = 5.0
    """How long one request may take."""
    keepalive: KeepaliveClient | None = None
    """How the connection is kept alive. None: the library's way."""
    wait_for_ready: Flag = False
    """Wait for the connection instead of failing at once, within `timeout`."""
    balancer_name: str = "round_robin"
    """How requests are spread over the addresses of the host: `round_robin` or `pick_first`."""
    authority: str | None = None
    """The `:authority` header. None: the endpoint's host."""
    read_buffer_size: int = 32768
    """Accepted for the Collector's sake, in bytes."""
    write_buffer_size: int = 524288
    """Accepted for the Collector's sake, in bytes."""

    @field_validator("endpoint")
    @classmethod
    def has_port(cls, value: Any) -> Any:
        if _RESOLVER.match(value):
            return value
        address = value.removeprefix("http://").removeprefix("https://").rstrip("/")
        host, colon, port = address.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            raise invalid("the endpoint has no port", _EXPECTED)
        if not host or any(character.isspace() or character in "/<>{}" for character in host):
            raise invalid("not the name of a server", _EXPECTED)
        return value

    @model_validator(mode="after")
    def grpc_can_do_it(self) -> Self:
        if self.compression == "zstd":
            raise invalid("gRPC's Python library has no zstd", "gzip, deflate or none", key="compression")
        for name, value in self.headers.items():
            if value.reveal() and not is_header_value(value.reveal()):
                problem = f"the header field {name} holds what gRPC does not carry"
                raise invalid(problem, "printable ASCII without spaces at its ends", key="headers")
        tls = self.tls
        if tls.insecure_skip_verify:
            hint = "Name the server's certificate in `tls.ca_file`, and its host in `tls.server_name_override`."
            raise invalid("gRPC's Python library always checks the server", hint=hint, key="tls.insecure_skip_verify")
        if tls.min_version != "1.2" or tls.max_version is not None:
            key = "tls.min_version" if tls.min_version != "1.2" else "tls.max_version"
            problem = "gRPC's Python library chooses the TLS version itself (1.2 or newer)"
            raise invalid(problem, "no TLS version", key=key)
        if tls.include_system_ca_certs_pool and (tls.ca_file or tls.ca_pem):
            problem = "gRPC's Python library trusts either the system's certificates or the ones given"
            raise invalid(problem, "false", key="tls.include_system_ca_certs_pool")
        return self

    @property
    def target(self) -> str:
        """The endpoint as gRPC names it, without `http://` or `https://`."""
        return self.endpoint.removeprefix("http://").removeprefix("https://").rstrip("/")

    @property
    def plaintext(self) -> bool:
        """Whether to connect without TLS."""
        if self.endpoint.startswith("https://"):
            return False
        return self.tls.insecure or self.endpoint.startswith(("http://", "unix"))
