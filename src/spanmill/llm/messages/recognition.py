"""Finding the messages in a value of unknown shape: lists of messages, requests, responses, states, wrappings.

Everything here answers whether it recognised the value; what it does not recognise, it leaves to the caller and adds
nothing to the conversation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spanmill.llm.messages import answers, langchain, responses_api
from spanmill.llm.messages.conversation import Conversation
from spanmill.llm.messages.json_text import loads
from spanmill.llm.messages.parts import is_block, json_parts, parts, text_parts
from spanmill.llm.messages.pydantic_ai import add_model_message, is_model_message

_WRAPPED = 6
"""Levels of objects around the messages."""
_Adder = Callable[[Mapping[Any, Any], Conversation, int], bool]
_ENCODED = 3
"""JSON text in JSON text in JSON text."""
_LANGWATCH = ("chat_messages", "json", "raw", "list", "text", "evaluation_result", "guardrail_result", "error")
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "system_prompt")
_ABOUT_THE_RUN = frozenset(("tags", "metadata", "kwargs", "name", "input_str", "id", "run_id", "type"))
"""What LangChain's callbacks record beside inputs and outputs."""


def decoded(value: object) -> object:
    """The value of a JSON text, also where it was encoded several times; any other text as it is."""
    for _ in range(_ENCODED):
        if type(value) is not str or value.lstrip()[:1] not in ("{", "[", '"'):
            break
        try:
            value = loads(value)
        except ValueError:
            break
    return value


def add_recognised(value: object, into: Conversation, wrapped: int = _WRAPPED) -> bool:
    """Adds the messages of the value, if it has any that are known to be messages."""
    if isinstance(value, dict):
        return _add_object(value, into, wrapped)
    if isinstance(value, list | tuple) and value:
        return _add_list(value, into, wrapped)
    return False


def _add_list(values: Sequence[Any], into: Conversation, wrapped: int) -> bool:
    if all(map(is_message, values)):
        for value in values:
            text = value.get("content")
            if type(text) is not str or len(value) != 2 or not into.add_text(value.get("role"), text):
                _add_message(value, into)
        return True
    if not wrapped:
        return False
    if all(is_block(value) for value in values):
        _add_blocks(values, into)
        return True
    if all(langchain.pair(value) for value in values):
        for value in values:
            _add_message(langchain.pair(value) or {}, into)
        return True
    if into.role == "user" and all(type(value) is str for value in values):
        for text in values:  # several texts to embed
            into.add("user", text_parts(text))
        return True
    return _all(values, into, wrapped - 1)


def _all(values: Sequence[Any], into: Conversation, wrapped: int) -> bool:
    """Lists in lists, and lists of what holds messages; all of them or nothing."""
    before = len(into.messages)
    if all(isinstance(value, list | dict) and add_recognised(value, into, wrapped) for value in values):
        return True
    del into.messages[before:]
    return False


def is_message(value: object) -> bool:
    """Whether the value is one message of some API."""
    if type(value) is not dict:
        return False
    if type(value.get("role")) is str:
        return "content" in value or len(value) == 1 or not value.keys().isdisjoint(_SAYS)
    return responses_api.is_item(value) or is_model_message(value) or langchain.unwrapped(value) is not None


_SAYS = frozenset(("parts", "tool_calls", "function_call", "refusal", "audio", "reasoning_content", "finish_reason"))


def _add_message(value: Mapping[Any, Any], into: Conversation) -> None:
    """A value that `is_message`."""
    if type(value.get("role")) is str and value.keys().isdisjoint(_TELLING):
        into.add_message(value)
    elif responses_api.is_item(value):
        responses_api.add_item(value, into)
    elif is_model_message(value):
        add_model_message(value, into)
    elif type(value.get("role")) is str and "lc" not in value:
        into.add_message(value, finish_reason=langchain.finish_reason(value))
    else:
        role, fields = langchain.unwrapped(value) or (None, value)
        into.add_message(fields, into.role_of({"role": role}), langchain.finish_reason(fields))


