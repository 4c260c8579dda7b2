"""Requests and answers of the providers' own APIs, as SDKs copy them into attributes."""

import json
from typing import Any

import pytest

from spanmill.llm.messages import Content, messages
from tests.llm.messages.captured import (
    ANSWER,
    ANSWERED,
    ARGUMENTS,
    ARGUMENTS_TEXT,
    ASKED,
    FINISHED,
    PNG,
    PNG_PART,
    QUESTION,
    RESULT,
    RESULT_TEXT,
    SYSTEM,
    SYSTEM_PART,
    called,
    returned,
)

_OPENAI = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": QUESTION},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "get_order", "arguments": ARGUMENTS_TEXT}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_0", "content": RESULT_TEXT},
    {"role": "assistant", "content": ANSWER},
]
_ANTHROPIC = {
    "model": "claude-sonnet-5",
    "system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": QUESTION},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "call_0", "name": "get_order", "input": ARGUMENTS}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": RESULT_TEXT}]},
        {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
    ],
}
_RESPONSES = {
    "model": "gpt-4o-mini",
    "instructions": SYSTEM,
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_0", "name": "get_order", "arguments": ARGUMENTS_TEXT},
        {"type": "function_call_output", "call_id": "call_0", "output": RESULT_TEXT},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]},
    ],
}
_BEDROCK = {
    "system": [{"text": SYSTEM}],
    "messages": [
        {"role": "user", "content": [{"text": QUESTION}]},
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "call_0", "name": "get_order", "input": ARGUMENTS}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "call_0", "content": [{"json": RESULT}]}}]},
        {"role": "assistant", "content": [{"text": ANSWER}]},
    ],
}
_VERCEL = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    {
        "role": "assistant",
        "content": [{"type": "tool-call", "toolCallId": "call_0", "toolName": "get_order", "input": ARGUMENTS}],
    },
    {
        "role": "tool",
        "content": [
            {
                "type": "tool-result",
                "toolCallId": "call_0",
                "toolName": "get_order",
                "output": {"type": "json", "value": RESULT},
            }
        ],
    },
    {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
]
_PYDANTIC_AI = [
    {
        "kind": "request",
        "parts": [
            {"part_kind": "system-prompt", "content": SYSTEM},
            {"part_kind": "user-prompt", "content": QUESTION, "timestamp": "2026-02-11T00:00:00Z"},
        ],
    },
    {
        "kind": "response",
        "parts": [
            {"part_kind": "tool-call", "tool_name": "get_order", "args": ARGUMENTS_TEXT, "tool_call_id": "call_0"}
        ],
    },
    {
        "kind": "request",
        "parts": [{"part_kind": "tool-return", "tool_name": "get_order", "content": RESULT, "tool_call_id": "call_0"}],
    },
    {"kind": "response", "parts": [{"part_kind": "text", "content": ANSWER}]},
]
_WHOLE = Content([ASKED, called("call_0"), returned("call_0"), ANSWERED], [SYSTEM_PART])


@pytest.mark.parametrize(
    "sent",
    [_OPENAI, {"messages": _OPENAI, "tools": []}, _ANTHROPIC, _RESPONSES, _BEDROCK, _VERCEL, _PYDANTIC_AI],
    ids=["openai", "openai request", "anthropic", "responses", "bedrock", "vercel", "pydantic-ai"],
)
def test_the_same_conversation_is_the_same_in_every_api(sent: Any) -> None:
    assert messages("auto", sent, "user") == _WHOLE
    assert messages("auto", json.dumps(sent), "user") == _WHOLE
    assert messages("auto", json.dumps(json.dumps(sent)), "user") == _WHOLE
    assert messages("langsmith", json.dumps(sent), "user") == _WHOLE


