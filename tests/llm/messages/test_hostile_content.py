"""Anything may stand in an attribute: nothing of it raises, costs more than linear time, or gets through uncut."""

import base64
import json
import random
import re
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.llm.messages import FORMS, documents, dumps, messages, tool_call_messages, tool_response_messages
from tests.llm.messages.validity import problems_of

_KEYS = st.sampled_from(
    [
        *(
            "role",
            "content",
            "parts",
            "type",
            "text",
            "messages",
            "input",
            "output",
            "tool_calls",
            "id",
            "name",
            "kwargs",
        ),
        *(
            "lc",
            "data",
            "value",
            "arguments",
            "function",
            "choices",
            "message",
            "generations",
            "image_url",
            "url",
            "source",
        ),
        *(
            "event.name",
            "attributes",
            "body",
            "kind",
            "part_kind",
            "toolCalls",
            "prompt",
            "system",
            "contents",
            "metadata",
        ),
        *(
            "0.message.role",
            "0.message.content",
            "7.message.contents.0.message_content.type",
            "00.role",
            "3.document.id",
        ),
        *(
            "1.message.tool_calls.2.tool_call.function.arguments",
            "99999999999999999999.message.content",
            "0",
            "0.",
            ".",
        ),
        *("file", "audio", "response", "result", "update", "inputs", "outputs", "finish_reason", "additional_kwargs"),
    ]
)
_WORDS = st.sampled_from(
    [
        *(
            "user",
            "assistant",
            "system",
            "tool",
            "text",
            "tool_call",
            "tool_use",
            "tool_result",
            "image_url",
            "reasoning",
        ),
        *(
            "constructor",
            "human",
            "ai",
            "request",
            "response",
            "system-prompt",
            "message",
            "function_call",
            "json",
            "blob",
        ),
        *(
            "gen_ai.user.message",
            "gen_ai.choice",
            "gen_ai.content.prompt",
            "data:image/png;base64,aGk=",
            "chat_messages",
        ),
        *(
            "@@@langfuseMedia:type=image/png|id=x|source=y@@@",
            "https://example.com/a.png",
            "[1]",
            '{"a": 1}',
            '"x"',
            "",
        ),
        *("HumanMessage", "\x00", "\ud83d", "{'a': 1}", "NaN", "[[[", "function", "file", "image", "input_audio"),
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    _WORDS,
    st.text(st.characters(exclude_categories=[]), max_size=20),
)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.one_of(_KEYS, _KEYS, _KEYS, st.text(max_size=5))
    return st.one_of(st.lists(children, max_size=4), st.dictionaries(keys, children, max_size=5))


_VALUES = st.recursive(_LEAVES, _nested, max_leaves=25)
_SENT = st.one_of(_VALUES, _VALUES.map(json.dumps), _VALUES.map(json.dumps).map(json.dumps))
_ROLES = st.sampled_from(["user", "assistant", "system"])


@settings(max_examples=150, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), value=_SENT, role=_ROLES)
def test_any_value_in_any_form_gives_canonical_messages(form: str, value: object, role: str) -> None:
    content = messages(form, value, role)
    assert problems_of(content.messages, content.system) == []
    assert orjson.loads(dumps(content.messages)) is not None


@settings(max_examples=150, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), value=_SENT, role=st.sampled_from(["user", "assistant"]))
def test_canonical_messages_stay_as_they_are(form: str, value: object, role: str) -> None:
    once = dumps(messages(form, value, role).messages)
    assert dumps(messages("gen_ai", once, role).messages) == once


@settings(max_examples=80, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), value=_SENT)
def test_any_value_in_any_form_gives_documents_and_tool_messages(form: str, value: object) -> None:
    found = documents(form, value)
    assert all(document.keys() <= {"id", "score", "content", "metadata"} and document for document in found)
    assert orjson.loads(dumps(found)) is not None
    sent = [*tool_call_messages(value, "call", "tool"), *tool_response_messages(value, None)]
    assert problems_of(sent) == []
    assert orjson.loads(dumps(sent)) is not None


_PLAIN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda text: not text.startswith(("{", "[", '"')) and text.strip() == text
)


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(_PLAIN, min_size=5, max_size=5), form=st.sampled_from(["auto", "gen_ai", "langsmith"]))
def test_every_text_of_a_conversation_is_in_the_result(texts: list[str], form: str) -> None:
    system, question, thought, argument, result = texts
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": json.dumps({"q": argument})}}
    sent = [
        {"role": "developer", "content": [{"type": "text", "text": system}]},
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "reasoning_content": thought, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": result},
    ]
    content = messages(form, json.dumps({"messages": sent, "model": "m"}), "user")
    assert content.system == [{"type": "text", "content": system}]
    assert content.messages == [
        {"role": "user", "parts": [{"type": "text", "content": question}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": thought},
                {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": argument}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": result}]},
    ]


_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/]{1024}")


def _hide(value: object, encoded: str) -> object:
    """The value with its texts followed by the encoded one."""
    if isinstance(value, dict):
        return {key: _hide(entry, encoded) for key, entry in value.items()}
    if isinstance(value, list):
        return [_hide(entry, encoded) for entry in value]
    return (
        value + encoded if isinstance(value, str) and len(value) % 2 else encoded if isinstance(value, str) else value
    )


