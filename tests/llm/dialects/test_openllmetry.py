"""OpenLLMetry before it took OpenTelemetry's messages, and what the captured requests of later versions lack."""

import json

import pytest

from tests.llm.dialects.reading import of_span, text
from tests.llm.rows import Value

SCOPE = "opentelemetry.instrumentation.openai.v1"
CHAT: dict[str, Value] = {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o-mini"}


def test_a_call_of_version_0_40_is_read() -> None:
    row = of_span(
        CHAT
        | {
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be kind.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "Weather?",
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "c1",
            "gen_ai.prompt.2.tool_calls.0.name": "weather",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"city": "Paris"}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.tool_call_id": "c1",
            "gen_ai.prompt.3.content": "rainy",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Rain.",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.usage.prompt_tokens": 412,
            "gen_ai.usage.completion_tokens": 87,
            "gen_ai.usage.cache_read_input_tokens": 128,
            "gen_ai.usage.reasoning_tokens": 24,
            "llm.usage.total_tokens": 499,
            "llm.is_streaming": True,
            "llm.user": "user-1",
            "llm.request.functions.0.name": "weather",
            "traceloop.association.properties.session_id": "s-1",
            "traceloop.association.properties.feature": "refund",
            "traceloop.prompt.key": "greeting",
            "traceloop.prompt.version": 7,
        },
        scope=SCOPE,
        events=[("llm.content.completion.chunk", 40, {}), ("llm.content.completion.chunk", 45, {})],
    )
    assert row == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18",
        "response_id": "chatcmpl-1",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
        "reasoning_tokens": 24,
        "time_to_first_token_ms": 40.0,
        "finish_reason": "stop",
        "streaming": True,
        "user_id": "user-1",
        "session_id": "s-1",
        "feature": "refund",
        "prompt_name": "greeting",
        "prompt_version": "7",
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [
            text("user", "Weather?"),
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
        ],
        "output": [text("assistant", "Rain.", finish_reason="stop")],
        "dialect": "openllmetry",
        "is_llm_call": True,
    }


@pytest.mark.parametrize(
    ("sent", "operation"),
    [("chat", "chat"), ("completion", "text_completion"), ("embedding", "embeddings"), ("rerank", "rerank")],
)
def test_types_of_requests_are_operations(sent: str, operation: str) -> None:
    row = of_span({"llm.request.type": sent})
    assert (row["operation"], row["is_llm_call"], row["dialect"]) == (operation, True, "openllmetry")


@pytest.mark.parametrize(
    ("kind", "operation"),
    [("workflow", "chain"), ("task", "chain"), ("agent", "invoke_agent"), ("tool", "execute_tool")],
)
def test_kinds_of_spans_are_operations(kind: str, operation: str) -> None:
    row = of_span({"traceloop.span.kind": kind, "traceloop.entity.name": "planner"}, scope="traceloop.tracer")
    assert (row["operation"], row["dialect"], "is_llm_call" in row) == (operation, "openllmetry", False)
    names = {"invoke_agent": {"agent_name": "planner"}, "execute_tool": {"tool_name": "planner"}}
    assert {name: row[name] for name in ("agent_name", "tool_name") if name in row} == names.get(operation, {})


def test_tokens_written_to_anthropic_s_cache_are_read_under_both_names() -> None:
    for name in ("gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens"):
        row = of_span(CHAT | {name: 96, "gen_ai.usage.input_tokens": 508, "gen_ai.usage.output_tokens": 87})
        assert (row["cache_write_tokens"], row["total_tokens"]) == (96, 595)


def test_the_decorated_function_s_arguments_and_result_are_the_tool_s() -> None:
    row = of_span(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": json.dumps({"args": [], "kwargs": {"city": "Paris"}}),
            "traceloop.entity.output": json.dumps({"sky": "grey"}),
        }
    )
    assert row["input"] == [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "weather", "arguments": {"city": "Paris"}}]}
    ]
    assert row["output"] == [{"role": "tool", "parts": [{"type": "tool_call_response", "response": {"sky": "grey"}}]}]


def test_a_conversation_goes_before_a_thread() -> None:
    properties: dict[str, Value] = {
        "traceloop.association.properties.thread_id": "thread",
        "traceloop.association.properties.conversation_id": "conversation",
    }
    assert of_span(CHAT | properties)["session_id"] == "conversation"
    assert of_span(CHAT | {"gen_ai.conversation.id": "c"})["session_id"] == "c"


def test_the_sdk_of_javascript_is_known_by_its_scope() -> None:
    assert of_span({}, scope="@traceloop/instrumentation-openai")["dialect"] == "openllmetry"


def test_official_instrumentations_beside_it_keep_their_dialect() -> None:
    """Traceloop's SDK puts its properties on every span of the process."""
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "traceloop.workflow.name": "support",
    }
    assert of_span(attributes, scope="opentelemetry.instrumentation.genai.openai")["dialect"] == "gen_ai"