def test_gemini_calls_its_tools_by_name() -> None:
    sent = {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "contents": [
            {"role": "user", "parts": [{"text": QUESTION}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_order", "args": ARGUMENTS}}]},
            {"role": "function", "parts": [{"functionResponse": {"name": "get_order", "response": RESULT}}]},
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": ANSWER}]},
        ],
    }
    assert messages("auto", sent, "user") == Content(
        [
            {"role": "user", "parts": [{"type": "text", "content": QUESTION}, PNG_PART]},
            {"role": "assistant", "parts": [{"type": "tool_call", "name": "get_order", "arguments": ARGUMENTS}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "name": "get_order", "response": RESULT}]},
            {
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": ANSWER}],
            },
        ],
        [SYSTEM_PART],
    )


_ANSWERS: dict[str, dict[str, Any]] = {
    "openai": {
        "id": "chatcmpl-1",
        "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": ANSWER, "role": "assistant"}}],
        "object": "chat.completion",
    },
    "openai completion": {"choices": [{"finish_reason": "stop", "index": 0, "text": ANSWER}]},
    "anthropic": {
        "id": "msg_1",
        "content": [{"citations": None, "text": ANSWER, "type": "text"}],
        "role": "assistant",
        "stop_reason": "end_turn",
        "type": "message",
    },
    "responses": {
        "id": "resp_1",
        "instructions": SYSTEM,
        "object": "response",
        "output": [
            {
                "id": "msg_1",
                "content": [{"annotations": [], "text": ANSWER, "type": "output_text"}],
                "role": "assistant",
                "type": "message",
            }
        ],
        "status": "completed",
    },
    "bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}, "stopReason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": ANSWER}], "role": "model"}, "finishReason": "STOP"}]},
    "ollama": {"model": "qwen2.5", "message": {"role": "assistant", "content": ANSWER}, "done_reason": "stop"},
}


@pytest.mark.parametrize("provider", _ANSWERS)
def test_the_same_answer_is_the_same_of_every_provider(provider: str) -> None:
    finished = ANSWERED if provider == "ollama" else FINISHED
    assert messages("auto", json.dumps(_ANSWERS[provider]), "assistant").messages == [finished]


def test_items_of_one_answer_are_one_message() -> None:
    sent = {
        "object": "response",
        "status": "completed",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Policy says 7 days."}]},
            {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
            {"id": "fc_1", "type": "function_call", "call_id": "a", "name": "get_order", "arguments": ARGUMENTS_TEXT},
            {"id": "fc_2", "type": "function_call", "call_id": "b", "name": "get_order", "arguments": ""},
        ],
    }
    assert messages("auto", sent, "assistant").messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Policy says 7 days."},
                {"type": "text", "content": "hi"},
                *called("a")["parts"],
                {"type": "tool_call", "id": "b", "name": "get_order", "arguments": ""},
            ],
            "finish_reason": "tool_calls",
        }
    ]


def test_thinking_is_reasoning_without_its_signature() -> None:
    sent = {
        "role": "assistant",
        "content": [
            {"signature": "c2lnLWZha2U=", "thinking": "Policy says 7 days.", "type": "thinking"},
            {"type": "redacted_thinking", "data": "c2VjcmV0"},
            {"text": "hi", "type": "text"},
        ],
        "stop_reason": "tool_use",
    }
    assert messages("auto", sent, "assistant").messages == [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "Policy says 7 days."}, {"type": "text", "content": "hi"}],
            "finish_reason": "tool_calls",
        }
    ]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"type": "chat_messages", "value": _OPENAI}, _WHOLE.messages),
        ({"type": "json", "value": {"type": "chat_messages", "value": _OPENAI}}, _WHOLE.messages),
        ({"type": "text", "value": '{"a": 1}'}, [{"role": "user", "parts": [{"type": "text", "content": '{"a": 1}'}]}]),
        ({"type": "json", "value": {"a": 1}}, [{"role": "user", "parts": [{"type": "text", "content": '{"a":1}'}]}]),
        ({"type": "list", "value": [{"type": "text", "value": QUESTION}]}, [ASKED]),
        ({"type": "json", "value": None}, []),
    ],
)
def test_langwatch_wraps_values_with_their_type(sent: Any, said: list[Any]) -> None:
    assert messages("auto", json.dumps(sent), "user").messages == said