_TELLING = frozenset(("type", "kind", "lc", "response_metadata"))
"""What a message with a role may have beside it that says it is more than a chat message."""


def _add_blocks(blocks: Sequence[Any], into: Conversation) -> None:
    """Blocks of content without a message round them; calls of tools are the assistant's."""
    found = parts(list(blocks))
    calls = bool(found) and all(part["type"] == "tool_call" for part in found)
    into.add("assistant" if calls else into.role, found)


def _add_object(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
    if is_message(value):
        _add_message(value, into)
        return True
    if not wrapped:
        return False
    if len(value) == 2 and value.get("type") in _LANGWATCH and "value" in value:
        return _add_wrapped(value, into, wrapped - 1)
    if type(value.get("type")) is str and is_block(value):
        _add_blocks([value], into)
        return True
    if any(key in value and add(value, into, wrapped - 1) for key, add in _HOLDERS.items()):
        return True
    return _add_run(value, into, wrapped - 1)


def _add_wrapped(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
    """LangWatch's {"type", "value"}. Plain text is no JSON, even where it looks like it."""
    kind, inner = value["type"], value["value"]
    if inner is None:
        return True
    if kind == "text" and type(inner) is str:
        into.add(into.role, text_parts(inner))
        return True
    if kind == "list" and isinstance(inner, list):
        return all(isinstance(entry, dict) for entry in inner) and _all(inner, into, wrapped)
    if add_recognised(inner, into, wrapped):
        return True
    into.add(into.role, json_parts(inner))
    return True


def _add_request(key: str) -> _Adder:
    """A request: the system prompt beside the messages comes first."""

    def add(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
        before = len(into.messages)
        for name in _SYSTEM:
            if value.get(name):
                into.add("system", parts(_system(value[name])))
        inner = value[key]
        if inner == [] or add_recognised(inner, into, wrapped):
            return True
        plain = "model" in value or len(into.messages) > before or (key == "prompt" and len(value) == 1)
        if plain and type(inner) is str:
            into.add(into.role, text_parts(inner))
            return True
        del into.messages[before:]
        return False

    return add


def _system(value: object) -> object:
    """Gemini's system instruction is a message."""
    return value["parts"] if isinstance(value, dict) and "parts" in value else value


def _add_held(key: str) -> _Adder:
    """What holds messages under one key, whatever else it has."""

    def add(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
        inner = value[key]
        return isinstance(inner, dict | list) and add_recognised(inner, into, wrapped)

    return add


def _add_constructed(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
    """LangChain's objects that are no messages themselves but hold some, for example a prompt's value."""
    held = langchain.constructed(value)
    return held is not None and "messages" in held[1] and add_recognised(held[1], into, wrapped)


def _nothing_deeper(add: Callable[[Mapping[Any, Any], Conversation], bool]) -> _Adder:
    return lambda value, into, _wrapped: add(value, into)


_HOLDERS: dict[str, _Adder] = {
    "messages": _add_request("messages"),
    "contents": _add_request("contents"),
    "choices": _nothing_deeper(answers.add_choices),
    "generations": _nothing_deeper(answers.add_generations),
    "candidates": _nothing_deeper(answers.add_candidates),
    "output": _nothing_deeper(answers.add_output_items),
    "input": _add_request("input"),
    "prompt": _add_request("prompt"),
    "prompts": _add_held("prompts"),
    "message": _add_held("message"),
    "update": _add_held("update"),
    "lc": _add_constructed,
}


def _add_run(value: Mapping[Any, Any], into: Conversation, wrapped: int) -> bool:
    """What went into a LangChain run or came out of it, beside tags and metadata."""
    for key in ("inputs", "outputs", "output"):
        if key in value and value.keys() <= _ABOUT_THE_RUN | {key}:
            inner = value[key]
            if add_recognised(inner, into, wrapped):
                return True
            if inner is not None and key != "output" and "kwargs" in value:
                into.add(into.role, json_parts(inner))
                return True
    return False
