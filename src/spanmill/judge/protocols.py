"""How the two kinds of servers are spoken to: what is posted, and what an answer says. Pure functions.

OpenAI's chat completions, as most servers of open models have them too; and Anthropic's messages. The answer is to be
JSON of a schema. OpenAI has `response_format` for that; Anthropic a tool that must be called, whose input is the
answer. Where a server refuses such a key it is left out (`Form`), and the schema goes into the system message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import orjson

from spanmill.judge.model import Message
from spanmill.judge.model_config import ModelConfig
from spanmill.judge.pricing import Usage

_TOOL: Final = "answer"
_ANTHROPIC_VERSION: Final = "2023-06-01"
_SCHEMA_WORDS: Final = ("response_format", "json_schema", "json_object", "schema", "grammar", "structured", "tool")
_FINISH_REASONS: Final = {"end_turn": "stop", "tool_use": "stop", "max_tokens": "length", "refusal": "content_filter"}


@dataclass(frozen=True, slots=True)
class Form:
    """Which optional keys a request has. Begins with all; a server's refusals take some away."""

    schema: str = "schema"
    """How the answer's form is asked for: by the `schema`, as any `object`, or only in `words`."""
    temperature: bool = True
    newer_limit: bool = False
    """OpenAI's newer models want `max_completion_tokens` and not `max_tokens`."""

    def without(self, refusal: str) -> "Form | None":
        """The form after the server refused this one in these words; None when they are about something else."""
        words = refusal.lower()
        if not self.newer_limit and "max_completion_tokens" in words:
            return replace(self, newer_limit=True)
        if self.temperature and "temperature" in words:
            return replace(self, temperature=False)
        if self.schema != "words" and any(word in words for word in _SCHEMA_WORDS):
            return replace(self, schema="object" if self.schema == "schema" else "words")
        return None


class Answer(NamedTuple):
    """What a server said."""

    text: str
    usage: Usage | None
    """None: it does not say."""
    model: str
    response_id: str
    finish_reason: str


class Nonsense(Exception):  # noqa: N818 - says what is the matter
    """A body that is no answer of this protocol."""


def endpoint(config: ModelConfig) -> str:
    """Where questions are posted."""
    if config.api == "openai":
        return f"{config.url}/chat/completions"
    return f"{config.url}/messages" if config.url.endswith("/v1") else f"{config.url}/v1/messages"


def key_fields(config: ModelConfig) -> dict[str, str]:
    """The header fields that the protocol wants."""
    key = config.api_key.reveal().strip() if config.api_key is not None else ""
    if config.api == "openai":
        return {"Authorization": f"Bearer {key}"} if key else {}
    return {"anthropic-version": _ANTHROPIC_VERSION, **({"x-api-key": key} if key else {})}


def body(config: ModelConfig, messages: Sequence[Message], schema: Mapping[str, Any], form: Form) -> bytes:
    """The request."""
    if form.schema != "schema":
        messages = _told(messages, schema)
    request: dict[str, Any] = {"model": config.model}
    if form.temperature and config.temperature is not None:
        request["temperature"] = config.temperature
    if config.api == "openai":
        request["messages"] = [dict(message) for message in messages]
        request["max_completion_tokens" if form.newer_limit else "max_tokens"] = config.max_output_tokens
        if form.schema == "schema":
            named = {"name": _TOOL, "schema": dict(schema), "strict": _is_strict(schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
        elif form.schema == "object":
            request["response_format"] = {"type": "json_object"}
        return orjson.dumps(request)
    system = [message["content"] for message in messages if message["role"] == "system"]
    request["messages"] = [dict(message) for message in messages if message["role"] != "system"]
    request["max_tokens"] = config.max_output_tokens
    if system:
        request["system"] = "\n\n".join(system)
    if form.schema == "schema":
        request["tools"] = [{"name": _TOOL, "description": "Takes the answer.", "input_schema": dict(schema)}]
        request["tool_choice"] = {"type": "tool", "name": _TOOL}
    return orjson.dumps(request)


def read(config: ModelConfig, content: bytes) -> Answer:
    """The answer in a body. Raises `Nonsense`."""
    try:
        data = orjson.loads(content)
        return _of_openai(data) if config.api == "openai" else _of_anthropic(data)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise Nonsense from None


def _of_openai(data: Any) -> Answer:
    choice = data["choices"][0]
    content = choice["message"].get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    usage = data.get("usage")
    counts = None
    if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
        details = usage.get("prompt_tokens_details") or {}
        counts = Usage(
            _count(usage["prompt_tokens"]), _count(usage.get("completion_tokens")), _count(details.get("cached_tokens"))
        )
    text = content if isinstance(content, str) else ""
    return Answer(text, counts, _name(data.get("model")), _name(data.get("id")), _reason(choice.get("finish_reason")))


def _of_anthropic(data: Any) -> Answer:
    parts = data["content"]
    called = [part["input"] for part in parts if part.get("type") == "tool_use"]
    text = (
        orjson.dumps(called[0]).decode()
        if called
        else "".join(part["text"] for part in parts if part.get("type") == "text")
    )
    usage = data.get("usage")
    counts = None
    if isinstance(usage, dict) and isinstance(usage.get("input_tokens"), int):
        read_, written = (_count(usage.get(f"cache_{kind}_input_tokens")) for kind in ("read", "creation"))
        prompt = _count(usage["input_tokens"]) + read_ + written  # the API's own count leaves the cache's out
        counts = Usage(prompt, _count(usage.get("output_tokens")), read_, written)
    return Answer(text, counts, _name(data.get("model")), _name(data.get("id")), _reason(data.get("stop_reason")))


def _told(messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
    """The messages with the schema in the first of the system's."""
    words = f"Answer with one JSON object of this schema and nothing else: {orjson.dumps(schema).decode()}"
    for place, message in enumerate(messages):
        if message["role"] == "system":
            told = {**message, "content": f"{message['content']}\n\n{words}"}
            return [*messages[:place], told, *messages[place + 1 :]]
    return [{"role": "system", "content": words}, *messages]


def _is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI takes the schema as `strict`: nothing beside its properties, and all of them required."""
    properties = schema.get("properties") or {}
    return schema.get("additionalProperties") is False and set(schema.get("required") or ()) == set(properties)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _name(value: Any) -> str:
    return value[:256] if isinstance(value, str) else ""


def _reason(value: Any) -> str:
    return _FINISH_REASONS.get(value, value[:64]) if isinstance(value, str) else "stop"
