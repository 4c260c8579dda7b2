"""OpenTelemetry's own messages, as its instrumentations, OpenLLMetry and pydantic-ai write them."""

import json

import pytest

from spanmill.llm.messages import dumps, messages
from tests.llm.messages.captured import (
    ANSWER,
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


def test_messages_of_the_official_instrumentations_lose_only_what_says_nothing() -> None:
    sent = (
        '[{"role":"system","parts":[{"content":' + json.dumps(SYSTEM) + ',"type":"text"}],"name":null},'
        '{"role":"user","parts":[{"content":' + json.dumps(QUESTION) + ',"type":"text"}],"name":null}]'
    )
    content = messages("gen_ai", sent, "user")
    assert content.system == [SYSTEM_PART]
    assert dumps(content.messages) == dumps([ASKED])


def test_nested_values_of_log_records_are_the_same_messages() -> None:
    sent = [
        {"role": "user", "parts": [{"content": QUESTION, "type": "text"}], "name": None},
        {
            "role": "assistant",
            "parts": [{"arguments": ARGUMENTS, "name": "get_order", "id": "call_0_db0b553b", "type": "tool_call"}],
            "finish_reason": "tool_call",
            "name": None,
        },
    ]
    assert messages("gen_ai", sent, "user").messages == [ASKED, called("call_0_db0b553b")]


def test_an_answer_keeps_the_reason_why_it_ended_in_canonical_words() -> None:
    sent = (
        '[{"role":"assistant","parts":[{"arguments":{"order_id":"ORD-20260211-7781","customer_email":'
        '"minji.kim@example.co.kr"},"name":"get_order","id":"call_0_db0b553b","type":"tool_call"}],'
        '"finish_reason":"tool_call","name":null}]'
    )
    assert messages("gen_ai", sent, "assistant").messages == [
        called("call_0_db0b553b") | {"finish_reason": "tool_calls"}
    ]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("MAX_TOKENS", "length"),
        ("content-filter", "content_filter"),
        ("x", "x"),
    ],
)
def test_reasons_have_the_names_of_the_canonical_values(sent: str, reason: str) -> None:
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "hi"}], "finish_reason": sent}]
    assert messages("gen_ai", answer, "assistant").messages[0]["finish_reason"] == reason


def test_each_answer_of_a_tool_is_the_message_of_a_tool_whoever_sent_it() -> None:
    """pydantic-ai puts all of them into one message of the user, with arguments as text and `result`."""
    sent = [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "a", "name": "get_order", "arguments": ARGUMENTS_TEXT}],
            "finish_reason": "tool_call",
        },
        {
            "role": "user",
            "parts": [
                {"type": "tool_call_response", "id": "a", "name": "get_order", "result": RESULT},
                {"type": "tool_call_response", "id": "b", "name": "get_order", "result": "Final result processed."},
                {"type": "text", "content": QUESTION},
            ],
        },
    ]
    assert messages("gen_ai", sent, "user").messages == [
        called("a"),
        returned("a"),
        returned("b", "Final result processed."),
        ASKED,
    ]


def test_json_text_of_objects_is_parsed_and_any_other_text_is_not() -> None:
    def response(text: str) -> object:
        sent = [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "a", "response": text}]}]
        return messages("gen_ai", sent, "user").messages[0]["parts"][0]["response"]

    assert response(RESULT_TEXT) == RESULT
    assert response("[1, 2]") == [1, 2]
    assert [response(text) for text in ("42", "true", '"x"', "{'order_id': 1}", "[cut of")] == [
        "42",
        "true",
        '"x"',
        "{'order_id': 1}",
        "[cut of",
    ]


def test_reasoning_stands_before_the_text_that_it_led_to() -> None:
    sent = (
        '[{"role":"assistant","parts":[{"content":"Policy says 7 days.","type":"reasoning"},{"content":"hi","type":'
        '"text"}],"finish_reason":"stop"}]'
    )
    assert messages("gen_ai", sent, "assistant").messages[0]["parts"] == [
        {"type": "reasoning", "content": "Policy says 7 days."},
        {"type": "text", "content": "hi"},
    ]


def test_blobs_are_cut_out_and_references_are_kept() -> None:
    blob = {"mime_type": "image/png", "modality": "image", "content": PNG, "type": "blob"}
    uri = {"type": "uri", "modality": "image", "uri": "http://127.0.0.1:14318/upload/image-1"}
    file = {"type": "file", "modality": "document", "file_id": "file-1"}
    sent = [{"role": "user", "parts": [blob, uri, file]}]
    assert messages("gen_ai", sent, "user").messages[0]["parts"] == [PNG_PART, uri, file]


@pytest.mark.parametrize("role", ["user", "system"])
def test_instructions_are_parts_of_the_system_prompt(role: str) -> None:
    sent = json.dumps([{"content": SYSTEM, "type": "text"}])
    content = messages("gen_ai", sent, role)
    if role == "system":
        assert (content.messages, content.system) == ([], [SYSTEM_PART])
    else:
        assert content.messages == [{"role": "user", "parts": [SYSTEM_PART]}]


def test_a_system_message_further_down_stays_where_it_was_said() -> None:
    late = {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
    content = messages("gen_ai", [late, ASKED, late], "user")
    assert content.system == late["parts"]
    assert content.messages == [ASKED, late]


def test_a_role_that_is_unknown_is_that_of_the_side() -> None:
    sent = json.dumps([{"role": "unknown", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"}])
    assert messages("gen_ai", sent, "assistant").messages == [FINISHED]


def test_canonical_text_comes_out_byte_for_byte() -> None:
    text = dumps([ASKED, called("a"), returned("a"), {"role": "user", "parts": [PNG_PART]}, FINISHED])
    assert dumps(messages("gen_ai", text, "assistant").messages) == text


def test_roles_without_content_say_nothing() -> None:
    assert messages("gen_ai", [{"role": "user"}, {"role": "assistant", "parts": []}], "user").messages == []
    only_system = messages("gen_ai", [{"role": "system", "parts": [SYSTEM_PART]}, {"role": "user"}], "user")
    assert (only_system.messages, only_system.system) == ([], [SYSTEM_PART])
    assert messages("gen_ai", "[]", "user").messages == []
    assert messages("gen_ai", None, "user").messages == []


def test_a_part_of_an_unknown_kind_is_kept_as_text() -> None:
    sent = [{"role": "user", "parts": [{"type": "hologram", "depth": 3}]}]
    (part,) = messages("gen_ai", sent, "user").messages[0]["parts"]
    assert part == {"type": "text", "content": '{"type":"hologram","depth":3}'}
