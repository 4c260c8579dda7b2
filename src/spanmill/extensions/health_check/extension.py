"""Liveness and readiness over HTTP, for load balancers and Kubernetes.

Readiness is the daemon's own account of itself (`Host.status`); nothing is remembered here that could be out of date.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web

from spanmill.component import Host, Settings, Status
from spanmill.config.values import format_duration
from spanmill.extensions.health_check.config import HealthCheckExtensionConfig
from spanmill.telemetry.listener import Listener

LIVE: Final = "/livez"
READY: Final = "/readyz"


class HealthCheckExtension:
    """Answers GET and HEAD on `path`, `/readyz` and `/livez`; everything else is 404 or 405."""

    def __init__(self, config: HealthCheckExtensionConfig, settings: Settings) -> None:
        self._config = config
        self._owner = f"{settings.kind}.{settings.id}"
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._listener.endpoint.port if self._listener else 0

    async def start(self, host: Host) -> None:
        """Listen. Raises `StartError` when the address or the certificate cannot be used."""
        app = web.Application()
        for path in dict.fromkeys((self._config.path, READY)):
            app.router.add_get(path, partial(self._ready, host))
        if self._config.path != LIVE:
            app.router.add_get(LIVE, self._live)
        listener = Listener(self._owner, self._config.endpoint, app, self._config.tls)
        await listener.start()
        self._listener = listener

    async def stop(self) -> None:
        """Stop listening. Safe twice."""
        if self._listener is not None:
            await self._listener.stop()
            self._listener = None

    async def _ready(self, host: Host, _request: web.Request) -> web.Response:
        status = host.status()
        code = 200 if status.ready else 503
        if self._config.response_body is not None:
            return web.Response(status=code, text=self._config.response_body)
        return web.json_response(_report(status), status=code)

    async def _live(self, _request: web.Request) -> web.Response:
        """That this runs at all is the answer: the event loop turns."""
        return web.json_response({"status": "alive"})


def _report(status: Status) -> dict[str, object]:
    """The Collector's fields (`status`, `upSince`, `uptime`), then ours."""
    up_since = datetime.now(UTC) - timedelta(seconds=status.uptime_seconds)
    return {
        "status": "Server available" if status.ready else "Server not available",
        "upSince": up_since.isoformat(timespec="milliseconds"),
        "uptime": format_duration(round(status.uptime_seconds, 3)),
        "reasons": list(status.reasons),
        "components": dict(status.components),
    }
