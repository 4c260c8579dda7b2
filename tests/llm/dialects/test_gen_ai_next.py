"""OpenTelemetry GenAI after 1.41. No SDK sends it yet: these spans are made after the conventions' repository."""

import pytest

from tests.llm.dialects.reading import of_record, of_span, text
from tests.llm.rows import Value

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-audio",
    "gen_ai.prompt.name": "greeting",
    "gen_ai.prompt.version": "v7",
}


def test_a_call_with_counts_by_modality_is_read() -> None:
    row = of_span(
        CHAT
        | {
            "gen_ai.usage.input_tokens": 1_000,
            "gen_ai.usage.output_tokens": 300,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.cache_write.input_tokens": 200,
            "gen_ai.usage.reasoning.output_tokens": 50,
            "gen_ai.usage.text.input_tokens": 660,
            "gen_ai.usage.image.input_tokens": 90,
            "gen_ai.usage.audio.input_tokens": 250,
            "gen_ai.usage.text.output_tokens": 180,
            "gen_ai.usage.audio.output_tokens": 120,
        }
    )
    assert row == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o-audio",
        "input_tokens": 1_000,
        "output_tokens": 300,
        "cache_read_tokens": 400,
        "cache_write_tokens": 200,
        "reasoning_tokens": 50,
        "total_tokens": 1_300,
        "audio_input_tokens": 250,
        "audio_output_tokens": 120,
        "prompt_name": "greeting",
        "prompt_version": "v7",
        "dialect": "gen_ai_next",
        "is_llm_call": True,
    }


def test_an_official_instrumentation_that_sends_the_new_names_is_known_by_them() -> None:
    scope = "opentelemetry.instrumentation.genai.openai"
    assert of_span(CHAT, scope=scope)["dialect"] == "gen_ai_next"
    old = {name: value for name, value in CHAT.items() if name != "gen_ai.prompt.version"}
    assert of_span(old, scope=scope)["dialect"] == "gen_ai"


@pytest.mark.parametrize(
    ("sent", "operation"),
    [
        ("plan", "chain"),
        ("search_memory", "retrieval"),
        ("update_memory", "chain"),
        ("invoke_workflow", "chain"),
        ("chat", "chat"),
    ],
)
def test_plans_and_memory_have_their_kinds(sent: str, operation: str) -> None:
    row = of_span({"gen_ai.operation.name": sent, "gen_ai.memory.store.id": "preferences"})
    assert (row["operation"], row["dialect"]) == (operation, "gen_ai_next")


def test_what_was_searched_in_memory_and_found_is_read() -> None:
    row = of_span(
        {
            "gen_ai.operation.name": "search_memory",
            "gen_ai.memory.query.text": "diet",
            "gen_ai.memory.records": [{"id": "m1", "score": 0.95, "content": "Vegetarian"}],
        }
    )
    assert row["input"] == [text("user", "diet")]
    assert row["documents"] == [{"id": "m1", "score": 0.95, "content": "Vegetarian"}]


def test_log_records_with_a_whole_call_are_read() -> None:
    row = of_record(CHAT | {"gen_ai.input.messages": [text("user", "Hi")]}, name="gen_ai.client.inference.details")
    assert (row["dialect"], row["input"]) == ("gen_ai_next", [text("user", "Hi")])
