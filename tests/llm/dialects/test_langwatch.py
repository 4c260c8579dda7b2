"""LangWatch, and what the captured requests of its Python SDK lack: its JavaScript SDK, other models' names."""

import json
from decimal import Decimal

import pytest

from tests.data import START
from tests.llm.dialects.reading import of_span, text
from tests.llm.rows import Value

CALL: dict[str, Value] = {"langwatch.span.type": "llm", "gen_ai.request.model": "openai/gpt-4o-mini"}


def wrapped(kind: str, value: object) -> str:
    return json.dumps({"type": kind, "value": value})


def test_a_call_of_the_javascript_sdk_is_read() -> None:
    row = of_span(
        CALL
        | {
            "langwatch.input": wrapped("chat_messages", [{"role": "user", "content": "Weather?"}]),
            "langwatch.output": wrapped("chat_messages", [{"role": "assistant", "content": "Rain."}]),
            "langwatch.metrics": wrapped("json", {"promptTokens": 412, "completionTokens": 87, "cost": 0.0001}),
            "langwatch.timestamps": json.dumps({"firstTokenAt": START // 1_000_000 + 250}),
            "langwatch.gen_ai.streaming": True,
            "langwatch.thread.id": "t-1",
            "langwatch.user.id": "u-1",
            "langwatch.tags": json.dumps(["a", "b"]),
            "langwatch.prompt.handle": "greeting",
            "langwatch.prompt.version.number": 7,
        },
        scope="langwatch-js",
    )
    assert row == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "reported_cost_usd": Decimal("0.0001"),
        "time_to_first_token_ms": 250.0,
        "streaming": True,
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.")],
        "session_id": "t-1",
        "user_id": "u-1",
        "tags": ["a", "b"],
        "prompt_name": "greeting",
        "prompt_version": "7",
        "dialect": "langwatch",
        "is_llm_call": True,
    }


@pytest.mark.parametrize("key", ["langwatch.contexts", "langwatch.rag.contexts", "langwatch.rag_contexts"])
@pytest.mark.parametrize("as_sent", [True, False])
def test_what_was_retrieved_is_found_under_each_of_its_names(key: str, as_sent: bool) -> None:
    contexts = [{"document_id": "kb-1", "chunk_id": "c-1", "content": "Refunds take 7 days."}]
    value = json.dumps(contexts) if as_sent else wrapped("json", contexts)
    row = of_span({"langwatch.span.type": "rag", key: value}, scope="my-app")
    assert row["operation"] == "retrieval"
    assert row["documents"] == [{"id": "kb-1", "content": "Refunds take 7 days.", "metadata": {"chunk_id": "c-1"}}]


@pytest.mark.parametrize(
    ("sent", "provider", "model"),
    [
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("bedrock/anthropic.claude-v2", "aws.bedrock", "anthropic.claude-v2"),
        ("openrouter/meta-llama/llama-3", "openrouter", "meta-llama/llama-3"),
        ("meta-llama/llama-3", None, "meta-llama/llama-3"),
        ("gpt-4o-mini", None, "gpt-4o-mini"),
    ],
)
def test_the_provider_stands_before_the_model(sent: str, provider: str | None, model: str) -> None:
    row = of_span({"langwatch.span.type": "llm", "gen_ai.request.model": sent}, scope="langwatch")
    assert (row.get("provider"), row["request_model"]) == (provider, model)


def test_metadata_mean_what_langwatch_means_by_them() -> None:
    metadata = {"user_id": "u-1", "thread_id": "t-1", "labels": ["a"], "feature": "refund"}
    row = of_span({"langwatch.span.type": "span", "metadata": json.dumps(metadata)}, scope="langwatch")
    assert (row["session_id"], row["user_id"], row["tags"], row["feature"]) == ("t-1", "u-1", ["a"], "refund")


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("llm", "chat"),
        ("rag", "retrieval"),
        ("tool", "execute_tool"),
        ("agent", "invoke_agent"),
        ("guardrail", "guardrail"),
        ("evaluation", "evaluator"),
        ("component", "chain"),
        ("workflow", "chain"),
    ],
)
def test_span_types_are_operations(kind: str, operation: str) -> None:
    assert of_span({"langwatch.span.type": kind}, scope="langwatch")["operation"] == operation
