"""LangSmith over OTLP, and what the captured requests of its Python SDK lack: its JavaScript SDK, other details."""

import json
from decimal import Decimal

import pytest

from tests.llm.dialects.reading import of_span, of_spans, text
from tests.llm.rows import Row, Value

CALL: dict[str, Value] = {
    "langsmith.span.kind": "llm",
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}


def test_a_call_of_the_javascript_sdk_is_read() -> None:
    row = of_span(
        CALL
        | {
            "gen_ai.prompt": json.dumps({"messages": [{"role": "user", "content": "Weather?"}]}),
            "gen_ai.completion": json.dumps(
                {
                    "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": "Rain."}, "finish_reason": "stop"}
                    ]
                }
            ),
            "gen_ai.response.finish_reasons": "stop",
            "gen_ai.usage.input_tokens": 412,
            "gen_ai.usage.output_tokens": 87,
            "gen_ai.usage.total_tokens": 499,
            "gen_ai.usage.input_token_details": json.dumps({"cache_read": 128}),
            "gen_ai.usage.output_token_details": json.dumps({"reasoning": 24}),
            "langsmith.metadata.ls_provider": "azure",
            "langsmith.metadata.conversation_id": "c-1",
            "langsmith.metadata.environment": "staging",
            "langsmith.metadata.lc_hub_repo": "greeting",
            "langsmith.metadata.lc_hub_commit_hash": "abc123",
            "langsmith.span.tags": "a, b",
        },
        scope="langsmith",
    )
    assert row == {
        "operation": "chat",
        "provider": "azure.ai.openai",
        "request_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
        "reasoning_tokens": 24,
        "finish_reason": "stop",
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.", finish_reason="stop")],
        "session_id": "c-1",
        "tags": ["a", "b"],
        "environment": "staging",
        "prompt_name": "greeting",
        "prompt_version": "abc123",
        "dialect": "langsmith",
        "is_llm_call": True,
    }


@pytest.mark.parametrize(
    ("details", "written", "for_an_hour"),
    [
        ("{'cache_read': 128, 'cache_creation': 96}", 96, None),
        (
            "{'cache_read':128,'cache_creation':0,'ephemeral_5m_input_tokens':60,'ephemeral_1h_input_tokens':36}",
            96,
            36,
        ),
        ("{'cache_read': 128, 'ephemeral_5m_input_tokens': 96}", 96, None),
        ('{"cache_read": 128, "cache_creation": 96}', 96, None),
        ("{'cache_read': 128}", None, None),
    ],
)
def test_cache_writes_are_counted_whole_or_by_how_long_they_are_kept(
    details: str, written: int | None, for_an_hour: int | None
) -> None:
    row = of_span(
        CALL
        | {
            "gen_ai.usage.input_tokens": 508,
            "gen_ai.usage.output_tokens": 87,
            "gen_ai.usage.input_token_details": details,
        },
        scope="langsmith",
    )
    assert row["cache_read_tokens"] == 128
    assert row.get("cache_write_tokens") == written
    assert row.get("cache_write_1h_tokens") == for_an_hour
    assert row["total_tokens"] == 595


def test_usage_that_is_only_in_the_metadata_is_found() -> None:
    held = {
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "input_token_details": {"cache_read": 128},
        "output_token_details": {"reasoning": 24},
        "total_cost": 0.0001,
    }
    row = of_span(CALL | {"langsmith.metadata.usage_metadata": json.dumps(held)}, scope="langsmith")
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (412, 87, 499)
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (128, 24)
    assert row["reported_cost_usd"] == Decimal("0.0001")


def test_a_chain_that_restates_the_usage_of_its_calls_is_no_call() -> None:
    chain, call = of_spans(
        Row(
            {"langsmith.span.kind": "chain", "gen_ai.operation.name": "chain", "gen_ai.usage.input_tokens": 412},
            "langsmith",
        ),
        Row(CALL | {"gen_ai.usage.input_tokens": 412}, "langsmith", parent=1),
    )
    assert chain["operation"] == "chain"
    assert "is_llm_call" not in chain
    assert call["is_llm_call"] is True


@pytest.mark.parametrize(
    ("kind", "name", "operation"),
    [
        ("retriever", "embeddings", "retrieval"),
        ("prompt", "chat", "chain"),
        ("parser", "parser", "chain"),
        ("tool", "execute_tool", "execute_tool"),
        ("embedding", "embeddings", "embeddings"),
    ],
)
def test_the_kind_of_the_run_counts_not_the_operation_beside_it(kind: str, name: str, operation: str) -> None:
    row = of_span(
        {"langsmith.span.kind": kind, "gen_ai.operation.name": name, "gen_ai.system": "langchain"}, scope="langsmith"
    )
    assert row["operation"] == operation
    assert "provider" not in row  # `langchain` stands for none


def test_a_model_that_completes_texts_is_no_chat() -> None:
    row = of_span(CALL | {"langsmith.metadata.ls_model_type": "llm"}, scope="langsmith")
    assert row["operation"] == "text_completion"


@pytest.mark.parametrize(
    ("message", "error_type"),
    [
        ("RateLimitError('Error code: 429')\n\nTraceback (most recent call last):", "RateLimitError"),
        ("httpx.ReadTimeout('')", "httpx.ReadTimeout"),
        ("something else", "Exception"),
    ],
)
def test_the_type_of_an_error_is_what_its_message_begins_with(message: str, error_type: str) -> None:
    event = ("exception", 1, {"exception.type": "Exception", "exception.message": message})
    assert of_span(CALL, scope="langsmith", error=True, events=[event])["error_type"] == error_type
