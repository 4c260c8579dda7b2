"""OpenTelemetry GenAI 1.37 to 1.41; what the captured requests lack."""

import json

import pytest

from tests.llm.dialects.reading import of_record, of_span, text
from tests.llm.rows import Value

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}
DETAILS = "gen_ai.client.inference.operation.details"


@pytest.mark.parametrize(
    ("sent", "operation", "is_call"),
    [
        ("chat", "chat", True),
        ("generate_content", "chat", True),
        ("text_completion", "text_completion", True),
        ("embeddings", "embeddings", True),
        ("retrieval", "retrieval", None),
        ("execute_tool", "execute_tool", None),
        ("invoke_agent", "invoke_agent", None),
        ("create_agent", "invoke_agent", None),
        ("invoke_workflow", "chain", None),
        ("something_new", None, None),
    ],
)
def test_every_operation_of_the_convention_has_its_kind(sent: str, operation: str | None, is_call: bool | None) -> None:
    row = of_span({"gen_ai.operation.name": sent})
    assert (row.get("operation"), row.get("is_llm_call"), row["dialect"]) == (operation, is_call, "gen_ai")


def test_tokens_written_to_the_cache_are_read_under_both_names() -> None:
    usage: dict[str, Value] = {"gen_ai.usage.input_tokens": 508, "gen_ai.usage.output_tokens": 87}
    for name in ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"):
        row = of_span(CHAT | usage | {"gen_ai.usage.cache_read.input_tokens": 128, name: 96})
        assert (row["cache_read_tokens"], row["cache_write_tokens"], row["total_tokens"]) == (128, 96, 595)


def test_a_cache_larger_than_the_input_was_counted_apart() -> None:
    row = of_span(
        CHAT
        | {
            "gen_ai.usage.input_tokens": 2,
            "gen_ai.usage.output_tokens": 425,
            "gen_ai.usage.cache_read.input_tokens": 40_803,
        }
    )
    assert (row["input_tokens"], row["total_tokens"]) == (40_805, 41_230)


def test_messages_are_read_as_nested_values_too() -> None:
    row = of_span(
        CHAT
        | {
            "gen_ai.system_instructions": [{"type": "text", "content": "Be kind."}],
            "gen_ai.input.messages": [
                {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
                {
                    "role": "assistant",
                    "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
                },
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "rainy"}]},
            ],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "Rain."}], "finish_reason": "stop"}
            ],
        }
    )
    assert row["system_instructions"] == [{"type": "text", "content": "Be kind."}]
    assert row["input"] == [
        text("user", "Weather in Paris?"),
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
    ]
    assert row["output"] == [text("assistant", "Rain.", finish_reason="stop")]


def test_messages_on_an_event_of_the_span_are_read() -> None:
    held: dict[str, Value] = {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
        "gen_ai.input.messages": json.dumps([text("user", "Hi")]),
        "gen_ai.output.messages": json.dumps([text("assistant", "Ho", finish_reason="length")]),
    }
    row = of_span(CHAT, events=[(DETAILS, 2, held)])
    assert row["system_instructions"] == [{"type": "text", "content": "Be kind."}]
    assert row["input"] == [text("user", "Hi")]
    assert row["output"] == [text("assistant", "Ho", finish_reason="length")]
    assert row["finish_reason"] == "length"


def test_a_log_record_with_a_whole_call_says_the_same_as_its_span() -> None:
    messages: dict[str, Value] = {
        "gen_ai.input.messages": [text("user", "Hi")],
        "gen_ai.output.messages": [text("assistant", "Ho")],
    }
    assert of_record(CHAT | messages, name=DETAILS) == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "dialect": "gen_ai",
        "input": [text("user", "Hi")],
        "output": [text("assistant", "Ho")],
    }


def test_tools_and_agents_without_a_name_have_their_span_s() -> None:
    tool = of_span({"gen_ai.operation.name": "execute_tool"}, name="execute_tool get weather")
    assert (tool["tool_name"], tool["operation"]) == ("get weather", "execute_tool")
    agent = of_span({"gen_ai.operation.name": "invoke_agent"}, name="invoke_agent travel planner")
    assert agent["agent_name"] == "travel planner"


def test_retrieved_documents_are_read_with_their_query() -> None:
    row = of_span(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": '{"looks": "like JSON"}',
            "gen_ai.retrieval.documents": [{"id": "a", "score": 0.9, "content": "One."}, {"id": "b", "score": 0.5}],
        }
    )
    assert row["input"] == [text("user", '{"looks": "like JSON"}')]
    assert row["documents"] == [{"id": "a", "score": 0.9, "content": "One."}, {"id": "b", "score": 0.5}]


def test_seconds_to_the_first_chunk_become_milliseconds() -> None:
    for name in ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"):
        assert of_span(CHAT | {name: 0.125})["time_to_first_token_ms"] == 125.0


def test_prompts_and_conversations_have_their_names() -> None:
    row = of_span(CHAT | {"gen_ai.prompt.name": "greeting", "gen_ai.conversation.id": "c-1"})
    assert (row["prompt_name"], row["session_id"]) == ("greeting", "c-1")


@pytest.mark.parametrize("framework", ["langchain", "LangGraph", "llama_index"])
def test_frameworks_are_no_providers(framework: str) -> None:
    assert "provider" not in of_span({"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": framework})


def test_both_generations_on_one_span_are_read_once() -> None:
    row = of_span(
        CHAT
        | {
            "gen_ai.system": "openai",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.prompt_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.completion_tokens": 5,
        }
    )
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (10, 5, 15)
