"""Token counts from the length of texts."""

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.llm.prices.estimate import estimated_tokens, tokens_of_text


def _message(text: str) -> str:
    return orjson.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]).decode()


def _estimate(*texts: str | None) -> list[int]:
    tokens: list[int] = estimated_tokens(pa.array(texts, pa.string())).tolist()
    return tokens


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 220, 230),
        ("안녕하세요 고객님 무엇을 도와드릴까요 " * 20, 230, 270),
        ("今日は良い天気ですね" * 20, 130, 136),
        ("Grüße aus Köln, süße Früchte " * 20, 140, 150),
        ("😀" * 400, 98, 104),
        ("", 0, 3),
    ],
)
def test_an_estimate_goes_by_characters_of_each_script(text: str, low: int, high: int) -> None:
    (tokens,) = _estimate(_message(text))
    assert low <= tokens <= high


def test_what_is_not_there_has_no_tokens() -> None:
    assert _estimate(None, "", _message("word")) == [0, 0, 2]


def test_several_columns_are_added_up() -> None:
    one, other = pa.array([_message("word" * 100)] * 2), pa.array([None, _message("word" * 50)])
    alone, both = estimated_tokens(one, other).tolist()
    assert 48 <= both - alone <= 52


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: '":' not in text))
def test_one_text_has_as_many_tokens_as_in_a_column(text: str) -> None:
    assert tokens_of_text(text) == _estimate(text)[0]


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), max_size=8), st.integers(0, 8))
def test_a_column_is_estimated_value_by_value(texts: list[str | None], first: int) -> None:
    """Whatever stands before it, and in a slice."""
    column = pa.array(texts, pa.string())
    together = estimated_tokens(column.slice(first)).tolist()
    assert together == [_estimate(text)[0] for text in texts[first:]]
    for text, tokens in zip(texts[first:], together, strict=True):
        cjk = sum("\u3000" <= character <= "\ud7ff" or "\ud7b0" <= character <= "\udfff" for character in text or "")
        characters = len(text or "")
        if '"role":' not in (text or "") and '"type":' not in (text or ""):
            assert tokens == -(-((characters - cjk) * 3 + cjk * 8) // 12) or abs(tokens - characters / 4) <= cjk + 1
