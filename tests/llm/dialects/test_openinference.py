"""OpenInference; what the captured requests lack."""

import base64
import hashlib
import json
from decimal import Decimal

import pytest

from tests.llm.dialects.reading import of_span, text
from tests.llm.rows import Value

SCOPE = "openinference.instrumentation.openai"
LLM: dict[str, Value] = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-4o"}


@pytest.mark.parametrize(
    ("kind", "operation", "is_call"),
    [
        ("LLM", "chat", True),
        ("EMBEDDING", "embeddings", True),
        ("RERANKER", "rerank", True),
        ("RETRIEVER", "retrieval", None),
        ("TOOL", "execute_tool", None),
        ("AGENT", "invoke_agent", None),
        ("CHAIN", "chain", None),
        ("PROMPT", "chain", None),
        ("DECISION", "chain", None),
        ("UNKNOWN", "chain", None),
        ("GUARDRAIL", "guardrail", None),
        ("EVALUATOR", "evaluator", None),
        ("NEW_KIND", None, None),
    ],
)
def test_every_kind_of_span_has_its_operation(kind: str, operation: str | None, is_call: bool | None) -> None:
    row = of_span({"openinference.span.kind": kind})
    assert (row.get("operation"), row.get("is_llm_call"), row["dialect"]) == (operation, is_call, "openinference")


def test_spans_with_the_names_of_both_conventions_are_read_once() -> None:
    """OPENINFERENCE_ENABLE_GENAI_SEMCONV writes gen_ai.* beside llm.*."""
    row = of_span(
        LLM
        | {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 412,
            "gen_ai.usage.output_tokens": 87,
            "gen_ai.usage.cache_creation.input_tokens": 96,
            "gen_ai.usage.cache_read.input_tokens": 128,
            "gen_ai.input.messages": json.dumps([text("user", "from gen_ai")]),
            "llm.token_count.prompt": 412,
            "llm.token_count.completion": 87,
            "llm.token_count.total": 499,
            "llm.token_count.prompt_details.cache_read": 128,
            "llm.token_count.prompt_details.cache_write": 96,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "from llm",
        },
        scope=SCOPE,
    )
    assert row == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o",
        "response_id": "chatcmpl-1",
        "input_tokens": 412,
        "output_tokens": 87,
        "total_tokens": 499,
        "cache_read_tokens": 128,
        "cache_write_tokens": 96,
        "input": [text("user", "from llm")],
        "dialect": "openinference",
        "is_llm_call": True,
    }


def test_the_host_of_a_model_goes_before_its_maker() -> None:
    assert of_span(LLM | {"llm.provider": "azure"})["provider"] == "azure.ai.openai"


def test_models_asked_for_are_read_from_the_parameters() -> None:
    for parameters in ({"model": "gpt-4o-mini"}, {"model_name": "gpt-4o-mini"}, {"modelId": "gpt-4o-mini"}):
        row = of_span(LLM | {"llm.invocation_parameters": json.dumps(parameters | {"stream": True})})
        assert (row["request_model"], row["response_model"], row["streaming"]) == ("gpt-4o-mini", "gpt-4o", True)


def test_reported_costs_and_audio_are_read() -> None:
    row = of_span(
        LLM
        | {
            "llm.cost.prompt": 0.001,
            "llm.cost.completion": 0.002,
            "llm.cost.total": 0.003,
            "llm.token_count.prompt_details.audio": 7,
            "llm.token_count.completion_details.audio": 9,
        }
    )
    assert row["reported_cost_usd"] == Decimal("0.003")
    assert (row["audio_input_tokens"], row["audio_output_tokens"]) == (7, 9)


def test_the_answer_tells_what_older_versions_leave_out() -> None:
    answer = {
        "id": "chatcmpl-1",
        "service_tier": "flex",
        "choices": [{"finish_reason": "length", "message": {"role": "assistant", "content": "Ho"}}],
    }
    row = of_span(LLM | {"output.value": json.dumps(answer), "output.mime_type": "application/json"})
    assert (row["response_id"], row["service_tier"], row["finish_reason"]) == ("chatcmpl-1", "flex", "length")
    assert row["output"] == [text("assistant", "Ho", finish_reason="length")]


def test_an_answer_of_a_chain_that_looks_like_one_of_a_model_is_no_model_s() -> None:
    row = of_span({"openinference.span.kind": "CHAIN", "output.value": '{"id": "order-1", "service_tier": "gold"}'})
    assert ("response_id" in row, "service_tier" in row) == (False, False)


