"""Messages that are recorded as events: one event or log record for each (OpenTelemetry GenAI up to 1.36)."""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages.conversation import Conversation, role_named
from spanmill.llm.messages.parts import parts
from spanmill.llm.messages.recognition import add_recognised, decoded

_ANSWERS = ("choice", "completion")
_WHOLE = {"user": ("input.messages", "system_instructions"), "assistant": ("output.messages",)}
"""Attributes, by how their names end, of the one event that holds a whole call (1.37 and later)."""


def add_events(value: object, into: Conversation) -> None:
    """What the events say of one side: of the question what was sent, of the answer the choices.

    `value` is one event or a list of them: {"name", "attributes", "body"}; or, as pydantic-ai writes them into an
    attribute, bodies that have their name in `event.name`.
    """
    value = decoded(value)
    for event in value if isinstance(value, list | tuple) else (value,):
        if isinstance(event, dict):
            _add_event(event, into)


def _add_event(event: Mapping[Any, Any], into: Conversation) -> None:
    name = event.get("name") if "attributes" in event or "body" in event else event.get("event.name")
    if type(name) is not str:
        return
    attributes = event.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    stem, _, last = name.rpartition(".")
    if last in ("message", *_ANSWERS):
        if (last in _ANSWERS) is into.is_answer:
            fields = _fields(event, attributes)
            (_add_choice if last == "choice" else _add_message)(fields, stem.rpartition(".")[2], into)
    elif last == "prompt":
        if not into.is_answer:
            _add_ending(attributes, ("prompt",), into)
    else:
        _add_ending(attributes, _WHOLE.get(into.role, ()), into)


def _fields(event: Mapping[Any, Any], attributes: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """What the event says: its body, or the event's own fields, or its attributes, one of which may hold it all."""
    body = decoded(event.get("body")) if "name" in event else event
    if isinstance(body, dict):
        return body
    if type(body) is str and body:
        return {"content": body}
    held = next((decoded(value) for key, value in attributes.items() if str(key).endswith("event.content")), None)
    return held if isinstance(held, dict) else attributes


def _add_message(fields: Mapping[Any, Any], role: str, into: Conversation) -> None:
    if role == "content":  # the older event that holds all answers
        _add_ending(fields, _ANSWERS, into)
        return
    if any(fields.get(key) is not None for key in ("content", "tool_calls", "parts")):
        role = role_named(fields.get("role"), role_named(role, into.role))
        into.add_message(_plain(fields), role)


def _add_choice(fields: Mapping[Any, Any], _role: str, into: Conversation) -> None:
    """{"index", "finish_reason", "message"}; the message may be JSON text, or its fields beside the others."""
    message = decoded(fields.get("message"))
    reason = fields.get("finish_reason")
    if isinstance(message, dict):
        if any(message.get(key) is not None for key in ("content", "tool_calls", "parts")):
            into.add_message(_plain(message), into.role_of(message), reason)
    elif type(message) is str and message:
        into.add("assistant", parts(message), None, reason)
    elif fields.get("content") is not None or fields.get("tool_calls") is not None:
        into.add_message(_plain(fields), "assistant", reason)


def _plain(fields: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """In a span event, which has no lists of objects, calls of tools are JSON text."""
    calls = fields.get("tool_calls")
    return {**fields, "tool_calls": decoded(calls)} if type(calls) is str else fields


def _add_ending(attributes: Mapping[Any, Any], endings: tuple[str, ...], into: Conversation) -> None:
    """The content of the attributes whose names end so; instructions are the system's."""
    for ending in sorted(endings, reverse=True):
        for key, value in attributes.items():
            if not str(key).endswith("." + ending):
                continue
            held = decoded(value)
            if ending == "system_instructions":
                into.add("system", parts(held))
            elif not add_recognised(held, into):
                into.add(into.role, parts(held))
