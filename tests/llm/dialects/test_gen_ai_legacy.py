"""OpenTelemetry GenAI up to 1.36; what the captured requests lack."""

import json

import pytest

from tests.llm.dialects.reading import of_record, of_span, text
from tests.llm.rows import Value

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}
OPENAI_V2 = "opentelemetry.instrumentation.openai_v2"


def test_the_names_on_the_span_tell_the_generation_of_an_instrumentation_that_has_both() -> None:
    old = of_span(CHAT, scope=OPENAI_V2)
    new = of_span(
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"},
        scope=OPENAI_V2,
    )
    assert (old.pop("dialect"), new.pop("dialect")) == ("gen_ai_legacy", "gen_ai")
    assert old == new


@pytest.mark.parametrize(
    ("sent", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("aws.bedrock", "aws.bedrock"),
        ("xai", "x_ai"),
        ("my-gateway", "my-gateway"),
    ],
)
def test_systems_have_the_names_of_providers(sent: str, provider: str) -> None:
    assert of_span(CHAT | {"gen_ai.system": sent})["provider"] == provider


def test_the_first_names_of_token_counts_are_read() -> None:
    row = of_span(CHAT | {"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 3})
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (12, 3, 15)


def test_messages_in_span_events_are_read_in_their_order() -> None:
    call = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}]
    row = of_span(
        CHAT,
        events=[
            ("gen_ai.system.message", 0, {"content": "Be kind."}),
            ("gen_ai.user.message", 0, {"content": "Weather?"}),
            ("gen_ai.assistant.message", 0, {"tool_calls": json.dumps(call)}),
            ("gen_ai.tool.message", 0, {"id": "c1", "content": "rainy"}),
            ("gen_ai.choice", 2, {"index": 0, "finish_reason": "length", "message": '{"content": "Rain"}'}),
        ],
    )
    assert row["system_instructions"] == [{"type": "text", "content": "Be kind."}]
    assert row["input"] == [
        text("user", "Weather?"),
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
    ]
    assert row["output"] == [text("assistant", "Rain", finish_reason="length")]
    assert row["finish_reason"] == "length"


def test_the_two_events_before_those_are_read() -> None:
    prompt = json.dumps([{"role": "user", "content": "Hi"}])
    completion = json.dumps([{"role": "assistant", "content": "Ho"}])
    row = of_span(
        CHAT,
        events=[
            ("gen_ai.content.prompt", 0, {"gen_ai.prompt": prompt}),
            ("gen_ai.content.completion", 1, {"gen_ai.completion": completion}),
        ],
    )
    assert (row["input"], row["output"]) == ([text("user", "Hi")], [text("assistant", "Ho")])


def test_events_without_content_say_nothing_of_it() -> None:
    events = [("gen_ai.user.message", 0, {}), ("gen_ai.choice", 2, {"index": 0, "finish_reason": "stop"})]
    row = of_span(CHAT, events=events)
    assert ("input" in row, "output" in row, row["finish_reason"]) == (False, False, "stop")


def test_log_records_from_before_they_had_event_names_are_read() -> None:
    """Up to version 1.30 of OTLP's Python SDK the name was an attribute."""
    row = of_record(
        {"event.name": "gen_ai.user.message", "gen_ai.system": "openai"}, name="", body={"content": "안녕하세요"}
    )
    assert row == {"provider": "openai", "dialect": "gen_ai_legacy", "input": [text("user", "안녕하세요")]}


def test_log_records_of_others_stay_as_they_are() -> None:
    assert of_record({"event.name": "shop.order"}, name="", body={"content": "Hi"}) == {}
