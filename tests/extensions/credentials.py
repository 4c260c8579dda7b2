"""Starting authenticators and asking them."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from spanmill.component import Settings
from spanmill.names import ComponentId, Kind
from spanmill.net.authentication import HeaderValues, Unauthenticated
from spanmill.registry import built_type
from spanmill.telemetry.metrics import Metrics
from tests.exporters.hosts import NO_HOST
from tests.logs import CapturedLog


@asynccontextmanager
async def authenticator(kind: str, body: Mapping[str, Any], log: CapturedLog | None = None) -> AsyncIterator[Any]:
    """A started extension, which looks at its files every time it is asked."""
    known = built_type(Kind.EXTENSIONS, kind)
    settings = Settings(Kind.EXTENSIONS, ComponentId(kind), log or CapturedLog(), Metrics())
    extension = known.load_factory()(known.load_config().model_validate(body), settings, check_seconds=0.0)
    try:
        await extension.start(NO_HOST)
        yield extension
    finally:
        await extension.stop()


def headers(**fields: str) -> HeaderValues:
    """Header fields of a request, by their names with `_` for `-`."""
    given = {name.replace("_", "-").lower(): [value] for name, value in fields.items()}
    return lambda name: given.get(name, [])


async def reason(extension: Any, **fields: str) -> str:
    """Why a request with these header fields is not let in; empty when it is."""
    try:
        await extension.authenticate(headers(**fields))
    except Unauthenticated as error:
        return error.reason
    return ""


def basic(user: str, password: str) -> str:
    """The value of `Authorization`."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
