"""Model messages of pydantic-ai: requests and responses whose parts say by `part_kind` whose they are."""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages.conversation import Conversation
from spanmill.llm.messages.parts import parts


def is_model_message(value: Mapping[Any, Any]) -> bool:
    """Whether the value is a ModelRequest or a ModelResponse."""
    return value.get("kind") in ("request", "response") and isinstance(value.get("parts"), list)


def add_model_message(value: Mapping[Any, Any], into: Conversation) -> None:
    """Its parts, as one message for each role that they have."""
    role = "assistant" if value["kind"] == "response" else "user"
    instructions = value.get("instructions")
    if type(instructions) is str:
        into.add("system", parts(instructions))
    own = len(into.messages)
    for block in value["parts"]:
        is_system = isinstance(block, dict) and block.get("part_kind") == "system-prompt"
        of = "system" if is_system else role
        found = parts(block)
        last = into.messages[-1] if len(into.messages) > own else None
        if last is not None and last["role"] == of and found and found[0]["type"] != "tool_call_response":
            last["parts"] += found
        elif found:
            into.add(of, found)
    into.finish(value.get("finish_reason"))
