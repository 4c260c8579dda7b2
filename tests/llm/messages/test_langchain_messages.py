"""LangChain's messages, in the three ways in which its callbacks and tracers write them."""

import json
from typing import Any

import pytest

from spanmill.llm.messages import Content, messages
from tests.llm.messages.captured import (
    ANSWER,
    ANSWERED,
    ARGUMENTS,
    ASKED,
    FINISHED,
    QUESTION,
    SYSTEM,
    SYSTEM_PART,
    called,
    returned,
)

_REPR = "{'order_id': 'ORD-20260211-7781', 'status': 'delivered'}"
_METADATA = {"model_provider": "openai", "model_name": "gpt-4o-mini-2024-07-18", "finish_reason": "tool_calls"}
_FIELDS: list[tuple[str, str, dict[str, Any]]] = [
    ("SystemMessage", "system", {"content": SYSTEM}),
    ("HumanMessage", "human", {"content": QUESTION, "additional_kwargs": {}, "id": "0a7eafd9"}),
    (
        "AIMessage",
        "ai",
        {
            "content": "",
            "additional_kwargs": {"refusal": None},
            "response_metadata": _METADATA,
            "id": "lc_run--01a1fb43",
            "tool_calls": [{"name": "get_order", "args": ARGUMENTS, "id": "call_0", "type": "tool_call"}],
            "invalid_tool_calls": [],
        },
    ),
    (
        "ToolMessage",
        "tool",
        {"content": _REPR, "name": "get_order", "id": "a88f6fd3", "tool_call_id": "call_0", "status": "success"},
    ),
    ("AIMessageChunk", "AIMessageChunk", {"content": ANSWER, "response_metadata": {"finish_reason": "stop"}}),
]


def _constructor(name: str, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": fields | {"type": kind}}


_WAYS = {
    "constructor": [_constructor(*one) for one in _FIELDS],
    "type and data": [{"type": kind, "data": fields | {"type": kind}} for _, kind, fields in _FIELDS],
    "fields": [fields | {"type": kind} for _, kind, fields in _FIELDS],
}
_SAID: list[dict[str, Any]] = [ASKED, called("call_0"), returned("call_0", _REPR), ANSWERED]


@pytest.mark.parametrize("way", _WAYS)
def test_every_serialisation_gives_the_same_messages(way: str) -> None:
    for sent in (_WAYS[way], [_WAYS[way]], {"messages": _WAYS[way]}, {"messages": [_WAYS[way]]}):
        assert messages("auto", json.dumps(sent), "user") == Content(_SAID, [SYSTEM_PART])


@pytest.mark.parametrize("way", _WAYS)
def test_what_a_graph_answers_is_found_in_its_state_and_in_its_commands(way: str) -> None:
    said = [ASKED, called("call_0") | {"finish_reason": "tool_calls"}, returned("call_0", _REPR), FINISHED]
    state = {"messages": _WAYS[way][1:]}
    command: list[dict[str, Any]] = [{"graph": None, "update": state, "resume": None, "goto": []}]
    traced = {"outputs": state, "kwargs": {"tags": ["graph:step:1"]}}
    for sent in (state, command, {"output": command}, traced):
        assert messages("auto", json.dumps(sent), "assistant").messages == said


def test_generations_hold_the_answer_and_why_it_ended() -> None:
    message = _constructor("AIMessage", "ai", {"content": ANSWER})
    information = {"finish_reason": "stop", "logprobs": None}
    generation = {"text": ANSWER, "generation_info": information, "type": "ChatGeneration", "message": message}
    sent = {"generations": [[generation]], "llm_output": None, "run": None, "type": "LLMResult"}
    assert messages("auto", json.dumps(sent), "assistant").messages == [FINISHED]
    del generation["message"]
    assert messages("auto", json.dumps(sent), "assistant").messages == [FINISHED]


def test_the_value_of_a_prompt_holds_messages() -> None:
    prompt = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "chat", "ChatPromptValue"],
        "kwargs": {"messages": _WAYS["constructor"][:2]},
    }
    sent = {"outputs": prompt, "kwargs": {"tags": ["seq:step:1"]}}
    said = messages("auto", json.dumps(sent), "assistant").messages
    assert said == [{"role": "system", "parts": [SYSTEM_PART]}, ASKED]


def test_what_a_run_took_in_is_told_apart_from_its_tags() -> None:
    sent = {"inputs": {"q": "환불"}, "tags": ["prod"], "metadata": {}, "kwargs": {"name": "RunnableSequence"}}
    (message,) = messages("auto", json.dumps(sent), "user").messages
    assert message["parts"] == [{"type": "text", "content": '{"q":"환불"}'}]
    done = {"outputs": ANSWER, "kwargs": {"tags": ["seq:step:3"], "inputs": {"q": "환불"}}}
    assert messages("auto", json.dumps(done), "assistant").messages == [ANSWERED]


def test_messages_may_be_pairs_and_calls_of_tools_may_stand_alone() -> None:
    assert messages("auto", [["system", SYSTEM], ["human", QUESTION]], "user") == Content([ASKED], [SYSTEM_PART])
    calls = [{"name": "get_order", "args": ARGUMENTS, "id": "call_0", "type": "tool_call"}]
    assert messages("auto", calls, "user").messages == [called("call_0")]
    assert messages("langsmith", {"input": calls}, "user").messages == [called("call_0")]


def test_a_call_that_is_in_the_content_too_counts_once() -> None:
    sent = {
        "type": "ai",
        "content": [{"type": "tool_use", "id": "call_0", "name": "get_order", "input": ARGUMENTS}],
        "tool_calls": [{"name": "get_order", "args": ARGUMENTS, "id": "call_0", "type": "tool_call"}],
    }
    assert messages("auto", sent, "assistant").messages == [called("call_0")]


def test_definitions_of_tools_among_the_messages_are_left_out() -> None:
    definition = {"type": "function", "function": {"name": "get_order", "description": "", "parameters": {}}}
    sent = [{"role": "user", "content": QUESTION}, {"role": "tool", "content": definition}]
    assert messages("auto", sent, "user").messages == [ASKED]


def test_a_message_whose_type_was_dropped_is_that_of_the_side() -> None:
    sent = {"messages": [{"content": QUESTION, "additional_kwargs": {}}]}
    assert messages("auto", sent, "user").messages == [ASKED]
