"""Leaves of JSON in strings, and putting them back."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.pii.json_text import is_json, leaves, looks_like_json, put_back
from spanmill.pii.secret_keys import SecretKeys

_KEYS = st.sampled_from(["a", "password", "userToken", "b\n", 'q"', "한", "", "\\"]) | st.text(max_size=3)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just('{"a": [1, "\\n"]}')
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_STYLES = st.sampled_from(
    [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"indent": "\t", "ensure_ascii": False}]
)
_DOCUMENTS = st.tuples(
    st.lists(_VALUES, max_size=3) | st.dictionaries(_KEYS, _VALUES, max_size=3) | st.text(), _STYLES
).map(lambda given: _written(*given))


def _written(value: Any, style: dict[str, Any]) -> str:
    text = json.dumps(value, **style)
    # Not ASCII, and half a pair: no text.
    return text if not any("\ud800" <= character <= "\udfff" for character in text) else json.dumps(value)


def _plainly(document: str, secret_keys: SecretKeys, *, with_keys: bool = False) -> list[tuple[str, str | None, bool]]:
    """What the leaves of a document are: by a parser, one after the other."""
    found: list[tuple[str, str | None, bool]] = []

    def walk(value: Any, key: str | None, secret: bool) -> None:
        if isinstance(value, _Pairs):
            for name, inner in value:
                if with_keys:
                    found.append((name, None, False))
                walk(inner, name, secret or name in secret_keys)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, None if isinstance(inner, list) and not isinstance(inner, _Pairs) else key, secret)
        elif isinstance(value, str):
            found.append((value, key, secret))

    walk(
        json.loads(document, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_constant),
        None,
        False,
    )
    return [
        (text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), key, secret) for text, key, secret in found
    ]


class _Pairs(list[tuple[str, Any]]):
    """A map as it is written, with equal keys."""


def _constant(name: str) -> str | None:
    return name if name.startswith("-") else None


@given(st.lists(_DOCUMENTS, min_size=1, max_size=4), st.booleans())
def test_leaves_are_those_that_a_parser_finds(documents: list[str], with_keys: bool) -> None:
    column = pa.array(documents)
    found = leaves(column, SecretKeys(), with_keys=with_keys)
    keys, rows = found.keys.to_pylist(), found.rows.tolist()
    for row, document in enumerate(documents):
        expected = _plainly(document, SecretKeys(), with_keys=with_keys)
        own = [index for index, of in enumerate(rows) if of == row]
        assert [found.texts[index].as_py() for index in own] == [text for text, _, _ in expected]
        assert [bool(found.secret[index]) for index in own] == [secret for _, _, secret in expected]
        assert [keys[index] for index in own] == [_of_text(key) for _, key, _ in expected]


def _of_text(key: str | None) -> str | None:
    return None if key is None else key.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.lists(_DOCUMENTS, min_size=1, max_size=4))
def test_documents_keep_their_bytes_when_no_leaf_changes(documents: list[str]) -> None:
    column = pa.array(documents)
    found = leaves(column, SecretKeys(), with_keys=True)
    assert put_back(column, found, found.texts) is column


@given(_DOCUMENTS, st.data())
def test_leaves_that_change_become_strings_and_all_else_keeps_its_bytes(document: str, data: st.DataObject) -> None:
    column = pa.array([document])
    found = leaves(column, SecretKeys(), with_keys=False)
    texts = found.texts.to_pylist()
    changed = [data.draw(st.booleans()) for _ in texts]
    masked = ['<X> "\\' if change else text for text, change in zip(texts, changed, strict=True)]
    (answer,) = put_back(column, found, pa.array(masked, pa.string())).to_pylist()
    expected, at = b"", 0
    original = document.encode()
    for change, start, end in zip(changed, found.starts.tolist(), found.ends.tolist(), strict=True):
        if change:
            expected += original[at:start] + rb'"<X> \"\\"'
            at = end
    assert answer.encode() == expected + original[at:]
    json.loads(answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{}", True),
        (' \n["a"]\t', True),
        ('"', False),
        ('"a"', True),
        ("plain", False),
        ("{", False),
        ("[cut", False),
        ("", False),
        ("12", False),
        (None, False),
        ("   ", False),
    ],
)
def test_first_and_last_character_tell_what_may_be_json(text: str | None, answer: bool) -> None:
    column = pa.array(["x", text, "{}"], pa.string())
    assert looks_like_json(column).tolist() == [False, answer, True]
    assert looks_like_json(column[1:]).tolist() == [answer, True]


@pytest.mark.parametrize(
    "text", [b'{"a": NaN}', b'["\\ud800"]', b"[" + b"9" * 50_000 + b"]", b'{"a":1,"a":2}', b'"\\u0041"', b"[-Infinity]"]
)
def test_what_python_writes_is_json(text: bytes) -> None:
    assert is_json(text)


@pytest.mark.parametrize("text", [b"[" * 100_000 + b"]" * 100_000, b'{"a": }', b'["a\nb"]', b'[1]{"a"]', b"[1] [2]"])
def test_what_is_too_deep_or_broken_is_no_json(text: bytes) -> None:
    assert not is_json(text)
