"""Configuration of the health_check extension."""

from typing import ClassVar

from pydantic import Field

from spanmill.config.base import Model
from spanmill.config.blocks import NO_AUTH, TlsServer
from spanmill.config.values import Endpoint


class HealthCheckExtensionConfig(Model):
    """Answers 200 while the daemon is ready to take data and gets it out, and 503 with the reasons while not."""

    unsupported: ClassVar = {
        "auth": NO_AUTH,
        "check_collector_pipeline": "not needed: readiness always looks at what exporters get out",
    }

    endpoint: Endpoint = Endpoint("localhost", 13133)
    """Where to listen."""
    path: str = Field(default="/", pattern="^/")
    """The path of the readiness answer. `/readyz` is another name of it; `/livez` answers 200 while the daemon runs."""
    response_body: str | None = None
    """Text to answer instead of the JSON report. The status code says the same as ever."""
    tls: TlsServer | None = None
    """TLS of the listener. None: plain HTTP."""
