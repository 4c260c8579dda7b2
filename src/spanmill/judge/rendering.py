"""Messages and documents as text that a judge reads: who said what, which tool was called with what."""

from typing import Any

from spanmill.llm.messages import dumps, messages
from spanmill.llm.messages.json_text import loads


def conversation(text: str, role: str) -> str:
    """The messages of a column (`input`, `output`, `system_instructions`) as `role: text`.

    Lines after the first of each message are indented, so that no message can pretend to be several. A single message
    of the expected role stands without a name.
    """
    said = [(message["role"], _parts(message["parts"])) for message in _messages(text, role)]
    said = [(who, what) for who, what in said if what]
    if len(said) == 1 and said[0][0] == role:
        return said[0][1]
    return "\n\n".join(f"{who}: {_indented(what)}" for who, what in said)


def last_question(text: str) -> str:
    """What the user said last in the messages of `input`; empty when no user said anything."""
    for message in reversed(_messages(text, "user")):
        if message["role"] == "user" and (said := _parts(message["parts"])):
            return said
    return ""


def documents(text: str) -> str:
    """The documents of column `documents`, numbered, without scores, which would sway the judge."""
    try:
        held = loads(text)
    except ValueError:
        return text
    if not isinstance(held, list):
        return text
    shown = [_document(document) for document in held]
    return "\n\n".join(f"[{number}] {_indented(each)}" for number, each in enumerate(shown, 1) if each)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and its end, `most` characters together, with a mark between them."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    head = (most + 1) // 2
    tail = text[len(text) - (most - head) :] if most > head else ""
    return f"{text[:head]}\n[... {left_out} characters left out here ...]\n{tail}"


def _messages(text: str, role: str) -> list[dict[str, Any]]:
    """The messages of a text that a normaliser wrote, or of any other; each has `role` and `parts`."""
    try:
        held = loads(text)
    except ValueError:
        held = None
    if isinstance(held, list) and held and all(isinstance(each, dict) for each in held):
        if all(isinstance(each.get("role"), str) and isinstance(each.get("parts"), list) for each in held):
            return held
        if role == "system" and all("type" in each for each in held):
            return [{"role": role, "parts": held}]
    content = messages("auto", text, role)
    system = [{"role": "system", "parts": content.system}] if content.system else []
    return system + [{"role": role, "parts": [], **message} for message in content.messages]


def _document(document: Any) -> str:
    if not isinstance(document, dict):
        return document if isinstance(document, str) else dumps(document)
    content = document.get("content")
    if content is None:
        return dumps({key: value for key, value in document.items() if key != "score"})
    return content if isinstance(content, str) else dumps(content)


def _parts(parts: Any) -> str:
    """Parts of a message, one below the other. Reasoning is left out: nobody was answered with it."""
    found = [_part(part) for part in parts or () if isinstance(part, dict)]
    return "\n".join(each for each in found if each)


def _part(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if kind == "text":
        content = part.get("content")
        return content if isinstance(content, str) else dumps(content)
    if kind == "reasoning":
        return ""
    if kind == "tool_call":
        return f"[calls the tool {part.get('name', '?')} with {_value(part.get('arguments', {}))}]"
    if kind == "tool_call_response":
        name = f" {part['name']}" if "name" in part else ""
        return f"[the tool{name} answers: {_value(part.get('response'))}]"
    named = {key: part[key] for key in ("modality", "mime_type", "uri", "file_id", "bytes") if key in part}
    return f"[{kind}: {dumps(named or part)}]"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
