"""What providers and frameworks answer, whole: choices, generations, candidates, output items.

Each function says whether the value was such an answer, and adds nothing when it was not.
"""

from collections.abc import Mapping
from typing import Any

from spanmill.llm.messages import langchain, responses_api
from spanmill.llm.messages.conversation import Conversation, next_text
from spanmill.llm.messages.parts import parts


def add_choices(value: Mapping[Any, Any], into: Conversation) -> bool:
    """OpenAI's answer: {"choices": [{"message": {}, "finish_reason"}]}; older ones have text."""
    choices = value["choices"]
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        return False
    for choice in choices:
        message = choice.get("message") or choice.get("delta")
        reason = next_text(choice, ("finish_reason", "finishReason"))
        if isinstance(message, dict):
            into.add_message(message, into.role_of(message), reason)
        else:
            into.add(into.role, parts(choice.get("text")), None, reason)
    return True


def add_generations(value: Mapping[Any, Any], into: Conversation) -> bool:
    """LangChain's LLMResult: {"generations": [[{"text", "message", "generation_info"}]]}."""
    lists = value["generations"]
    flat = (
        [entry for some in lists for entry in (some if isinstance(some, list) else [some])]
        if isinstance(lists, list)
        else []
    )
    if not flat or not all(isinstance(entry, dict) for entry in flat):
        return False
    for entry in flat:
        information = entry.get("generation_info")
        reason = next_text(information, ("finish_reason", "stop_reason")) if isinstance(information, dict) else None
        message = entry.get("message")
        known = langchain.unwrapped(message) if isinstance(message, dict) else None
        if known is None:
            into.add(into.role, parts(entry.get("text")), None, reason)
        else:
            role, fields = known
            into.add_message(fields, into.role_of({"role": role}), reason or langchain.finish_reason(fields))
    return True


def add_candidates(value: Mapping[Any, Any], into: Conversation) -> bool:
    """Gemini's answer: {"candidates": [{"content": {"parts", "role"}, "finishReason"}]}."""
    candidates = value["candidates"]
    if not isinstance(candidates, list) or not candidates:
        return False
    if not all(isinstance(entry, dict) and isinstance(entry.get("content"), dict) for entry in candidates):
        return False
    for entry in candidates:
        content = entry["content"]
        into.add_message(content, into.role_of(content), next_text(entry, ("finishReason", "finish_reason")))
    return True


def add_output_items(value: Mapping[Any, Any], into: Conversation) -> bool:
    """The Responses API's answer, or Bedrock's: {"output": {"message": {}}, "stopReason"}."""
    output = value["output"]
    if isinstance(output, dict) and isinstance(output.get("message"), dict):
        message = output["message"]
        into.add_message(message, into.role_of(message), next_text(value, ("stopReason",)))
        return True
    if (
        isinstance(output, list)
        and output
        and all(isinstance(item, dict) and responses_api.is_item(item) for item in output)
    ):
        responses_api.add_answer(value, output, into)
        return True
    return False
