"""Health over real sockets, told by a host whose state the test sets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from spanmill.admission import Admission
from spanmill.component import Intake, Settings, Status
from spanmill.errors import StartError
from spanmill.extensions.health_check.config import HealthCheckExtensionConfig
from spanmill.extensions.health_check.extension import HealthCheckExtension
from spanmill.names import ComponentId, Kind
from spanmill.signal import Signal
from spanmill.telemetry.logs import component_log
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.pages import Pages
from spanmill.utilization import Utilization


class StatedHost:
    """A host with the status it was given."""

    def __init__(self, status: Status) -> None:
        self.admission = Admission(1)
        self.utilization = Utilization()
        self.pages = Pages()
        self.stated = status

    def intake(self, signal: Signal) -> Intake | None:
        return None

    def report_fatal(self, error: BaseException) -> None:
        raise error

    def status(self) -> Status:
        return self.stated

    def extension(self, component: ComponentId) -> Any:
        raise KeyError(component)


READY = Status(True, (), 12.5, {"exporters/parquet": "ok"})
NOT_READY = Status(False, ("parquet has failed for 30s: disk full",), 12.5, {"exporters/parquet": "failing: disk full"})
Start = Callable[..., Awaitable[str]]


@pytest.fixture
def host() -> StatedHost:
    return StatedHost(READY)


def build(**config: Any) -> HealthCheckExtension:
    model = HealthCheckExtensionConfig.model_validate({"endpoint": "127.0.0.1:0", **config})
    settings = Settings(Kind.EXTENSIONS, ComponentId("health_check"), component_log("test", "test"), Metrics())
    return HealthCheckExtension(model, settings)


@pytest_asyncio.fixture
async def start(host: StatedHost) -> AsyncIterator[Start]:
    started: list[HealthCheckExtension] = []

    async def start(**config: Any) -> str:
        extension = build(**config)
        started.append(extension)
        await extension.start(host)
        return f"http://127.0.0.1:{extension.port}"

    yield start
    for extension in started:
        await extension.stop()
        await extension.stop()


async def get(url: str, method: str = "GET") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url) as response:
        text = await response.text()
        return response.status, await response.json() if text.startswith("{") else text


async def test_readiness_follows_the_daemon(start: Start, host: StatedHost) -> None:
    url = await start()
    code, report = await get(url)
    assert (code, report["status"], report["uptime"]) == (200, "Server available", "12s500ms")
    assert report["components"] == {"exporters/parquet": "ok"}
    host.stated = NOT_READY
    for path in ("/", "/readyz"):
        code, report = await get(url + path)
        assert (code, report["status"]) == (503, "Server not available")
        assert report["reasons"] == ["parquet has failed for 30s: disk full"]


async def test_liveness_does_not_depend_on_readiness(start: Start, host: StatedHost) -> None:
    host.stated = NOT_READY
    assert (await get(await start() + "/livez"))[0] == 200


async def test_the_path_can_be_chosen_and_others_are_not_found(start: Start) -> None:
    url = await start(path="/health/status")
    assert (await get(f"{url}/health/status"))[0] == 200
    assert (await get(f"{url}/health/status", "HEAD"))[0] == 200
    assert (await get(f"{url}/health/status", "POST"))[0] == 405
    assert (await get(url))[0] == 404
    assert (await get(f"{url}/readyz"))[0] == 200


async def test_the_body_can_be_replaced_but_not_the_code(start: Start, host: StatedHost) -> None:
    url = await start(response_body="fine")
    assert await get(url) == (200, "fine")
    host.stated = NOT_READY
    assert await get(url) == (503, "fine")


async def test_an_address_in_use_names_the_extension(start: Start, host: StatedHost) -> None:
    url = await start()
    with pytest.raises(StartError, match=r"^extensions.health_check: cannot start: cannot listen on"):
        await build(endpoint=url.removeprefix("http://")).start(host)


async def test_stop_is_safe_without_start() -> None:
    await build().stop()
