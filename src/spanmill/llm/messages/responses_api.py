"""Items of OpenAI's Responses API: messages, reasoning, calls of tools and their answers, each on its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from spanmill.llm.messages.conversation import Conversation
from spanmill.llm.messages.parts import parts

_ANSWERING = ("function_call", "custom_tool_call", "mcp_call", "reasoning")
_ITEMS = (*_ANSWERING, "function_call_output", "custom_tool_call_output")


def is_item(value: Mapping[Any, Any]) -> bool:
    """Whether the value is an item other than a plain message with a role."""
    kind = value.get("type")
    if kind == "message":
        return "content" in value and type(value.get("role")) is str
    return type(kind) is str and kind in _ITEMS and "role" not in value and ("id" in value or "call_id" in value)


def add_item(item: Mapping[Any, Any], into: Conversation) -> None:
    """An item; those of the assistant that follow each other are one message."""
    kind = item["type"]
    if kind in _ANSWERING:
        into.continue_answer(parts(item))
    elif kind != "message":
        into.add("tool", parts(item))
    elif into.role_of(item) == "assistant" and _goes_on(into):
        into.continue_answer(parts(item.get("content")))
    else:
        into.add_message(item)


def add_answer(answer: Mapping[Any, Any], output: Sequence[Mapping[Any, Any]], into: Conversation) -> None:
    """A whole response: its items, and why it ended, which its status tells."""
    before = len(into.messages)
    for item in output:
        add_item(item, into)
    if len(into.messages) > before:
        calls = any(part["type"] == "tool_call" for part in into.messages[-1]["parts"])
        into.finish("tool_calls" if calls and answer.get("status") == "completed" else answer.get("status"))


def _goes_on(into: Conversation) -> bool:
    """Whether the message before holds nothing but reasoning and calls so far."""
    last = into.messages[-1] if into.messages else None
    return last is not None and last["role"] == "assistant" and all(part["type"] != "text" for part in last["parts"])
