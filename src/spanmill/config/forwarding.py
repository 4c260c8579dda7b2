"""What the two OTLP exporters share: headers, time limit, retry and queue."""

from typing import Any, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spanmill.config.authentication import ClientAuth, is_header_name
from spanmill.config.base import Model, warn
from spanmill.config.blocks import Compression, RetryOnFailure, SendingQueue, TlsClient
from spanmill.config.problems import describe
from spanmill.config.values import Secret, invalid

_ONCE_BESIDE_TLS: Final = ("insecure", "ca_file", "cert_file", "key_file", "server_name_override")


class ForwardingConfig(Model):
    """The keys that both OTLP exporters have."""

    on_when_null: ClassVar = frozenset({"retry_on_failure", "sending_queue"})
    also_accepted: ClassVar = {key: f"retired; write `tls.{key}`" for key in _ONCE_BESIDE_TLS}
    unsupported: ClassVar = {
        "middlewares": "not supported",
    }

    tls: TlsClient = TlsClient()
    """TLS of the connection."""
    compression: Compression = "gzip"
    """How requests are compressed."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Header fields of every request. Their values are not shown in logs."""
    auth: ClientAuth | None = None
    """The credentials that are sent with every request. None: none but what `headers` has."""
    retry_on_failure: RetryOnFailure = RetryOnFailure()
    """How an export that failed for now is tried again."""
    sending_queue: SendingQueue = SendingQueue()
    """What waits for the exporter, and how it is gathered."""

    @field_validator("headers")
    @classmethod
    def sendable(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        for name, value in headers.items():
            if not is_header_name(name):
                raise invalid(f"{describe(name)} is not the name of a header field", "a name such as X-Tenant")
            if any(ord(character) < 32 or ord(character) == 127 for character in value.reveal()):
                raise invalid(f"the header field {name} holds a line break or another control character", "text")
        return headers

    @model_validator(mode="before")
    @classmethod
    def retired_tls_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        data, tls = dict(data), data.get("tls") or {}
        tls = dict(tls) if isinstance(tls, dict) else None
        for key in _ONCE_BESIDE_TLS:
            if tls is not None and key in data:
                tls.setdefault(key, data.pop(key))
                data["tls"] = tls
                warn(info, key, f"`{key}` at this level is retired; write `tls.{key}`")
        if data.get("compression") == "":
            data["compression"] = "none"
        return data
