import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.judge.answers import Unparsable, Verdict, parse
from spanmill.judge.evaluator import Evaluator
from tests.judge.rows import category, evaluator, number

FIVE = number(1, 5)
YES_NO = evaluator()
COLOURS = category(red=0, amber=0.5, green=1)
ANY_SCALE = st.sampled_from([FIVE, YES_NO, COLOURS])


def verdict(judge: Evaluator, text: str) -> Verdict:
    found = parse(judge, text)
    assert isinstance(found, Verdict), found
    return found


def code(judge: Evaluator, text: str) -> str:
    found = parse(judge, text)
    assert isinstance(found, Unparsable), found
    return found.code


def test_an_answer_gives_score_and_reasons() -> None:
    found = verdict(FIVE, '{"reasoning": "Mostly right.", "score": 4}')
    assert (found.score, found.raw, found.label, found.explanation) == (0.75, 4, None, "Mostly right.")


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"reasoning": "x", "score": 4}\n```',
        'Here is my verdict:\n\n{"reasoning": "x", "score": 4}\n\nI hope it helps.',
        '{"reasoning": "x", "score": 4,}',
        '{"reasoning": "a list [1, 2,], and a brace }", "score": 4 , \n}',
        '{"reasoning": "two\nlines", "score": 4}',
        '{"reasoning": "x", "score": "4"}',
        '{"reasoning": "x", "score": 4.0, "confidence": {"high": true}}',
        '<think>Is {"score": 1} right? {no</think>\n{"reasoning": "x", "score": 4}',
        'The set {a, b} is fine. {"reasoning": "x", "score": 4}',
        '{"score": 4} and once more: {"reasoning": "x", "score": 4}',
        '[{"reasoning": "x", "score": 4}]',
        '\ufeff{"score": 4}',
    ],
)
def test_what_models_put_around_their_json_is_tolerated(text: str) -> None:
    assert verdict(FIVE, text).score == 0.75


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("4", "missing"),
        ("The score is 4 out of 5.", "missing"),
        ("{}", "missing"),
        ('{"reasoning": "x"}', "missing"),
        ('{"result": {"score": 4}}', "missing"),
        ('{"reasoning": "x", "score": 4', "malformed"),
        ('{"reasoning": "it breaks o', "malformed"),
        ('{"reasoning": "the text says {"score": 5} and', "malformed"),
        ("{'reasoning': 'the text says {\"score\": 5} and", "malformed"),
        ('{reasoning: the text says {"score": 5} and', "malformed"),
        ('{"score": NaN}', "malformed"),
        ('{"score": Infinity}', "malformed"),
        ('{"score": 1, "score": 5}', "malformed"),
        ('{"score": 4,,}', "malformed"),
        ('<think>{"score": 4}', "malformed"),
        ('{"a":' * 5000 + '{"score": 4}' + "}" * 5000, "malformed"),
        ('{"score": 4}' + " " * 300_000, "malformed"),
        ('{"score": ' + "1" * 5000 + "}", "malformed"),
        ('First {"score": 2}, no: {"score": 4}', "ambiguous"),
        ('{"score": null}', "wrong_type"),
        ('{"score": true}', "wrong_type"),
        ('{"score": "four"}', "wrong_type"),
        ('{"score": "4/5"}', "wrong_type"),
        ('{"score": [4]}', "wrong_type"),
        ('{"score": 0}', "out_of_scale"),
        ('{"score": 5.01}', "out_of_scale"),
        ('{"score": 1e999}', "out_of_scale"),
        ('{"score": ' + "1" * 400 + "}", "out_of_scale"),
    ],
)
def test_an_answer_that_is_not_clear_has_no_score(text: str, why: str) -> None:
    assert code(FIVE, text) == why


def test_booleans_are_read_as_models_write_them_and_nothing_else_is_one() -> None:
    for written, score in (("true", 1.0), ("false", 0.0), ('"Yes"', 1.0), ('"no"', 0.0)):
        assert verdict(YES_NO, f'{{"verdict": {written}}}').score == score
    assert verdict(YES_NO, '{"verdict": true}').label == "true"
    for written in ("1", "0", '"maybe"', "null"):
        assert code(YES_NO, f'{{"verdict": {written}}}') == "wrong_type"


def test_a_label_has_its_score_and_an_unknown_one_none() -> None:
    found = verdict(COLOURS, '{"label": " Amber"}')
    assert (found.score, found.label) == (0.5, "amber")
    assert code(COLOURS, '{"label": "blue"}') == "out_of_scale"
    assert code(COLOURS, '{"label": 1}') == "wrong_type"


def test_higher_is_better_whatever_is_asked() -> None:
    lower = number(0, 10, lower_is_better=True)
    assert verdict(lower, '{"score": 2}').score == pytest.approx(0.8)
    invented = evaluator(scale={"type": "boolean", "lower_is_better": True}, threshold=0.5)
    found = verdict(invented, '{"verdict": true}')
    assert (found.score, found.label, found.passed) == (0.0, "true", False)


def test_a_score_passes_from_its_threshold_on() -> None:
    judge = evaluator(scale={"type": "number", "range": [1, 5]}, threshold=0.75)
    assert verdict(judge, '{"score": 4}').passed is True
    assert verdict(judge, '{"score": 3.9}').passed is False
    assert verdict(FIVE, '{"score": 1}').passed is None


def test_reasons_are_bounded_and_why_an_answer_fails_never_quotes_it() -> None:
    assert len(verdict(FIVE, json.dumps({"reasoning": "x" * 10_000, "score": 4})).explanation) == 4000
    for text in ('{"score": "kim@example.com"}', "kim@example.com", '{"reasoning": "kim@example.com'):
        found = parse(FIVE, text)
        assert isinstance(found, Unparsable)
        assert "kim" not in found.reason


PIECES = st.sampled_from(
    [
        *('{"score": 4}', '{"score"', ": 3", "{", "}", "[", "]", ",", '"', "\\", "```", "<think>", "</think>", "NaN"),
        *('{"verdict": true}', '{"label": "red"}', '"reasoning":', "'", "\ud800", "점수", " ", "\n", "1e999"),
    ]
)


@given(ANY_SCALE, st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_no_text_makes_the_parser_raise_or_leave_the_scale(judge: Evaluator, text: str) -> None:
    found = parse(judge, text)
    if isinstance(found, Verdict):
        assert 0 <= found.score <= 1
        assert judge.scale.key in text


@given(ANY_SCALE, st.text(alphabet=st.characters(exclude_characters="{}")))
def test_prose_without_json_has_no_score(judge: Evaluator, text: str) -> None:
    assert isinstance(parse(judge, text), Unparsable)


@given(st.text(), st.floats(1, 5), st.data())
def test_an_answer_that_breaks_off_anywhere_has_no_score(reasons: str, score: float, data: Any) -> None:
    whole = json.dumps({"reasoning": reasons, "score": score}, ensure_ascii=False)
    assert verdict(FIVE, whole).raw == score
    assert isinstance(parse(FIVE, whole[: data.draw(st.integers(0, len(whole) - 1))]), Unparsable)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1), st.booleans())
def test_scores_are_from_0_to_1_and_keep_the_order(least: float, width: float, share: float, lower: bool) -> None:
    judge = number(least, least + width, lower_is_better=lower)
    raw = min(max(least + share * width, least), least + width)
    found = verdict(judge, json.dumps({"score": raw}))
    assert 0 <= found.score <= 1
    best = verdict(judge, json.dumps({"score": least if lower else least + width}))
    assert found.score <= best.score == 1
