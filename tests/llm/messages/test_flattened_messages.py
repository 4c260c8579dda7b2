"""Messages that OpenInference and OpenLLMetry flatten into indexed attributes."""

import json
from typing import Any

import pytest

from spanmill.llm.messages import Content, messages
from tests.llm.messages.captured import (
    ANSWER,
    ANSWERED,
    ARGUMENTS_TEXT,
    ASKED,
    FINISHED,
    PNG,
    PNG_PART,
    QUESTION,
    RESULT_TEXT,
    SYSTEM,
    SYSTEM_PART,
    called,
    returned,
)

_OPENINFERENCE: dict[str, Any] = {
    "10.message.role": "assistant",
    "10.message.content": ANSWER,
    "0.message.role": "system",
    "0.message.content": SYSTEM,
    "1.message.role": "user",
    "1.message.content": QUESTION,
    "2.message.role": "assistant",
    "2.message.tool_calls.0.tool_call.id": "call_0",
    "2.message.tool_calls.0.tool_call.function.name": "get_order",
    "2.message.tool_calls.0.tool_call.function.arguments": ARGUMENTS_TEXT,
    "3.message.role": "tool",
    "3.message.name": "get_order",
    "3.message.content": RESULT_TEXT,
    "3.message.tool_call_id": "call_0",
}
_OPENLLMETRY = {
    "0.role": "system",
    "0.content": SYSTEM,
    "1.role": "user",
    "1.content": QUESTION,
    "2.role": "assistant",
    "2.tool_calls.0.id": "call_0",
    "2.tool_calls.0.name": "get_order",
    "2.tool_calls.0.arguments": ARGUMENTS_TEXT,
    "3.role": "tool",
    "3.content": RESULT_TEXT,
    "3.tool_call_id": "call_0",
    "10.role": "assistant",
    "10.content": ANSWER,
}


@pytest.mark.parametrize(("form", "sent"), [("openinference", _OPENINFERENCE), ("openllmetry", _OPENLLMETRY)])
def test_a_conversation_is_put_together_in_the_order_of_its_indices(form: str, sent: dict[str, Any]) -> None:
    content = messages(form, sent, "user")
    assert content == Content([ASKED, called("call_0"), returned("call_0"), ANSWERED], [SYSTEM_PART])
    backwards = dict(reversed(sent.items()))
    assert messages(form, backwards, "user") == content


def test_the_parts_of_a_message_may_be_flattened_too() -> None:
    sent = {
        "1.message.role": "user",
        "1.message.contents.1.message_content.image.image.url": f"data:image/png;base64,{PNG}",
        "1.message.contents.1.message_content.type": "image",
        "1.message.contents.0.message_content.text": QUESTION,
        "1.message.contents.0.message_content.type": "text",
    }
    assert messages("openinference", sent, "user").messages == [
        {"role": "user", "parts": [{"type": "text", "content": QUESTION}, PNG_PART]}
    ]


def test_calls_among_the_parts_are_those_beside_them() -> None:
    """Anthropic's answers: reasoning, a text and a call, and the call again."""
    sent = {
        "0.message.role": "assistant",
        "0.message.contents.0.message_content.type": "reasoning",
        "0.message.contents.0.message_content.text": "Policy says 7 days.",
        "0.message.contents.0.message_content.signature": "c2lnLWZha2U=",
        "0.message.contents.1.message_content.type": "text",
        "0.message.contents.1.message_content.text": "주문을 조회하겠습니다.",
        "0.message.contents.2.message_content.type": "tool_use",
        "0.message.contents.2.tool_call.id": "toolu_1",
        "0.message.contents.2.tool_call.function.name": "get_order",
        "0.message.contents.2.tool_call.function.arguments": ARGUMENTS_TEXT,
        "0.message.tool_calls.0.tool_call.id": "toolu_1",
        "0.message.tool_calls.0.tool_call.function.name": "get_order",
        "0.message.tool_calls.0.tool_call.function.arguments": ARGUMENTS_TEXT,
    }
    (call,) = called("toolu_1")["parts"]
    assert messages("openinference", sent, "assistant").messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Policy says 7 days."},
                {"type": "text", "content": "주문을 조회하겠습니다."},
                call,
            ],
        }
    ]


def test_a_text_that_stands_as_content_and_among_the_parts_counts_once() -> None:
    sent = {
        "0.message.role": "assistant",
        "0.message.content": ANSWER,
        "0.message.contents.0.message_content.type": "text",
        "0.message.contents.0.message_content.text": ANSWER,
    }
    assert messages("openinference", sent, "assistant").messages == [ANSWERED]
    sent["0.message.content"] = "Hello."
    (message,) = messages("openinference", sent, "assistant").messages
    assert [part["content"] for part in message["parts"]] == ["Hello.", ANSWER]


def test_texts_to_embed_and_completions_are_messages() -> None:
    sent = {"1.embedding.text": "b", "0.embedding.text": "a", "0.embedding.vector": [0.5]}
    said = messages("openinference", sent, "user").messages
    assert [message["parts"][0]["content"] for message in said] == ["a", "b"]
    assert messages("openinference", {"0.completion.text": ANSWER}, "assistant").messages == [ANSWERED]


def test_an_older_answer_says_why_it_ended() -> None:
    sent = {"0.finish_reason": "stop", "0.role": "assistant", "0.content": ANSWER}
    assert messages("openllmetry", sent, "assistant").messages == [FINISHED]


def test_content_may_be_the_json_text_of_parts() -> None:
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}]
    expected = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}, PNG_PART]}]
    sent = json.dumps(parts)
    assert messages("openllmetry", {"0.role": "user", "0.content": sent}, "user").messages == expected
    assert messages("openinference", {"0.message.role": "user", "0.message.content": sent}, "user").messages == expected


def test_a_role_without_content_says_nothing() -> None:
    assert messages("openinference", {"0.message.role": "user"}, "user").messages == []


def test_a_value_that_is_not_flattened_is_taken_for_what_it_is() -> None:
    assert messages("openinference", QUESTION, "user").messages == [ASKED]
