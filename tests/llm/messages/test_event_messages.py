"""One event or log record for each message: OpenTelemetry up to 1.36, and those who still do so."""

import json
from typing import Any

from spanmill.llm.messages import Content, messages
from tests.llm.messages.captured import (
    ANSWER,
    ANSWERED,
    ARGUMENTS_TEXT,
    ASKED,
    FINISHED,
    QUESTION,
    RESULT_TEXT,
    SYSTEM,
    SYSTEM_PART,
    called,
    returned,
)

_CALLS = [{"id": "call_0", "type": "function", "function": {"name": "get_order", "arguments": ARGUMENTS_TEXT}}]
_BODIES: list[tuple[str, dict[str, Any]]] = [
    ("gen_ai.system.message", {"content": SYSTEM}),
    ("gen_ai.user.message", {"content": QUESTION}),
    ("gen_ai.assistant.message", {"tool_calls": _CALLS}),
    ("gen_ai.tool.message", {"content": RESULT_TEXT, "id": "call_0"}),
    (
        "gen_ai.choice",
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}},
    ),
]
_SENT = Content([ASKED, called("call_0"), returned("call_0")], [SYSTEM_PART])


def test_log_records_have_the_message_in_their_body() -> None:
    attributes = {"gen_ai.system": "openai"}
    for encode in (lambda body: body, json.dumps):
        records = [{"name": name, "attributes": attributes, "body": encode(body)} for name, body in _BODIES]
        assert messages("gen_ai_event", records, "user") == _SENT
        assert messages("gen_ai_event", records, "assistant") == Content([FINISHED])


def test_span_events_have_it_in_their_attributes() -> None:
    def flat(body: dict[str, Any]) -> dict[str, Any]:
        return {key: value if isinstance(value, str | int) else json.dumps(value) for key, value in body.items()}

    events = [{"name": name, "attributes": flat(body), "body": None} for name, body in _BODIES]
    assert messages("gen_ai_event", events, "user") == _SENT
    assert messages("gen_ai_event", events, "assistant") == Content([FINISHED])


def test_one_record_belongs_to_one_side() -> None:
    record = {"name": "gen_ai.user.message", "attributes": {}, "body": {"content": QUESTION}}
    assert messages("gen_ai_event", record, "user").messages == [ASKED]
    assert messages("gen_ai_event", record, "assistant").messages == []


def test_pydantic_ai_writes_bodies_that_name_their_event() -> None:
    sent = json.dumps([{"event.name": name, "gen_ai.message.index": 0, **body} for name, body in _BODIES])
    assert messages("gen_ai_event", sent, "user") == _SENT
    assert messages("gen_ai_event", sent, "assistant") == Content([FINISHED])


def test_all_of_an_event_may_be_in_one_attribute() -> None:
    event = {
        "name": "gen_ai.user.message",
        "attributes": {"gen_ai.system": "az.ai.inference", "gen_ai.event.content": json.dumps({"content": QUESTION})},
        "body": None,
    }
    assert messages("gen_ai_event", event, "user").messages == [ASKED]


def test_events_of_whole_prompts_and_completions_are_read() -> None:
    prompt = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    events = [
        {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": json.dumps(prompt)}, "body": None},
        {"name": "gen_ai.content.completion", "attributes": {"gen_ai.completion": ANSWER}, "body": None},
    ]
    assert messages("gen_ai_event", events, "user") == Content([ASKED], [SYSTEM_PART])
    assert messages("gen_ai_event", events, "assistant").messages == [ANSWERED]


def test_the_event_of_a_whole_call_is_read() -> None:
    attributes = {
        "gen_ai.input.messages": [ASKED],
        "gen_ai.output.messages": [FINISHED],
        "gen_ai.system_instructions": [{"content": SYSTEM, "type": "text"}],
    }
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": attributes, "body": ""}
    assert messages("gen_ai_event", event, "user") == Content([ASKED], [SYSTEM_PART])
    assert messages("gen_ai_event", event, "assistant").messages == [FINISHED]


def test_events_without_content_say_nothing() -> None:
    events = [
        {"name": "gen_ai.choice", "attributes": {"index": 0, "finish_reason": "stop"}, "body": None},
        {"name": "gen_ai.choice", "attributes": {}, "body": {"index": 0, "message": {"role": "assistant"}}},
        {"name": "gen_ai.user.message", "attributes": {"gen_ai.system": "openai"}, "body": None},
        {"name": "exception", "attributes": {"exception.message": "x"}, "body": None},
    ]
    assert messages("gen_ai_event", events, "user") == Content()
    assert messages("gen_ai_event", events, "assistant") == Content()
