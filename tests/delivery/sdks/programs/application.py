"""The small application that is run in every SDK: some calls of a model, each a trace of its own, and one agent.

Its counterpart, what the model answers, is the script in `provider.py`.
"""

# It runs in an environment of its own, whose packages are not in ours.
# mypy: disable-error-code="import-not-found"

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from openai import OpenAI, RateLimitError

Decorator = Callable[[Any], Any]

MODEL = "gpt-4o-mini"
SYSTEM = {"role": "system", "content": "You answer in one short sentence."}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@dataclass(frozen=True)
class Decorators:
    """What an SDK has for functions that are an agent, a step of a chain and a tool."""

    agent: Decorator
    chain: Decorator
    tool: Decorator


def run(client: OpenAI, decorators: Decorators, *, with_responses: bool = True) -> None:
    """Make every call, and then run the agent; `with_responses`: also one of the Responses API."""
    say(client, "What is the capital of France?")
    stream(client, "Count to three.", stream_options={"include_usage": True})
    stream(client, "Count to two.")
    use_tool(client, "How is the weather in Paris?", weather)
    with suppress(RateLimitError):
        say(client, "Once too often.")
        raise AssertionError("the provider did not refuse")
    client.embeddings.create(model="text-embedding-3-small", input="Paris is the capital of France.")
    if with_responses:
        client.responses.create(model=MODEL, instructions=SYSTEM["content"], input="Name a river.")
    assert agent(client, decorators)("Plan a day in 서울.") == "경복궁 in the morning."


def say(client: OpenAI, question: str) -> str | None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[SYSTEM, {"role": "user", "content": question}], temperature=0.2, max_tokens=200
    )
    text: str | None = answer.choices[0].message.content
    return text


def stream(client: OpenAI, question: str, **options: Any) -> str:
    chunks = client.chat.completions.create(
        model=MODEL, messages=[SYSTEM, {"role": "user", "content": question}], stream=True, **options
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def use_tool(client: OpenAI, question: str, tool: Callable[..., str]) -> str | None:
    """Ask, run the tool that the model asks for, and ask again with what it returned."""
    messages: list[Any] = [SYSTEM, {"role": "user", "content": question}]
    asked = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
    (call,) = asked.tool_calls or []
    arguments = json.loads(call.function.arguments)
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": tool(**arguments)},
    ]
    answer: str | None = (
        client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message.content
    )
    return answer


def weather(city: str) -> str:
    return f"18 degrees in {city}"


def agent(client: OpenAI, decorators: Decorators) -> Callable[[str], str | None]:
    """An agent of one chain: ask the model, use the tool, ask the model."""
    tool = decorators.tool(weather)

    @decorators.chain
    def plan(question: str) -> str | None:
        return use_tool(client, question, tool)

    @decorators.agent
    def planner(question: str) -> str | None:
        answer: str | None = plan(question)
        return answer

    run_agent: Callable[[str], str | None] = planner
    return run_agent
