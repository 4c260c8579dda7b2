"""How long it takes to make canonical messages of what SDKs send, per list of messages.

    python benchmarks/messages.py

The baseline is reading and writing the same JSON with orjson, which any treatment of it costs at least.
"""

import time
from collections.abc import Callable
from functools import partial

import orjson

from spanmill.llm.messages import dumps, messages

_SYSTEM = "You are the customer-support assistant of a shop. Answer in the language of the customer."
_QUESTION = "Hello, this is about order ORD-20260211-7781. I would like my money back, when will it be on my account?"
_ANSWER = "Refunds are possible within 7 days of delivery; the amount will be credited to the card that you paid with."


def conversation(length: int) -> list[dict[str, object]]:
    """A system prompt, and questions and answers in turn."""
    turns = [("user", _QUESTION), ("assistant", _ANSWER)]
    said = [("system", _SYSTEM), *(turns[number % 2] for number in range(length - 1))]
    return [{"role": role, "content": content} for role, content in said]


def agent(length: int) -> list[dict[str, object]]:
    """As `conversation`, but with calls of tools and their answers in turn."""
    arguments = '{"order_id": "ORD-20260211-7781", "customer_email": "minji.kim@example.co.kr"}'
    result = '{"order_id": "ORD-20260211-7781", "status": "delivered", "amount": 129000, "buyer": {"name": "Kim"}}'
    call = {"id": "call_0_ecb3411d", "type": "function", "function": {"name": "get_order", "arguments": arguments}}
    turns: list[dict[str, object]] = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0_ecb3411d", "content": result},
    ]
    said = [turns[number % 2] for number in range(length - 2)]
    return conversation(2) + said


def canonical(said: list[dict[str, object]]) -> list[dict[str, object]]:
    """The same as OpenTelemetry's messages."""
    content = messages("auto", said, "user")
    return [{"role": "system", "parts": content.system}, *content.messages]


def flattened(said: list[dict[str, object]]) -> dict[str, object]:
    """The same as OpenInference flattens it."""
    return {f"{number}.message.{key}": value for number, one in enumerate(said) for key, value in one.items()}


def text(value: object) -> str:
    return orjson.dumps(value).decode()


def microseconds(run: Callable[[], object]) -> float:
    """The best of five rounds of about 50 ms."""
    rounds = 1
    while (taken := _seconds(run, rounds)) < 0.05:
        rounds *= 2
    return min(taken, *(_seconds(run, rounds) for _ in range(4))) / rounds * 1e6


def _canonical_text(form: str, value: object) -> str:
    return dumps(messages(form, value, "user").messages)


def _read_and_written(json: str) -> str:
    return text(orjson.loads(json))


def _seconds(run: Callable[[], object], rounds: int) -> float:
    start = time.process_time()
    for _ in range(rounds):
        run()
    return time.process_time() - start


CASES: dict[str, tuple[str, object]] = {
    "3 messages, OpenAI": ("auto", text(conversation(3))),
    "3 messages, gen_ai": ("gen_ai", text(canonical(conversation(3)))),
    "3 messages, OpenInference": ("openinference", flattened(conversation(3))),
    "6 messages with tools, OpenAI": ("auto", text(agent(6))),
    "6 messages with tools, gen_ai": ("gen_ai", text(canonical(agent(6)))),
    "200 messages, OpenAI": ("auto", text(conversation(200))),
    "200 messages with tools, OpenAI": ("auto", text(agent(200))),
    "200 messages, OpenInference": ("openinference", flattened(conversation(200))),
    "plain text of 100 characters": ("auto", _QUESTION),
    "plain text of 38,000 characters": ("auto", _QUESTION * 365),
}


def main() -> None:
    print(f"{'':34}{'us/list':>10}{'us/message':>12}{'x orjson alone':>16}")
    for name, (form, value) in CASES.items():
        whole = microseconds(partial(_canonical_text, form, value))
        count = len(messages(form, value, "user").messages)
        alone = microseconds(partial(_read_and_written, text(value)))
        print(f"{name:34}{whole:>10.1f}{whole / count:>12.2f}{whole / alone:>16.1f}")


if __name__ == "__main__":
    main()
