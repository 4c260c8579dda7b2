"""LiteLLM's OpenTelemetry callback."""

import json
from decimal import Decimal

import pytest

from tests.llm.dialects.reading import of_span, of_spans, text
from tests.llm.rows import Row, Value

CALL: dict[str, Value] = {
    "llm.request.type": "acompletion",
    "gen_ai.operation.name": "acompletion",
    "gen_ai.system": "azure",
    "gen_ai.request.model": "gpt-4o-mini",
}


def test_a_call_is_read() -> None:
    row = of_span(
        CALL
        | {
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.finish_reasons": '["tool_calls"]',
            "gen_ai.usage.input_tokens": 412,
            "gen_ai.usage.output_tokens": 87,
            "gen_ai.usage.total_tokens": 499,
            "gen_ai.cost.input_cost": 0.00006,
            "gen_ai.cost.output_cost": 0.00005,
            "gen_ai.cost.total_cost": 0.00011,
            "llm.is_streaming": "False",
            "llm.user": "u-1",
            "gen_ai.input.messages": json.dumps(
                [text("system", "Be kind."), {"role": "user", "parts": [{"type": "text", "text": "Weather?"}]}]
            ),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [],
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
                            }
                        ],
                        "finish_reason": "tool_calls",
                    }
                ]
            ),
            "metadata.user_api_key_team_alias": "support",
            "metadata.user_api_key_end_user_id": "",
            "metadata.attempted_retries": 2,
            "metadata.requester_metadata": "{'a': 1}",
            "hidden_params": "{}",
        },
        scope="litellm",
        name="litellm_request",
        resource={"deployment.environment": "production"},
    )
    assert row == {
        "operation": "chat",
        "provider": "azure.ai.openai",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18",
        "response_id": "chatcmpl-1",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "reported_cost_usd": Decimal("0.00011"),
        "finish_reason": "tool_calls",
        "streaming": False,
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [text("user", "Weather?")],
        "output": [
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
                "finish_reason": "tool_calls",
            }
        ],
        "user_id": "u-1",
        "environment": "production",
        "team": "support",
        "retries": 2,
        "dialect": "litellm",
        "is_llm_call": True,
    }


def test_the_raw_request_below_a_call_is_no_second_call() -> None:
    call, raw = of_spans(
        Row(CALL, "litellm", name="litellm_request"),
        Row(
            {"llm.openai.model": "gpt-4o-mini", "llm.openai.usage": "{'prompt_tokens': 412}"},
            "litellm",
            name="raw_gen_ai_request",
            parent=1,
        ),
    )
    assert call["is_llm_call"] is True
    assert raw == {"dialect": "litellm"}


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("completion", "chat"),
        ("acompletion", "chat"),
        ("aresponses", "chat"),
        ("atext_completion", "text_completion"),
        ("aembedding", "embeddings"),
        ("arerank", "rerank"),
    ],
)
def test_types_of_requests_are_operations(kind: str, operation: str) -> None:
    row = of_span({"llm.request.type": kind, "gen_ai.operation.name": kind}, scope="litellm")
    assert (row["operation"], row["is_llm_call"]) == (operation, True)
