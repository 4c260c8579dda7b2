"""What a tool's own span says, whoever recorded it."""

import json
from typing import Any

import pytest

from spanmill.llm.messages import tool_call_messages, tool_response_messages
from tests.llm.messages.captured import ARGUMENTS, RESULT, RESULT_TEXT, called, returned


@pytest.mark.parametrize(
    "sent",
    [
        ARGUMENTS,
        {"type": "json", "value": ARGUMENTS},
        {"args": [], "kwargs": ARGUMENTS},
        {"input_str": str(ARGUMENTS), "tags": ["seq:step:1"], "inputs": ARGUMENTS, "kwargs": {"color": "green"}},
    ],
    ids=["arguments", "langwatch", "decorator", "langchain"],
)
def test_the_call_is_the_same_whoever_recorded_it(sent: Any) -> None:
    assert tool_call_messages(sent, "call_0", "get_order") == [called("call_0")]
    assert tool_call_messages(json.dumps(sent), "call_0", "get_order") == [called("call_0")]


_TOOL_MESSAGE = {"content": RESULT_TEXT, "type": "tool", "name": "get_order", "tool_call_id": "call_0"}


@pytest.mark.parametrize(
    "sent",
    [
        RESULT,
        {"type": "json", "value": RESULT},
        _TOOL_MESSAGE,
        {"type": "tool", "data": _TOOL_MESSAGE},
        {
            "output": {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "schema", "messages", "ToolMessage"],
                "kwargs": _TOOL_MESSAGE,
            },
            "kwargs": {"tags": ["seq:step:1"]},
        },
    ],
    ids=["result", "langwatch", "langchain fields", "langchain data", "langchain constructor"],
)
def test_the_answer_is_the_same_whoever_recorded_it(sent: Any) -> None:
    assert tool_response_messages(sent, "call_0") == [returned("call_0")]
    assert tool_response_messages(json.dumps(sent), "call_0") == [returned("call_0")]


def test_what_is_not_known_is_left_out() -> None:
    assert tool_call_messages(None, None, "get_order") == [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "get_order"}]}
    ]
    assert tool_response_messages("kb timeout", None) == [
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": "kb timeout"}]}
    ]
