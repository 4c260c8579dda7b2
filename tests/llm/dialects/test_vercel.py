"""The Vercel AI SDK, and what the captured requests of version 6 lack: versions 4, 5 and 7, other providers."""

import json

import pytest

from tests.llm.dialects.reading import of_span, of_spans, text
from tests.llm.rows import Row, Value

CALL: dict[str, Value] = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-4o-mini",
}


def test_a_call_of_version_4_is_read() -> None:
    row = of_span(
        CALL
        | {
            "ai.operationId": "ai.streamText.doStream",
            "ai.prompt.messages": json.dumps(
                [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "args": {"city": "Paris"}}
                        ],
                    },
                    {
                        "role": "tool",
                        "content": [
                            {
                                "type": "tool-result",
                                "toolCallId": "c1",
                                "toolName": "weather",
                                "result": {"sky": "grey"},
                            }
                        ],
                    },
                ]
            ),
            "ai.response.text": "Rain.",
            "ai.response.toolCalls": json.dumps(
                [{"toolCallType": "function", "toolCallId": "c2", "toolName": "weather", "args": '{"city":"Rome"}'}]
            ),
            "ai.response.finishReason": "tool-calls",
            "ai.response.id": "r-1",
            "ai.response.model": "gpt-4o-mini-2024-07-18",
            "ai.response.msToFirstChunk": 250.5,
            "ai.usage.promptTokens": 412,
            "ai.usage.completionTokens": 87,
            "gen_ai.system": "openai.chat",
            "gen_ai.response.finish_reasons": ["tool-calls"],
            "gen_ai.usage.input_tokens": 412,
            "gen_ai.usage.output_tokens": 87,
            "ai.telemetry.functionId": "answer",
            "ai.telemetry.metadata.langfusePrompt": json.dumps({"name": "greeting", "version": 7}),
        },
        scope="ai",
    )
    assert row == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18",
        "response_id": "r-1",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "time_to_first_token_ms": 250.5,
        "finish_reason": "tool_calls",
        "streaming": True,
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [
            text("user", "Weather?"),
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"sky": "grey"}}]},
        ],
        "output": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "Rain."},
                    {"type": "tool_call", "id": "c2", "name": "weather", "arguments": {"city": "Rome"}},
                ],
                "finish_reason": "tool_calls",
            }
        ],
        "feature": "answer",
        "prompt_name": "greeting",
        "prompt_version": "7",
        "dialect": "vercel",
        "is_llm_call": True,
    }


def test_version_7_restates_usage_on_the_agent_which_is_no_call() -> None:
    named: dict[str, Value] = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    counted: dict[str, Value] = {
        "gen_ai.usage.input_tokens": 412,
        "gen_ai.usage.output_tokens": 87,
        "gen_ai.usage.cache_read.input_tokens": 128,
    }
    context: dict[str, Value] = {"ai.settings.context.sessionId": "s-1", "ai.settings.context.userId": "u-1"}
    agent, step, call = of_spans(
        Row(named | counted | context | {"gen_ai.operation.name": "invoke_agent"}, "gen_ai"),
        Row(named | {"gen_ai.operation.name": "agent_step"}, "gen_ai", parent=1),
        Row(
            named
            | counted
            | {
                "gen_ai.operation.name": "chat",
                "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
                "gen_ai.input.messages": json.dumps([text("user", "Weather?")]),
                "gen_ai.output.messages": json.dumps([text("assistant", "Rain.", finish_reason="stop")]),
                "gen_ai.client.operation.time_to_first_chunk": 0.25,
            },
            "gen_ai",
            parent=2,
        ),
    )
    assert (agent["operation"], agent["session_id"], agent["user_id"]) == ("invoke_agent", "s-1", "u-1")
    assert step["operation"] == "chain"
    assert "is_llm_call" not in agent | step
    assert call == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
        "time_to_first_token_ms": 250.0,
        "finish_reason": "stop",
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.", finish_reason="stop")],
        "dialect": "vercel",
        "is_llm_call": True,
    }


def test_what_anthropic_cached_is_input_too() -> None:
    held = {"input_tokens": 284, "cache_read_input_tokens": 128, "cache_creation_input_tokens": 96, "output_tokens": 87}
    row = of_span(
        CALL
        | {
            "ai.usage.inputTokens": 284,
            "ai.usage.outputTokens": 87,
            "ai.usage.totalTokens": 371,
            "ai.usage.cachedInputTokens": 128,
            "ai.response.providerMetadata": json.dumps({"anthropic": {"usage": held}}),
        },
        scope="ai",
    )
    assert {name: value for name, value in row.items() if name.endswith("_tokens")} == {
        "input_tokens": 508,
        "output_tokens": 87,
        "total_tokens": 595,
        "cache_read_tokens": 128,
        "cache_write_tokens": 96,
    }


@pytest.mark.parametrize(
    "operation", ["generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany", "rerank"]
)
def test_a_wrapper_over_calls_is_no_call(operation: str) -> None:
    row = of_span({"ai.operationId": f"ai.{operation}", "ai.usage.tokens": 18}, scope="ai")
    assert row["operation"] in ("invoke_agent", "chain")
    assert "is_llm_call" not in row


@pytest.mark.parametrize(
    ("sent", "provider"),
    [
        ("openai.responses", "openai"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("mistral.chat", "mistral_ai"),
        ("xai.chat", "x_ai"),
        ("groq.chat", "groq"),
    ],
)
def test_providers_are_named_without_the_kind_of_their_api(sent: str, provider: str) -> None:
    assert of_span(CALL | {"ai.model.provider": sent}, scope="ai")["provider"] == provider


def test_one_text_to_embed_is_its_text() -> None:
    row = of_span(
        {"ai.operationId": "ai.embed.doEmbed", "ai.values": [json.dumps("서울")], "ai.usage.tokens": 3}, scope="ai"
    )
    assert row["input"] == [text("user", "서울")]
    row = of_span({"ai.operationId": "ai.embed", "ai.value": json.dumps("서울")}, scope="ai")
    assert row["input"] == [text("user", "서울")]
