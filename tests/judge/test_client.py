"""The client of a model's server: what is sent, what is read, and what every kind of failure becomes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from spanmill.judge.client import Client
from spanmill.judge.model import Failed, Throttled
from spanmill.judge.model_config import ModelConfig
from tests.judge.model_server import ModelServer, model_server, refusal
from tests.logs import CapturedLog

MESSAGES = [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Is it good?"}]
SCHEMA = {
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "score": {"type": "number"}},
    "required": ["reasoning", "score"],
    "additionalProperties": False,
}


@asynccontextmanager
async def client_of(server: ModelServer, **written: Any) -> AsyncIterator[Client]:
    body = {"model": "gpt-4o-mini", "base_url": server.url, "api_key": "sk-hush", **written}
    client = Client(ModelConfig.model_validate(body), CapturedLog())
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def test_an_openai_server_is_asked_for_json_of_the_schema_and_its_answer_read() -> None:
    async with model_server() as server, client_of(server, headers={"X-Tenant": "acme"}) as client:
        reply = await client.ask(MESSAGES, SCHEMA, "00-" + "1" * 32 + "-" + "2" * 16 + "-01")
        request = server.requests[0]
        assert server.paths == ["/v1/chat/completions"]
        assert server.headers[0]["Authorization"] == "Bearer sk-hush"
        assert server.headers[0]["X-Tenant"] == "acme"
        assert server.headers[0]["traceparent"].startswith("00-1111")
        assert request["messages"] == MESSAGES
        assert request["response_format"]["json_schema"]["schema"] == SCHEMA
        assert request["response_format"]["json_schema"]["strict"] is True
        assert (request["max_tokens"], request["temperature"]) == (1024, 0.0)
        assert reply.text == '{"reasoning": "it is fine", "score": 4}'
        assert (reply.input_tokens, reply.output_tokens) == (100, 20)
        assert reply.model == "gpt-4o-mini-2025"
        # 100 tokens at 0.15 and 20 at 0.60 USD per million
        assert reply.cost_nano_usd == 27_000


async def test_an_anthropic_server_is_made_to_call_a_tool_whose_input_is_the_answer() -> None:
    async with model_server() as server, client_of(server, api="anthropic", model="claude-x") as client:
        reply = await client.ask(MESSAGES, SCHEMA)
        request = server.requests[0]
        assert server.paths == ["/v1/messages"]
        assert server.headers[0]["x-api-key"] == "sk-hush"
        assert server.headers[0]["anthropic-version"]
        assert request["system"] == "You judge."
        assert [message["role"] for message in request["messages"]] == ["user"]
        assert request["tools"][0]["input_schema"] == SCHEMA
        assert '"score":4' in reply.text
        assert (reply.finish_reason, reply.cost_nano_usd) == ("stop", None)


async def test_a_base_url_without_the_version_is_understood_for_anthropic() -> None:
    async with model_server() as server:
        server.url = server.url.removesuffix("/v1")
        async with client_of(server, api="anthropic") as client:
            await client.ask(MESSAGES, SCHEMA)
        assert server.paths == ["/v1/messages"]


async def test_a_server_that_refuses_keys_is_asked_without_them_from_then_on() -> None:
    refusals = [
        refusal("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
        refusal("response_format is not supported"),
        refusal("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        refusal("Unsupported value: 'temperature' does not support 0 with this model."),
    ]
    async with model_server(answers=list(refusals)) as server, client_of(server) as client:
        await client.ask(MESSAGES, SCHEMA)
        await client.ask(MESSAGES, SCHEMA)
        assert len(server.requests) == 6
        last = server.requests[-1]
        assert "response_format" not in last
        assert "temperature" not in last
        assert last["max_completion_tokens"] == 1024
        assert '"additionalProperties":false' in last["messages"][0]["content"]
        assert server.requests[1]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("status", "transient", "code"),
    [(500, True, "500"), (503, True, "503"), (529, True, "529"), (401, True, "401"), (404, True, "404"),
     (400, False, "400"), (413, False, "413"), (302, False, "302")],
)  # fmt: skip
async def test_what_the_server_answers_says_whether_asking_again_has_a_point(
    status: int, transient: bool, code: str
) -> None:
    async with model_server(always=status) as server, client_of(server) as client:
        with pytest.raises(Failed) as caught:
            await client.ask(MESSAGES, SCHEMA)
    assert (caught.value.transient, caught.value.code, caught.value.in_doubt) == (transient, code, False)
    assert "secret words" not in str(caught.value)


async def test_a_server_that_asks_for_fewer_requests_says_for_how_long() -> None:
    async with model_server(always=429, answer_headers={"Retry-After": "7"}) as server, client_of(server) as client:
        with pytest.raises(Throttled) as caught:
            await client.ask(MESSAGES, SCHEMA)
    assert caught.value.retry_after == 7


async def test_an_account_without_money_is_no_matter_of_pace() -> None:
    answer = refusal("You exceeded your current quota", 429, code="insufficient_quota")
    async with model_server(always=answer) as server, client_of(server) as client:
        with pytest.raises(Failed, match="insufficient_quota") as caught:
            await client.ask(MESSAGES, SCHEMA)
    assert caught.value.transient


async def test_no_answer_in_time_leaves_in_doubt_what_was_spent() -> None:
    async with model_server() as server, client_of(server, timeout="50ms") as client:
        server.gate.clear()
        with pytest.raises(Failed, match=r"did not answer within 0\.05 s") as caught:
            await client.ask(MESSAGES, SCHEMA)
        assert (caught.value.code, caught.value.in_doubt, caught.value.transient) == ("timeout", True, True)


async def test_nobody_at_the_address_spends_nothing() -> None:
    async with model_server() as server:
        pass
    async with client_of(server) as client:
        with pytest.raises(Failed) as caught:
            await client.ask(MESSAGES, SCHEMA)
    assert (caught.value.code, caught.value.in_doubt, caught.value.transient) == ("connection", False, True)


@pytest.mark.parametrize("text", ["<html>Welcome</html>", "{}", '{"choices": []}', "[1]", '{"choices": [{}]}', "null"])
async def test_a_body_that_is_no_answer_is_a_failure_and_not_a_verdict(text: str) -> None:
    def answer(_: Any) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    async with model_server(always=answer) as server, client_of(server) as client:
        with pytest.raises(Failed, match="base_url") as caught:
            await client.ask(MESSAGES, SCHEMA)
    assert caught.value.code == "nonsense"


async def test_tokens_that_are_not_reported_are_estimated() -> None:
    async with model_server(usage=None) as server, client_of(server) as client:
        reply = await client.ask(MESSAGES, SCHEMA)
        assert 20 < reply.input_tokens < 100
        assert 5 < reply.output_tokens < 20
        assert reply.cost_nano_usd


async def test_nothing_goes_through_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with model_server() as server, client_of(server) as client:
        assert (await client.ask(MESSAGES, SCHEMA)).text


def test_the_key_shows_nowhere() -> None:
    config = ModelConfig.model_validate({"model": "m", "api_key": "sk-hush", "headers": {"X-A": "sk-hush"}})
    assert "hush" not in repr(config) + config.model_dump_json()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "model"),
        ({"model": " "}, "no model is named"),
        ({"model": "m"}, "wants a key"),
        ({"model": "m", "api_key": ""}, "the key is empty"),
        ({"model": "m", "base_url": "localhost:8000/v1"}, "has no scheme"),
        ({"model": "m", "base_url": "http://x/v1/chat/completions"}, "is added to the URL"),
        ({"model": "m", "base_url": "http://x/v1", "headers": {"a b": "c"}}, "not the name of a header field"),
        ({"model": "m", "base_url": "http://x/v1", "prices": {"input": 1}}, "a price is missing"),
        ({"model": "m", "base_url": "http://x/v1", "api": "opnai"}, "openai"),
    ],
)
def test_a_mistake_in_the_model_gets_an_answer(written: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ModelConfig.model_validate(written)
