"""What a tool's own span says: the call that came in, the answer that went out."""

from typing import Any

from spanmill.llm.messages import langchain
from spanmill.llm.messages.binary import marked
from spanmill.llm.messages.conversation import Message
from spanmill.llm.messages.parts import answer_parts
from spanmill.llm.messages.recognition import decoded
from spanmill.llm.messages.tools import parsed, response


def tool_call_messages(arguments: object, call_id: str | None, name: str | None) -> list[Message]:
    """The input of a tool's span: the assistant's message that calls it."""
    held = _unwrapped(decoded(arguments))
    if isinstance(held, dict):
        if "inputs" in held and "input_str" in held:  # LangChain's callback
            held = held["inputs"] if held["inputs"] is not None else held["input_str"]
        elif held.keys() == {"args", "kwargs"} and held["args"] == [] and isinstance(held["kwargs"], dict):
            held = held["kwargs"]  # a decorated function, called with names only
    part: dict[str, Any] = {"type": "tool_call"} | _texts(id=call_id, name=name)
    if arguments is not None:
        part["arguments"] = parsed(held)
    return [{"role": "assistant", "parts": [part]}]


def tool_response_messages(result: object, call_id: str | None) -> list[Message]:
    """The output of a tool's span: the tool's message with its answer."""
    held = _unwrapped(decoded(result))
    if isinstance(held, dict) and "output" in held and held.keys() <= {"output", "kwargs"}:
        held = held["output"]
    message = langchain.unwrapped(held) if isinstance(held, dict) else None
    if message is not None and message[0] == "tool":
        held = message[1].get("content")
    part: dict[str, Any] = {"type": "tool_call_response"} | _texts(id=call_id)
    if result is not None:
        part["response"] = response(held, answer_parts)
    return [{"role": "tool", "parts": [part]}]


def _unwrapped(value: object) -> object:
    """The value in LangWatch's {"type", "value"}."""
    if isinstance(value, dict) and value.keys() == {"type", "value"} and value["type"] in ("json", "text", "raw"):
        return value["value"]
    return value


def _texts(**texts: str | None) -> dict[str, str]:
    return {key: marked(text) for key, text in texts.items() if text}
