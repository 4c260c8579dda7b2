"""Langfuse, and what the captured requests of its Python SDK lack: its JavaScript SDK, gateways, Anthropic's usage."""

import json
from decimal import Decimal

import pytest

from tests.data import START
from tests.llm.dialects.reading import Columns, of_span, of_spans, text
from tests.llm.rows import Row, Value

SCOPE = "langfuse-sdk"
CALL: dict[str, Value] = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o-mini",
}


def usage(**details: Value) -> Columns:
    """The token columns of a call with these usage details."""
    row = of_span(CALL | {"langfuse.observation.usage_details": json.dumps(details)}, scope=SCOPE)
    return {name: value for name, value in row.items() if name.endswith("_tokens")}


def test_a_call_of_the_javascript_sdk_is_read() -> None:
    row = of_span(
        CALL
        | {
            "langfuse.observation.input": json.dumps(
                {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Weather?"}]}
            ),
            "langfuse.observation.output": json.dumps({"role": "assistant", "content": "Rain."}),
            "langfuse.observation.usage_details": json.dumps(
                {
                    "input": 284,
                    "output": 63,
                    "total": 499,
                    "input_cached_tokens": 128,
                    "output_reasoning_tokens": 24,
                }
            ),
            "langfuse.observation.completion_start_time": json.dumps("2025-10-09T08:53:20.250Z"),
            "langfuse.trace.metadata.feature": "refund",
            "langfuse.observation.metadata.team": json.dumps("support"),
            "langfuse.observation.prompt.name": "greeting",
            "langfuse.observation.prompt.version": 7,
            "langfuse.version": "app-1",
            "session.id": "s-1",
        },
        scope=SCOPE,
        resource={"langfuse.environment": "staging"},
    )
    assert START == 1_760_000_000_000_000_000  # 08:53:20
    assert row == {
        "operation": "chat",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
        "reasoning_tokens": 24,
        "time_to_first_token_ms": 250.0,
        "system_instructions": [{"type": "text", "content": "Be kind."}],
        "input": [text("user", "Weather?")],
        "output": [text("assistant", "Rain.")],
        "session_id": "s-1",
        "environment": "staging",
        "release": "app-1",
        "prompt_name": "greeting",
        "prompt_version": "7",
        "feature": "refund",
        "team": "support",
        "dialect": "langfuse",
        "is_llm_call": True,
    }


@pytest.mark.parametrize(
    "details",
    [
        {"input": 412, "output": 87, "total": 499, "input_cached_tokens": 128},  # JavaScript 3: all in
        {"input": 284, "output": 87, "cache_read_input_tokens": 128},  # a gateway: what was cached apart, no total
        {"input": 284, "output": 87, "total": 499, "input_cache_read": 128},
        {
            "prompt_tokens": 412,
            "completion_tokens": 87,
            "total_tokens": 499,
            "prompt_tokens_details": {"cached_tokens": 128},
        },
    ],
)
def test_the_same_usage_is_the_same_however_it_is_split(details: dict[str, Value]) -> None:
    assert usage(**details) == {
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
    }


def test_what_anthropic_wrote_to_its_cache_is_input_too() -> None:
    counts = usage(input_tokens=284, output_tokens=87, cache_read_input_tokens=128, cache_creation_input_tokens=96)
    assert counts["input_tokens"] == 508
    assert counts["cache_write_tokens"] == 96
    assert counts["total_tokens"] == 595


def test_a_cost_is_taken_unless_it_is_the_nothing_that_failed_calls_send() -> None:
    rows = of_spans(
        *(
            Row(
                CALL | {"langfuse.observation.cost_details": json.dumps({"input": 0, "output": 0, "total": cost})},
                SCOPE,
            )
            for cost in (0.25, 0, 0.0)
        )
    )
    assert [row.get("reported_cost_usd") for row in rows] == [Decimal("0.25"), None, None]


def test_an_error_that_only_the_level_tells_is_one() -> None:
    level: dict[str, Value] = {"langfuse.observation.level": "ERROR"}
    rows = of_spans(
        Row(CALL | level, SCOPE),
        Row(CALL | level | {"langfuse.observation.status_message": "Error code: 429 - Rate limit reached"}, SCOPE),
        Row(CALL | {"langfuse.observation.level": "WARNING"}, SCOPE),
    )
    assert [row.get("error_type") for row in rows] == ["_OTHER", "429", None]


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("generation", "chat"),
        ("embedding", "embeddings"),
        ("agent", "invoke_agent"),
        ("tool", "execute_tool"),
        ("retriever", "retrieval"),
        ("evaluator", "evaluator"),
        ("guardrail", "guardrail"),
        ("chain", "chain"),
        ("span", "chain"),
        ("event", "chain"),
    ],
)
def test_observation_types_are_operations(kind: str, operation: str) -> None:
    row = of_span({"langfuse.observation.type": kind}, scope="@langfuse/tracing")
    assert row["operation"] == operation
    assert ("is_llm_call" in row) == (operation in ("chat", "embeddings"))


def test_spans_of_other_instrumentors_that_langfuse_marks_stay_theirs() -> None:
    row = of_span(
        {"openinference.span.kind": "LLM", "langfuse.trace.tags": ["a"], "langfuse.environment": "staging"},
        scope="openinference.instrumentation.openai",
    )
    assert row["dialect"] == "openinference"


@pytest.mark.parametrize(
    ("name", "provider"), [("OpenAI-generation", "openai"), ("answer", None), ("OpenAI-generation of mine", None)]
)
def test_the_name_that_its_wrapper_of_openai_gives_a_call_tells_the_provider(name: str, provider: str | None) -> None:
    assert of_span(CALL, scope=SCOPE, name=name).get("provider") == provider