def test_the_vercel_prompt_is_a_system_prompt_and_a_prompt_or_messages() -> None:
    whole = Content([ASKED], [SYSTEM_PART])
    assert messages("auto", json.dumps({"system": SYSTEM, "prompt": QUESTION}), "user") == whole
    sent = {"system": SYSTEM, "messages": [{"role": "user", "content": QUESTION}]}
    assert messages("auto", json.dumps(sent), "user") == whole
    assert messages("auto", json.dumps({"prompt": QUESTION}), "user").messages == [ASKED]


def test_a_vercel_answer_is_one_message() -> None:
    calls = json.dumps([{"toolCallId": "a", "toolName": "get_order", "input": ARGUMENTS_TEXT}])
    parts = called("a")["parts"]
    assert messages("vercel_tool_calls", calls, "assistant").messages == [called("a")]
    sent = {"text": ANSWER, "toolCalls": calls, "finishReason": "tool-calls", "id": "chatcmpl-1", "model": "gpt-4o"}
    assert messages("vercel_response", sent, "assistant").messages == [
        {"role": "assistant", "parts": [*ANSWERED["parts"], *parts], "finish_reason": "tool_calls"}
    ]
    sent = {"object": '{"answer":"7일 이내"}', "finishReason": "stop"}
    assert messages("vercel_response", sent, "assistant").messages[0]["parts"] == [
        {"type": "text", "content": '{"answer":"7일 이내"}'}
    ]


def test_texts_to_embed_are_messages_of_their_own() -> None:
    two = [{"role": "user", "parts": [{"type": "text", "content": text}]} for text in ("a", "b")]
    assert messages("auto", '["a", "b"]', "user").messages == two
    assert messages("vercel_values", ['"a"', '"b"'], "user").messages == two
    sent = {"input": ["a", "b"], "model": "text-embedding-3-small", "encoding_format": "base64"}
    assert messages("auto", json.dumps(sent), "user").messages == two


def test_langsmith_wraps_results_that_are_no_objects() -> None:
    assert messages("langsmith", json.dumps({"output": ANSWER}), "assistant").messages == [ANSWERED]
    assert messages("langsmith", '{"output":null}', "assistant").messages == []
    (message,) = messages("langsmith", json.dumps({"q": QUESTION}), "user").messages
    assert message["parts"] == [{"type": "text", "content": '{"q":"' + QUESTION + '"}'}]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (QUESTION, QUESTION),
        ('"\\ud658\\ubd88"', "환불"),
        ('{"q": "\\ud658\\ubd88"}', '{"q":"환불"}'),
        ("{'q': 'a Python repr'}", "{'q': 'a Python repr'}"),
        ('{"role": "user", "content": "cut o', '{"role": "user", "content": "cut o'),
        ('[{"id": "kb-101", "text": "hi", "score": 0.91}]', '[{"id":"kb-101","text":"hi","score":0.91}]'),
        ('{"args": ["a"], "kwargs": {}}', '{"args":["a"],"kwargs":{}}'),
        ('{"role": "admin", "name": "Kim"}', '{"role":"admin","name":"Kim"}'),
        ("42", "42"),
        (42, "42"),
        (True, "true"),
        ({"blocked": False}, '{"blocked":false}'),
    ],
)
def test_what_is_no_message_is_the_text_of_one(sent: object, text: str) -> None:
    assert messages("auto", sent, "user").messages == [{"role": "user", "parts": [{"type": "text", "content": text}]}]


def test_plain_text_is_never_taken_for_json() -> None:
    said = messages("text", '{"answer": "7\\uc77c"}', "assistant").messages
    assert said == [{"role": "assistant", "parts": [{"type": "text", "content": '{"answer": "7\\uc77c"}'}]}]