def test_an_image_in_a_message_is_cut_out() -> None:
    data = bytes(range(256)) * 8
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    row = of_span(
        LLM
        | {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "What is it?",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": uri,
        }
    )
    [message] = row["input"]
    assert message["parts"] == [
        {"type": "text", "content": "What is it?"},
        {
            "type": "blob",
            "modality": "image",
            "mime_type": "image/png",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    ]


def test_messages_come_in_the_order_of_their_indices() -> None:
    flat: dict[str, Value] = {}
    for index in (10, 2, 0):
        flat[f"llm.input_messages.{index}.message.role"] = "user"
        flat[f"llm.input_messages.{index}.message.content"] = str(index)
    assert of_span(LLM | flat)["input"] == [text("user", "0"), text("user", "2"), text("user", "10")]


def test_texts_to_embed_are_the_input_and_vectors_are_nowhere() -> None:
    row = of_span(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "text-embedding-3-small",
            "embedding.embeddings.0.embedding.text": "one",
            "embedding.embeddings.0.embedding.vector": [0.25, 0.5],
            "embedding.embeddings.1.embedding.text": "two",
            "embedding.embeddings.1.embedding.vector": [0.125, 0.75],
            "input.value": '["one", "two"]',
            "output.value": '{"data": [[0.25, 0.5], [0.125, 0.75]]}',
        }
    )
    assert row["input"] == [text("user", "one"), text("user", "two")]
    assert row["request_model"] == "text-embedding-3-small"
    assert "output" not in row


def test_a_reranker_s_documents_are_those_that_came_out() -> None:
    row = of_span(
        {
            "openinference.span.kind": "RERANKER",
            "reranker.query": "refund",
            "reranker.model_name": "rerank-v3",
            "reranker.top_k": 1,
            "reranker.input_documents.0.document.id": "a",
            "reranker.input_documents.1.document.id": "b",
            "reranker.output_documents.0.document.id": "b",
            "reranker.output_documents.0.document.score": 0.9,
            "reranker.output_documents.0.document.content": "Seven days.",
            "reranker.output_documents.0.document.metadata": '{"page": 3}',
        }
    )
    assert row == {
        "operation": "rerank",
        "request_model": "rerank-v3",
        "input": [text("user", "refund")],
        "documents": [{"id": "b", "score": 0.9, "content": "Seven days.", "metadata": {"page": 3}}],
        "dialect": "openinference",
        "is_llm_call": True,
    }


def test_guardrails_and_evaluators_keep_what_they_saw_and_said() -> None:
    for kind in ("GUARDRAIL", "EVALUATOR"):
        row = of_span({"openinference.span.kind": kind, "input.value": "Hi", "output.value": '{"blocked": true}'})
        assert (row["input"], row["output"]) == ([text("user", "Hi")], [text("assistant", '{"blocked":true}')])


def test_labels_are_read_from_the_metadata() -> None:
    metadata = {"feature": "refund", "team": "cs", "language": "ko", "environment": "staging", "plan": "pro"}
    row = of_span(LLM | {"metadata": json.dumps(metadata), "tag.tags": ["a", "b"], "session.id": "s", "user.id": "u"})
    assert {name: row[name] for name in ("feature", "team", "language", "environment")} == {
        name: metadata[name] for name in ("feature", "team", "language", "environment")
    }
    assert (row["tags"], row["session_id"], row["user_id"]) == (["a", "b"], "s", "u")


def test_prompts_of_completions_are_read() -> None:
    row = of_span(LLM | {"llm.prompts.0.prompt.text": "Once", "llm.choices.0.completion.text": "upon a time"})
    assert (row["input"], row["output"]) == ([text("user", "Once")], [text("assistant", "upon a time")])


def test_tools_and_agents_have_their_names() -> None:
    tool = of_span(
        {"openinference.span.kind": "TOOL", "tool.name": "weather", "tool.id": "c1", "input.value": '{"city": "Paris"}'}
    )
    assert tool["input"] == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
        }
    ]
    agent = of_span({"openinference.span.kind": "AGENT", "agent.name": "planner"}, name="run")
    assert agent["agent_name"] == "planner"


def test_the_javascript_instrumentations_are_known_by_their_scope() -> None:
    assert of_span({}, scope="@arizeai/openinference-instrumentation-openai")["dialect"] == "openinference"
