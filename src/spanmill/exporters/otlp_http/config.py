"""Configuration of the otlp_http exporter."""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from spanmill.config.forwarding import ForwardingConfig
from spanmill.config.values import Duration, Flag, Whole, invalid
from spanmill.signal import Signal


class OtlpHttpExporterConfig(ForwardingConfig):
    """Forwards over OTLP/HTTP."""

    endpoint: str | None = None
    """The server's base URL, such as `https://example.com:4318`; `/v1/traces` and its siblings are added."""
    traces_endpoint: str | None = None
    """Full URL for spans, instead of `endpoint`."""
    metrics_endpoint: str | None = None
    """Full URL for metrics, instead of `endpoint`."""
    logs_endpoint: str | None = None
    """Full URL for log records, instead of `endpoint`."""
    encoding: Literal["proto", "json"] = "proto"
    """Protobuf or JSON."""
    timeout: Duration = 30.0
    """How long one request may take."""
    proxy_url: str | None = None
    """An HTTP proxy to go through. None: none."""
    max_idle_conns: Whole = 100
    """Most idle connections that are kept."""
    idle_conn_timeout: Duration = 90.0
    """Close an idle connection after so long; 0: never."""
    disable_keep_alives: Flag = False
    """Open a new connection for each request."""

    @field_validator("endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint", "proxy_url")
    @classmethod
    def is_url(cls, value: Any) -> Any:
        if value is None:
            return value
        expected = "a URL such as http://localhost:4318"
        if not value.startswith(("http://", "https://")):
            raise invalid("the URL has no scheme", expected, f"Write http://{value} or https://{value}.")
        try:
            host, _ = urlsplit(value).hostname, urlsplit(value).port
        except ValueError:
            raise invalid("not a URL", expected) from None
        if not host or any(character.isspace() or character in "<>{}" for character in value):
            raise invalid("not a URL", expected)
        return value

    @model_validator(mode="after")
    def goes_somewhere(self) -> Self:
        if not any((self.endpoint, self.traces_endpoint, self.metrics_endpoint, self.logs_endpoint)):
            raise invalid("there is no endpoint", "`endpoint`, or one for each signal such as `traces_endpoint`")
        if self.user_in_url and any(name.lower() == "authorization" for name in self.headers):
            raise invalid("`headers` has authorization, and a URL has a user", "one of them", key="headers")
        return self

    @property
    def user_in_url(self) -> bool:
        """Whether a URL has a user and password in it; they are sent as basic authentication."""
        urls = (self.endpoint, self.traces_endpoint, self.metrics_endpoint, self.logs_endpoint)
        return any(url is not None and "@" in urlsplit(url).netloc for url in urls)

    def url(self, signal: Signal) -> str | None:
        """Where to post a signal; None when neither its own endpoint nor the base one is given."""
        own: str | None = getattr(self, f"{signal.value}_endpoint")
        if own or self.endpoint is None:
            return own
        return f"{self.endpoint.rstrip('/')}/v1/{signal.value}"
