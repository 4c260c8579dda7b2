"""One message after another, of any provider, as OpenTelemetry's messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from spanmill.llm.messages.binary import Part, marked
from spanmill.llm.messages.parts import answer_parts, json_parts, parts, text_parts
from spanmill.llm.messages.tools import tool_call, tool_response

Message = dict[str, Any]

_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "chatbot"), "assistant"),
    **dict.fromkeys(("tool", "function", "ipython", "observation"), "tool"),
}
_NO_ROLES = ("", "unknown", "generic", "remove")
FINISH_KEYS = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason")
"""What providers call the reason for which an answer ended."""
_THOUGHTS = ("reasoning_content", "reasoning")
_MORE = frozenset((*_THOUGHTS, "additional_kwargs", "refusal", "audio", "tool_calls", "function_call"))
"""What may be said beside the content."""


@dataclass(slots=True)
class Content:
    """What a span carries: messages, and the parts of the system prompt that stood before them."""

    messages: list[Message] = field(default_factory=list)
    system: list[Part] = field(default_factory=list)


class Conversation:
    """Takes messages in the order in which they were said.

    `role` is whose they are when they do not say so. What a model answered (role `assistant`) keeps the reasons why it
    ended; what was sent to a model does not, since only some SDKs repeat them there.
    """

    __slots__ = ("is_answer", "messages", "role")

    def __init__(self, role: str) -> None:
        self.role = role
        self.is_answer = role == "assistant"
        self.messages: list[Message] = []

    def add(self, role: str, found: list[Part], name: object = None, finish_reason: object = None) -> None:
        """A message of these parts. Each answer of a tool is a message of its own, whoever's it was among."""
        for part in found:
            if part["type"] == "tool_call_response" and (role != "tool" or len(found) > 1):
                self._add_apart(role, found)
                break
        else:
            self.messages.append({"role": role, "parts": found})
        if (name is None and finish_reason is None) or self.messages[-1]["role"] != role:
            return
        if type(name) is str and name and role != "tool":
            self.messages[-1]["name"] = marked(name)
        if finish_reason is not None:
            self.finish(finish_reason)

    def add_text(self, role: object, text: str) -> bool:
        """A message that is a text and nothing else, as most are; False, and none, where more is to be looked into."""
        known = _ROLES.get(role) if type(role) is str else None
        if known is None or known == "tool":
            return False
        self.messages.append({"role": known, "parts": text_parts(text)})
        return True

    def finish(self, reason: object) -> None:
        """Why the model ended what it said last."""
        if (
            self.is_answer
            and type(reason) is str
            and reason
            and self.messages
            and self.messages[-1]["role"] == "assistant"
        ):
            self.messages[-1]["finish_reason"] = _finish_reason(reason)

    def continue_answer(self, found: list[Part]) -> None:
        """Parts that go on with what the assistant is saying: some APIs send each part of a message as an item."""
        if self.messages and self.messages[-1]["role"] == "assistant":
            self.messages[-1]["parts"] += found
        elif found:
            self.add("assistant", found)

    def add_message(self, message: Mapping[Any, Any], role: str | None = None, finish_reason: object = None) -> None:
        """A chat message: role and content or parts, tool calls, what a tool answered."""
        role = role or self.role_of(message)
        content = message.get("content")
        if role == "tool" and "content" in message and not _has_tool_blocks(content):
            if not _is_tool_definition(content):
                self.add(role, [tool_response(message, answer_parts)])
            return
        found = parts(content) if "content" in message else parts(message.get("parts"))
        if not message.keys().isdisjoint(_MORE):
            found = _thoughts(message) + found
            for key in ("refusal", "audio"):
                extra = message.get(key)
                if extra:
                    found += parts({**extra, "type": key}) if isinstance(extra, dict) else parts(extra)
            _add_calls(found, message)
        if self.is_answer and finish_reason is None:
            finish_reason = next_text(message, FINISH_KEYS)
        self.add(role, found, message.get("name"), finish_reason)

    def role_of(self, message: Mapping[Any, Any]) -> str:
        """The canonical role: a name that nobody knows stays as it is."""
        return role_named(message.get("role"), self.role)

    def content(self) -> Content:
        """All of it; the system prompt that stands before a question apart from it.

        Nothing where no message says anything: SDKs that keep the content to themselves still send the roles.
        """
        found: list[Message] = self.messages
        system: list[Part] = []
        if found and found[0]["role"] == "system" and not self.is_answer:
            first = next((n for n, message in enumerate(found) if message["role"] != "system"), len(found))
            system = [part for message in found[:first] for part in message["parts"]]
            found = found[first:]
        if found and not found[0]["parts"] and not any(message["parts"] for message in found):
            found = []
        return Content(found, system)

    def _add_apart(self, role: str, found: Iterable[Part]) -> None:
        others: list[Part] = []
        for part in found:
            if part["type"] != "tool_call_response":
                others.append(part)
                continue
            if others:
                self.messages.append({"role": role, "parts": others})
                others = []
            self.messages.append({"role": "tool", "parts": [part]})
        if others:
            self.messages.append({"role": role, "parts": others})


def role_named(role: object, default: str) -> str:
    """The canonical name of a role."""
    if type(role) is not str:
        return default
    known = _ROLES.get(role)
    if known is not None:
        return known
    return _ROLES.get(role.lower()) or (default if role.lower() in _NO_ROLES else marked(role))


def next_text(message: Mapping[Any, Any], keys: Iterable[str]) -> str | None:
    """The first text under one of the keys."""
    return next((text for key in keys if type(text := message.get(key)) is str), None)


def _thoughts(message: Mapping[Any, Any]) -> list[Part]:
    extra = message.get("additional_kwargs")
    for place in (message, extra) if isinstance(extra, dict) else (message,):
        for key in _THOUGHTS:
            text = place.get(key)
            if type(text) is str and text:
                return parts({"type": "reasoning", "reasoning": text})
    return []


def _add_calls(found: list[Part], message: Mapping[Any, Any]) -> None:
    """The calls beside the content: LangChain and OpenInference repeat there those that are in it."""
    calls = message.get("tool_calls")
    extra = message.get("additional_kwargs")
    if not calls and isinstance(extra, dict):
        calls = extra.get("tool_calls")
    if not isinstance(calls, list):
        calls = []
    single = message.get("function_call")
    known = {part.get("id") for part in found if part["type"] == "tool_call"}
    for call in [*calls, single] if single else calls:
        part = tool_call(call) if isinstance(call, dict) else None
        if part is None:
            found += json_parts(call) if call else []
        elif part.get("id") is None or part["id"] not in known:
            found.append(part)


def _has_tool_blocks(content: object) -> bool:
    """Whether a tool's message holds several answers, each with its own id (Vercel AI SDK)."""
    return isinstance(content, list) and any(
        isinstance(block, dict)
        and (
            block.get("type") in ("tool-result", "tool_result", "tool-error", "tool_call_response")
            or "toolResult" in block
        )
        for block in content
    )


def _is_tool_definition(content: object) -> bool:
    """Langfuse's LangChain handler appends the definitions of tools as messages of tools."""
    if not isinstance(content, dict) or content.get("type") != "function":
        return False
    function = content.get("function")
    return isinstance(function, dict) and "parameters" in function


def _finish_reason(reason: str) -> str:
    known = _finish_reasons()
    lower = reason.lower()
    return known.get(lower) or known.get(lower.replace("-", "_")) or marked(reason)


@cache
def _finish_reasons() -> dict[str, str]:
    from spanmill.llm.dialect import load_canonical

    return load_canonical().table("finish_reason")
