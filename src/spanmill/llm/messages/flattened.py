"""Messages that are flattened into attributes with an index in their names.

Indices come in any order, may have gaps and may be enormous: they are sorted, never counted up to. Work is linear in
the number of attributes, but for that sorting.
"""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages.binary import Part
from spanmill.llm.messages.conversation import Conversation
from spanmill.llm.messages.parts import is_block, parts, text_parts
from spanmill.llm.messages.recognition import decoded

Flat = Mapping[Any, Any]


def indexed(flat: Flat, prefix: str = "") -> list[dict[str, Any]]:
    """What is under each index behind the prefix, in the order of the indices: {"0.a": 1, "7.a": 2} has two."""
    groups: dict[str, dict[str, Any]] = {}
    length = len(prefix)
    for key, value in flat.items():
        if type(key) is not str or (length and not key.startswith(prefix)):
            continue
        index, dot, rest = key[length:].partition(".")
        if dot and index.isdecimal():
            group = groups.get(index)
            if group is None:
                groups[index] = {rest: value}
            else:
                group[rest] = value
    # Digits of one length order as the numbers do. An int may be too long for Python to read.
    return [groups[index] for index in sorted(sorted(groups), key=len)]


def add_openinference(flat: Flat, into: Conversation) -> None:
    """`N.message.*` of OpenInference, also `N.prompt.text`, `N.completion.text` and `N.embedding.text`."""
    for group in indexed(flat):
        content = group.get("message.content")
        if type(content) is str and len(group) == 2 and not content.startswith("[{"):
            added = into.add_text(group.get("message.role"), content)
            if added:
                continue
        text = next((group[key] for key in _OTHER_TEXTS if key in group), None)
        if text is not None:
            into.add(into.role, parts(text))
            continue
        into.add_message(_message(group))


_OTHER_TEXTS = ("prompt.text", "completion.text", "embedding.text")


def _message(group: Flat) -> dict[str, Any]:
    """The chat message that was flattened."""
    message = {
        "role": group.get("message.role"),
        "name": group.get("message.name"),
        "finish_reason": group.get("message.finish_reason"),
    }
    content = group.get("message.content")
    if message["role"] in ("tool", "function"):
        message |= {"tool_call_id": group.get("message.tool_call_id")}
    blocks = [_block(block) for block in indexed(group, "message.contents.")]
    # Some instrumentations write a text both as content and as the first of the contents.
    if blocks and not (type(content) is str and content and not any(block.get("text") == content for block in blocks)):
        message["content"] = blocks
    else:
        message["content"] = [*_as_blocks(content), *blocks] if blocks else _blocks(content)
    message["tool_calls"] = [_call(call, "tool_call.") for call in indexed(group, "message.tool_calls.")]
    if "message.function_call_name" in group:
        arguments = group.get("message.function_call_arguments_json")
        message["function_call"] = {"name": group["message.function_call_name"], "arguments": arguments}
    return message


def _as_blocks(content: object) -> list[Any]:
    """The content as a list of blocks."""
    return [{"type": "text", "text": content}] if type(content) is str else []


_MEDIA = ("image", "audio", "video", "file")


def _block(group: Flat) -> dict[str, Any]:
    """One of `message.contents`."""
    kind = group.get("message_content.type")
    if any(key.startswith("tool_call.") for key in group):
        return {"type": "tool_call", **_call(group, "tool_call.")}
    block: dict[str, Any] = {"type": kind if type(kind) is str and kind != "tool_use" else "text"}
    for key, value in group.items():
        name = key.removeprefix("message_content.")
        if name in ("text", "content", "id", "data", "tool_call_id"):
            block[name] = value
        for medium in _MEDIA:  # message_content.image.image.url
            stem = f"{medium}.{medium}."
            if name.startswith(stem):
                block[name.removeprefix(stem)] = value
    return block


def _call(group: Flat, prefix: str) -> dict[str, Any]:
    return {
        "id": group.get(f"{prefix}id"),
        "name": group.get(f"{prefix}function.name", group.get(f"{prefix}name")),
        "arguments": group.get(f"{prefix}function.arguments", group.get(f"{prefix}arguments")),
    }


def add_openllmetry(flat: Flat, into: Conversation) -> None:
    """`N.role`, `N.content`, `N.tool_calls.M.*` of OpenLLMetry before it took OpenTelemetry's messages."""
    for group in indexed(flat):
        content = _blocks(group.get("content"))
        if len(group) == 2 and "role" in group and "content" in group:
            into.add_message({"role": group["role"], "content": content})
            continue
        message = {key: value for key, value in group.items() if key in _OPENLLMETRY}
        message["content"] = content
        message["tool_calls"] = [_call(call, "") for call in indexed(group, "tool_calls.")]
        if "function_call.name" in group:
            message["function_call"] = _call(group, "function_call.")
        into.add_message(message)


_OPENLLMETRY = ("role", "name", "tool_call_id", "finish_reason", "reasoning", "reasoning_content", "refusal")


def _blocks(content: object) -> object:
    """A list of blocks where the content is the JSON text of one."""
    if type(content) is str and content.startswith("[{"):
        held = decoded(content)
        if isinstance(held, list) and all(is_block(block) for block in held):
            return held
    return content


def add_vercel_response(flat: Flat, into: Conversation) -> None:
    """What the Vercel AI SDK answers, in one message: `text` or `object`, `reasoning`, `toolCalls`, `finishReason`."""
    found: list[Part] = []
    reasoning = flat.get("reasoning")
    if type(reasoning) is str:
        found += parts({"type": "reasoning", "reasoning": reasoning})
    text = flat.get("text") or flat.get("object")
    found += text_parts(text) if type(text) is str else parts(text)
    found += vercel_calls(flat.get("toolCalls"))
    if found:
        into.add("assistant", found, None, flat.get("finishReason"))


def vercel_calls(value: object) -> list[Part]:
    """[{"toolCallId", "toolName", "input" or "args"}], as JSON text or a list of it."""
    value = decoded(value)
    found: list[Part] = []
    for call in map(decoded, value if isinstance(value, list) else [value]):
        if isinstance(call, dict):
            found += parts({**call, "type": "tool_call"})
        elif call:
            found += parts(call)
    return found
