"""Calls of tools and their answers, of any provider, as OpenTelemetry's parts."""

from collections.abc import Callable, Mapping
from typing import Any

from spanmill.llm.messages.binary import DATA_URI_MARK, Part, cut, marked
from spanmill.llm.messages.json_text import TooDeepError, dumps, loads

_CALL_ID = ("call_id", "tool_call_id", "toolCallId", "toolUseId", "id")
"""OpenAI's Responses API gives an item an id of its own beside the call's: that comes first."""
_ANSWER_ID = ("tool_call_id", "tool_use_id", "toolUseId", "toolCallId", "call_id", "id")
_NAME = ("name", "tool_name", "toolName")
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_RESPONSE = ("response", "result", "output", "content", "error")
_VERCEL_OUTPUTS = ("text", "json", "content", "error-text", "error-json")
_SHALLOW = 200
"""JSON text of fewer characters cannot hold 100 levels."""


def tool_call(call: Mapping[Any, Any]) -> Part | None:
    """The part of a tool call, with those keys that are there; None when it is none."""
    inner = call.get("function", call.get("custom"))
    named = inner if isinstance(inner, dict) else call
    if "parameters" in named and "description" in named:
        return None  # a tool's definition
    part: Part = {"type": "tool_call"}
    _add(part, "id", call, _CALL_ID)
    _add(part, "name", named, _NAME)
    for key in _ARGUMENTS:
        arguments = named.get(key)
        if arguments is not None:
            part["arguments"] = parsed(arguments)
            break
    return part if len(part) > 1 else None


def tool_response(answer: Mapping[Any, Any], blocks: Callable[[list[Any]], list[Part] | None]) -> Part:
    """The part of a tool's answer. `blocks` makes parts of a list of blocks, or gives None.

    The tool's name only where there is no id to find the call by.
    """
    part: Part = {"type": "tool_call_response"}
    if not _add(part, "id", answer, _ANSWER_ID):
        _add(part, "name", answer, _NAME)
    for key in _RESPONSE:
        if answer.get(key) is not None:
            # `response` is OpenTelemetry's own key: what stands there is not content of some provider any more.
            part["response"] = parsed(answer[key]) if key == "response" else response(answer[key], blocks)
            break
    return part


def response(value: Any, blocks: Callable[[list[Any]], list[Part] | None]) -> Any:
    """What a tool answered, without the provider's wrapping: one text is that text, other blocks are parts."""
    if type(value) is str:
        return parsed(value)
    if isinstance(value, dict) and value.get("type") in _VERCEL_OUTPUTS and "value" in value:
        value = value["value"]
    if isinstance(value, list) and value:
        content = blocks(value)
        if content is not None:
            if len(content) == 1 and content[0]["type"] == "text":
                return parsed(content[0]["content"])
            return content
    return parsed(value)


def parsed(value: Any) -> Any:
    """The value with binary content cut out; JSON text of an object or a list parsed, any other text as it is."""
    if type(value) is not str:
        try:
            return cut(value)
        except TooDeepError:
            return cut(dumps(value))
    start = value.lstrip()[:1]
    if start not in ("{", "["):
        return cut(value)
    try:
        held = loads(value)
        if len(value) < _SHALLOW and DATA_URI_MARK not in value:
            return held
        return cut(held)
    except ValueError:
        return cut(value)


def _add(part: Part, key: str, source: Mapping[Any, Any], names: tuple[str, ...]) -> bool:
    for name in names:
        value = source.get(name)
        if type(value) is str and value:
            part[key] = marked(value)
            return True
        if type(value) is int:
            part[key] = dumps(value)
            return True
    return False
