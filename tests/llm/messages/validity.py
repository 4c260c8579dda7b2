"""What canonical messages look like: the specification that every result is held against."""

from typing import Any

_PART_KEYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"content": str}, {}),
    "reasoning": ({"content": str}, {}),
    "tool_call": ({}, {"id": str, "name": str, "arguments": object}),
    "tool_call_response": ({}, {"id": str, "name": str, "response": object}),
    "uri": ({"modality": str, "uri": str}, {"mime_type": str}),
    "file": ({"modality": str, "file_id": str}, {"mime_type": str}),
    "blob": ({"modality": str, "mime_type": str, "bytes": int, "sha256": str}, {}),
}
"""Kind of part -> the keys that it has with their types, those that it may have."""
_ORDER = (
    *("type", "id", "name", "arguments", "response", "modality", "mime_type", "content", "bytes", "sha256"),
    *("uri", "file_id"),
)
_MESSAGE_ORDER = ("role", "parts", "name", "finish_reason")


def problems_of(messages: list[dict[str, Any]], system: list[dict[str, Any]] | None = None) -> list[str]:
    """What is wrong with the messages; nothing when they are canonical."""
    found = [problem for part in system or [] for problem in _problems_of_part(part)]
    for message in messages:
        if type(message.get("role")) is not str or type(message.get("parts")) is not list:
            found.append(f"no role or parts: {message!r:.200}")
            continue
        if [key for key in _MESSAGE_ORDER if key in message] != list(message):
            found.append(f"keys of a message: {list(message)}")
        found += [problem for part in message["parts"] for problem in _problems_of_part(part)]
    return found


def _problems_of_part(part: dict[str, Any]) -> list[str]:
    needed, allowed = _PART_KEYS.get(part.get("type", ""), (None, None))
    if needed is None or allowed is None:
        return [f"unknown part: {part!r:.200}"]
    found = [f"{part['type']} without {key}" for key in needed if key not in part]
    for key, value in part.items():
        kind = (needed | allowed | {"type": str}).get(key)
        if kind is None:
            found.append(f"{part['type']} with {key}")
        elif not isinstance(value, kind):
            found.append(f"{key} is {value!r:.100}")
    if [key for key in _ORDER if key in part] != list(part):
        found.append(f"keys of a part: {list(part)}")
    return found