@settings(max_examples=80, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), value=_VALUES, size=st.integers(1200, 4000), role=_ROLES)
def test_no_long_base64_gets_through(form: str, value: object, size: int, role: str) -> None:
    encoded = base64.b64encode(random.Random(size).randbytes(size)).decode()
    for sent in (_hide(value, encoded), _hide(value, f"data:image/png;base64,{encoded}")):
        content = messages(form, sent, role)
        assert not _LONG_BASE64.search(dumps(content.messages) + dumps(content.system) + dumps(documents(form, sent)))


_DEEP = 100_000
_HUGE = {
    "open brackets": "[" * 2_000_000,
    "open braces": '{"a":' * 400_000,
    "nested lists": "[" * _DEEP + "]" * _DEEP,
    "nested content": '{"content":' * 900 + "1" + "}" * 900,
    "deep arguments": json.dumps([{"role": "tool", "content": "[" * 500 + "]" * 500}]),
    "quotes": '"' * 1_000_000,
    "backslashes": '"' + "\\" * 1_000_000,
    "data uris that begin": "data:" * 400_000 + ";base64,",
    "data uris that go on": "data:a/b;base64," * 100_000,
    "parameters": "data:a/b" + ";a=b" * 300_000 + ";base64,aGk=",
    "runs that are too short": ("A1b" * 340 + " ") * 2_000,
    "one run": "A1b" * 700_000,
    "wide list": "[" + "{}," * 40_000 + "{}]",
    "wide wrapping": '{"messages":[' + '{"output":[{"input":' * 3 + "[" + "1," * 100_000 + "1]" + "}]}" * 3 + "]}",
    "whitespace": " " * 2_000_000 + "x",
    "nul": "\x00" * 1_000_000,
    "many names": json.dumps({f"{number}": "x" for number in range(100_000)}),
}


@pytest.mark.parametrize("name", _HUGE)
@pytest.mark.parametrize("form", ["auto", "gen_ai_event", "openinference", "langsmith", "text", "vercel_tool_calls"])
def test_megabytes_of_nonsense_take_no_more_than_linear_time(name: str, form: str) -> None:
    began = time.process_time()
    content = messages(form, _HUGE[name], "user")
    documents(form, _HUGE[name])
    text = dumps(content.messages)
    assert time.process_time() - began < 5
    assert orjson.loads(text) is not None
    assert problems_of(content.messages, content.system) == []


def test_a_long_conversation_costs_as_much_a_message_as_a_short_one() -> None:
    def seconds(count: int) -> float:
        said = [{"role": "user" if n % 2 else "assistant", "content": "hello " * 20} for n in range(count)]
        flat = {f"{n}.message.{key}": value for n, one in enumerate(said) for key, value in one.items()}
        began = time.process_time()
        messages("auto", json.dumps(said), "user")
        messages("openinference", flat, "user")
        return (time.process_time() - began) / count

    assert min(seconds(5_000) for _ in range(3)) < 10 * min(seconds(500) for _ in range(3))


def test_values_nested_without_end_become_text() -> None:
    deep: Any = "the bottom"
    for _ in range(50_000):
        deep = [deep]
    for sent in (deep, {"messages": [{"role": "user", "content": deep}]}, [{"role": "tool", "content": deep}]):
        assert "the bottom" in dumps(messages("auto", sent, "user").messages)
    assert "the bottom" in dumps(documents("auto", [{"id": "1", "content": deep}]))


def test_indices_are_sorted_never_counted() -> None:
    flat = {
        f"{10**30}.message.content": "last",
        f"{10**30}.message.role": "user",
        "12.message.content": "second",
        "2.message.content": "first",
        "x.message.content": "no index",
        "message.content": "none",
        "9" * 10_000 + ".message.content": "beyond what Python reads",
        "-1.message.content": "negative",
        "²".rjust(1) + ".message.content": "not a decimal",
    }
    said = [message["parts"][0]["content"] for message in messages("openinference", flat, "user").messages]
    assert said == ["first", "second", "last", "beyond what Python reads"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan"), "b": float("inf")}, '{"a":null,"b":null}'),
        ({"a": 10**30}, '{"a":1000000000000000000000000000000}'),
        ({"a": "\ud83d!"}, '{"a":"\ufffd!"}'),
        ({"a": "\ud83d\ude00"}, '{"a":"\U0001f600"}'),
        ({1: b"hi", None: (1, 2)}, '{"1":"aGk=","None":[1,2]}'),
        ([], "[]"),
        ({"a": {}, "b": [], "c": [10**30, {}]}, '{"a":{},"b":[],"c":[1000000000000000000000000000000,{}]}'),
    ],
)
def test_dumps_has_a_word_for_everything(value: object, text: str) -> None:
    assert dumps(value) == text


def test_dumps_writes_numbers_that_python_refuses_to_write() -> None:
    assert orjson.loads(dumps({"a": 1 << 100_000}))["a"].startswith("0x1")


def test_json_that_python_writes_but_json_does_not_know_is_read() -> None:
    sent = '[{"role": "user", "content": "half \\ud83d", "score": NaN}]'
    content = messages("auto", sent, "user")
    assert dumps(content.messages) == '[{"role":"user","parts":[{"type":"text","content":"half \ufffd"}]}]'
