"""Browsers: preflight requests and the headers of answers."""

from typing import Any

import aiohttp
import pytest

from spanmill.signal import Signal
from tests.otlp_samples import traces
from tests.receivers.otlp.receiving import PROTOBUF, Reply, Running, running

_CORS = {
    "allowed_origins": ["https://app.example.com", "https://*.example.org"],
    "allowed_headers": ["X-Tenant"],
    "exposed_headers": ["X-Served-By"],
    "max_age": 600,
}


async def _preflight(it: Running, origin: str, headers: str = "content-type", method: str = "POST") -> Reply:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    async with aiohttp.ClientSession() as session, session.options(it.url + "/v1/traces", headers=asked) as response:
        return Reply(response.status, await response.read(), dict(response.headers))


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://eu.example.org", "https://APP.example.com"])
async def test_a_page_of_an_allowed_origin_may_send(origin: str) -> None:
    async with running(http={"cors": _CORS}) as it:
        reply = await _preflight(it, origin, "content-type, x-tenant")
        assert reply.status == 204
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert reply.headers["Access-Control-Allow-Methods"] == "POST"
        assert reply.headers["Access-Control-Allow-Headers"] == "content-type, x-tenant"
        assert reply.headers["Access-Control-Max-Age"] == "600"
        sent = await it.post("/v1/traces", traces(), **PROTOBUF, Origin=origin)
        assert sent.headers["Access-Control-Allow-Origin"] == origin
        assert sent.headers["Access-Control-Expose-Headers"] == "X-Served-By"
        assert "Origin" in sent.headers["Vary"]


@pytest.mark.parametrize(
    ("origin", "asked"),
    [
        ("https://evil.example.com", {}),
        ("https://app.example.com.evil.test", {}),
        ("https://appXexample.com", {}),
        ("https://app.example.com", {"headers": "x-other"}),
        ("https://app.example.com", {"method": "DELETE"}),
    ],
)
async def test_any_other_page_may_not(origin: str, asked: dict[str, Any]) -> None:
    async with running(http={"cors": _CORS}) as it:
        reply = await _preflight(it, origin, **asked)
        assert reply.status == 403
        assert "Access-Control-Allow-Methods" not in reply.headers
        assert it.bad("cors") == 1


async def test_an_error_can_be_read_by_the_page_that_caused_it() -> None:
    async with running(http={"cors": _CORS}) as it:
        reply = await it.post("/v1/traces", b"\xff", **PROTOBUF, Origin="https://app.example.com")
        assert reply.status == 400
        assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


async def test_a_star_allows_every_page_but_no_cookies() -> None:
    async with running(http={"cors": {"allowed_origins": ["*"], "allowed_headers": ["*"]}}) as it:
        reply = await _preflight(it, "https://anything.test", "x-anything")
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_without_cors_a_preflight_is_a_wrong_method() -> None:
    async with running(http={}) as it:
        reply = await _preflight(it, "https://app.example.com")
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        sent = await it.post("/v1/traces", traces(), **PROTOBUF, Origin="https://app.example.com")
        assert "Access-Control-Allow-Origin" not in sent.headers
        assert len(it.kept(Signal.TRACES)) == 1
