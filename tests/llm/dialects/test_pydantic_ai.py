"""Pydantic AI and Logfire, and what the captured requests of version 2 lack: version 1, pending spans, event logs."""

import json

from tests.llm.dialects.reading import of_span, of_spans, text
from tests.llm.rows import Row, Value

SCOPE = "pydantic-ai"
CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 412,
    "gen_ai.usage.output_tokens": 87,
}
EVENTS = [
    {"event.name": "gen_ai.system.message", "gen_ai.message.index": 0, "role": "system", "content": "Be kind."},
    {"event.name": "gen_ai.user.message", "gen_ai.message.index": 0, "role": "user", "content": "Weather?"},
    {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Rain."}},
]


def test_a_run_of_version_1_restates_usage_and_is_no_call() -> None:
    agent, call, tool, tools = of_spans(
        Row(
            {
                "agent_name": "forecaster",
                "model_name": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 412,
                "gen_ai.usage.output_tokens": 87,
                "pydantic_ai.all_messages": json.dumps([text("user", "Weather?")]),
                "final_result": "Rain.",
            },
            SCOPE,
            name="agent run",
        ),
        Row(CALL | {"gen_ai.usage.details.reasoning_tokens": 24, "operation.cost": 0.0001}, SCOPE, parent=1),
        Row(
            {
                "gen_ai.tool.name": "weather",
                "gen_ai.tool.call.id": "c1",
                "tool_arguments": '{"city":"Paris"}',
                "tool_response": "rainy",
            },
            SCOPE,
            name="running tool",
        ),
        Row({"tools": ["weather", "time"]}, SCOPE, name="running 2 tools"),
    )
    assert agent == {
        "operation": "invoke_agent",
        "agent_name": "forecaster",
        "request_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.")],
        "dialect": "pydantic_ai",
    }
    assert call["is_llm_call"] is True
    assert call["reasoning_tokens"] == 24
    assert tool == {
        "operation": "execute_tool",
        "tool_name": "weather",
        "tool_call_id": "c1",
        "input": [
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
            }
        ],
        "output": [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]}],
        "dialect": "pydantic_ai",
    }
    assert tools["operation"] == "chain"


def test_messages_that_are_events_in_an_attribute_are_read() -> None:
    row = of_span(CALL | {"events": json.dumps(EVENTS)}, scope=SCOPE)
    assert row["system_instructions"] == [{"type": "text", "content": "Be kind."}]
    assert row["input"] == [text("user", "Weather?")]
    assert row["output"] == [text("assistant", "Rain.")]


def test_a_pending_span_is_no_call_and_has_no_usage() -> None:
    named = {key: value for key, value in CALL.items() if "usage" not in key}
    pending, finished = of_spans(
        Row(named | {"logfire.span_type": "pending_span"}, SCOPE, parent=2),
        Row(CALL | {"logfire.span_type": "span"}, SCOPE),
    )
    assert pending["operation"] == "chat"
    assert "is_llm_call" not in pending
    assert "input_tokens" not in pending
    assert finished["is_llm_call"] is True


def test_spans_of_others_that_pass_through_logfire_stay_theirs() -> None:
    marked: dict[str, Value] = {"logfire.span_type": "span", "logfire.msg": "anthropic.messages.create"}
    native, request = of_spans(
        Row(CALL | marked | {"anthropic.message.stop_reason": "end_turn"}, "com.anthropic.sdk.python"),
        Row(marked | {"http.request.method": "GET"}, "opentelemetry.instrumentation.httpx"),
    )
    assert native["dialect"] == "anthropic"
    assert request == {}


def test_usage_that_logfire_leaves_raw_is_read() -> None:
    raw = {
        "input_tokens": 412,
        "input_tokens_details": {"cached_tokens": 128},
        "output_tokens_details": {"reasoning_tokens": 24},
    }
    row = of_span(CALL | {"gen_ai.usage.raw": json.dumps(raw)}, scope="logfire.openai")
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (128, 24)
