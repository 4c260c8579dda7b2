"""The span that Anthropic's own SDK makes of each call."""

import json

from tests.llm.dialects.reading import of_span, of_spans, text
from tests.llm.rows import Row, Value

SCOPE = "com.anthropic.sdk.python"
CALL: dict[str, Value] = {
    "gen_ai.provider.name": "anthropic",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.response.id": "msg_1",
    "gen_ai.usage.input_tokens": 508,
    "gen_ai.usage.output_tokens": 87,
    "gen_ai.usage.cache_read.input_tokens": 128,
    "gen_ai.usage.cache_write.input_tokens": 96,
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 60,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 36,
    "anthropic.response.service_tier": "batch",
    "anthropic.message.stop_reason": "max_tokens",
}


def test_a_call_with_its_content_is_read() -> None:
    row = of_span(
        CALL
        | {
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
            "gen_ai.input.messages": json.dumps([text("user", "Weather?")]),
            "gen_ai.output.messages": json.dumps([text("assistant", "Rain.")]),
        },
        scope=SCOPE,
    )
    assert row == {
        "operation": "chat",
        "provider": "anthropic",
        "request_model": "claude-sonnet-4-5",
        "response_model": "claude-sonnet-4-5",
        "response_id": "msg_1",
        "input_tokens": 508,
        "output_tokens": 87,
        "total_tokens": 595,
        "cache_read_tokens": 128,
        "cache_write_tokens": 96,
        "cache_write_1h_tokens": 36,
        "service_tier": "batch",
        "finish_reason": "length",
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.", finish_reason="length")],
        "dialect": "anthropic",
        "is_llm_call": True,
    }


def test_the_span_above_it_keeps_its_own_dialect_and_the_same_answers_id() -> None:
    above, below = of_spans(
        Row(
            {"openinference.span.kind": "LLM", "gen_ai.response.id": "msg_1"}, "openinference.instrumentation.anthropic"
        ),
        Row(CALL, SCOPE, parent=1),
    )
    assert (above["dialect"], below["dialect"]) == ("openinference", "anthropic")
    assert below["response_id"] == "msg_1"
