"""The row that each call of the application should be, whichever SDK recorded it; written from the provider's side."""

from decimal import Decimal
from typing import Any, Final

import orjson

from tests.delivery.sdks.provider import CHAT_MODEL, EMBEDDING_MODEL, Served, Usage, response_id
from tests.delivery.sdks.runs import Sdk

Row = dict[str, Any]

_SYSTEM: Final = [{"type": "text", "content": "You answer in one short sentence."}]
_PARIS, _SEOUL = "How is the weather in Paris?", "Plan a day in 서울."


def _said(role: str, text: str) -> Row:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _calls(call_id: str, city: str) -> Row:
    part = {"type": "tool_call", "id": call_id, "name": "weather", "arguments": {"city": city}}
    return {"role": "assistant", "parts": [part]}


def _tool_said(call_id: str, city: str) -> Row:
    part = {"type": "tool_call_response", "id": call_id, "response": f"18 degrees in {city}"}
    return {"role": "tool", "parts": [part]}


_CONVERSATIONS: Final[dict[str, tuple[list[Row], Row | None]]] = {
    "plain": ([_said("user", "What is the capital of France?")], _said("assistant", "Paris.")),
    "streamed": ([_said("user", "Count to three.")], _said("assistant", "One, two, three.")),
    "streamed without usage": ([_said("user", "Count to two.")], _said("assistant", "One, two.")),
    "asks for a tool": ([_said("user", _PARIS)], _calls("call_1", "Paris")),
    "uses the result": (
        [_said("user", _PARIS), _calls("call_1", "Paris"), _tool_said("call_1", "Paris")],
        _said("assistant", "It is 18 °C in Paris."),
    ),
    "fails": ([_said("user", "Once too often.")], None),
    "embedding": ([_said("user", "Paris is the capital of France.")], None),
    "response": ([_said("user", "Name a river.")], _said("assistant", "The Seine.")),
    "agent asks": ([_said("user", _SEOUL)], _calls("call_2", "서울")),
    "agent answers": (
        [_said("user", _SEOUL), _calls("call_2", "서울"), _tool_said("call_2", "서울")],
        _said("assistant", "경복궁 in the morning."),
    ),
}
"""By call, the messages sent without the system's, and the one received."""


def row_of(sdk: Sdk, call: Served) -> Row:
    """The row of a call that the provider served, with what is this SDK's own."""
    name, failed, embeds = call.answer.name, call.answer.status != 200, call.answer.name == "embedding"
    model = EMBEDDING_MODEL if embeds else CHAT_MODEL
    usage = None if failed or name == "streamed without usage" else call.answer.usage
    said, answered = _CONVERSATIONS[name]
    finish_reason = None if failed or embeds else call.answer.finish_reason
    row = {
        "operation": "embeddings" if embeds else "chat",
        "provider": "openai",
        "request_model": EMBEDDING_MODEL if embeds else "gpt-4o-mini",
        "response_model": None if failed else model,
        "response_id": None if failed or embeds else response_id(sdk.name, call.answer),
        "finish_reason": finish_reason,
        "error_type": "RateLimitError" if failed else None,
        "system_instructions": None if embeds else _text(_SYSTEM),
        "input": _text(said),
        "output": _text([answered | _ended(sdk, name, finish_reason)]) if answered else None,
        "is_llm_call": True,
        **_tokens(usage),
    }
    own = {column: different.instead for column in row if (different := sdk.difference(column, name))}
    return row | own | {"cost_usd": cost_of(sdk, call)}


def cost_of(sdk: Sdk, call: Served) -> Decimal | None:
    """What the call cost, as far as the SDK says what was used; None if it does not."""
    usage = call.answer.usage
    if call.answer.status != 200 or call.answer.name == "streamed without usage":
        return None
    cached = 0 if sdk.difference("cache_read_tokens", call.answer.name) else usage.cached_tokens
    known = Usage(usage.input_tokens, cached, usage.output_tokens, usage.reasoning_tokens)
    return known.cost_usd(EMBEDDING_MODEL if call.answer.name == "embedding" else CHAT_MODEL)


def _ended(sdk: Sdk, call: str, finish_reason: str | None) -> Row:
    known = sdk.content_in_logs or not sdk.difference("finish_reason", call)
    return {"finish_reason": finish_reason} if known else {}


def _tokens(usage: Usage | None) -> Row:
    """Counts of nothing are 0 here; some SDKs send them so, others leave them out."""
    return {
        "input_tokens": usage and usage.input_tokens,
        "output_tokens": usage and usage.output_tokens,
        "total_tokens": usage and usage.input_tokens + usage.output_tokens,
        "cache_read_tokens": usage and usage.cached_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
    }


def _text(messages: list[Any]) -> str:
    return orjson.dumps(messages).decode()
