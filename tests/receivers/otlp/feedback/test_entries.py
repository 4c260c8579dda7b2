"""Feedback in JSON, as evaluations: what is taken, what is refused, and how that is said."""

import math
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.config.problems import Problem
from spanmill.llm.evaluations import Evaluation
from spanmill.receivers.otlp.feedback.entries import MAX_ENTRIES, MAX_PROBLEMS, Unusable, read

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NOW = int(datetime.fromisoformat("2026-02-02T02:40:00Z").timestamp()) * 10**9
GOOD = {"trace_id": TRACE, "name": "helpful", "value": True}
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


def one(**fields: Any) -> Evaluation:
    (evaluation,) = read(orjson.dumps(GOOD | fields), NOW).evaluations
    return evaluation


def problems(body: Any) -> dict[str, str]:
    """What is wrong, by place."""
    with pytest.raises(Unusable) as caught:
        read(body if isinstance(body, bytes) else orjson.dumps(body), NOW)
    return {problem.path: problem.render() for problem in caught.value.problems}


def problem(**fields: Any) -> str:
    """The only thing that is wrong."""
    (text,) = problems(GOOD | fields).values()
    return text


@pytest.mark.parametrize(
    ("fields", "score", "label"),
    [
        ({"value": True}, 1.0, "true"),
        ({"value": False}, 0.0, "false"),
        ({"value": "up"}, 1.0, "up"),
        ({"value": "Thumbs_Down"}, 0.0, "down"),
        ({"value": "👍"}, 1.0, "up"),
        ({"value": "👎🏽"}, 0.0, "down"),
        ({"value": 0}, 0.0, None),
        ({"value": 0.25}, 0.25, None),
        ({"value": 1}, 1.0, None),
        ({"value": {"stars": 1}}, 0.0, "1"),
        ({"value": {"stars": 4}}, 0.75, "4"),
        ({"value": {"stars": 5}}, 1.0, "5"),
        ({"value": 4, "scale": [1, 5]}, 0.75, "4"),
        ({"value": 9, "scale": [0, 10]}, 0.9, "9"),
        ({"value": -0.5, "scale": [-1, 1]}, 0.25, "-0.5"),
        ({"value": "too long"}, None, "too long"),
        ({"value": "답변이 부정확함"}, None, "답변이 부정확함"),
        ({"value": True, "label": "resolved"}, 1.0, "resolved"),
        ({"value": {"stars": 4}, "label": "good"}, 0.75, "good"),
    ],
)
def test_a_value_becomes_a_score_and_a_label(fields: dict[str, Any], score: float | None, label: str | None) -> None:
    evaluation = one(**fields)
    assert (evaluation.score, evaluation.label, evaluation.source) == (score, label, "person")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": 4}, "value: a number without a scale; expected one from 0 to 1; found 4. Say what is "),
        ({"value": -1}, "without a scale"),
        ({"value": "4"}, 'value: a number in quotes; expected a number, or a category in words; found "4"'),
        ({"value": "NaN"}, "a number in quotes"),
        ({"value": "9e999"}, "a number in quotes"),
        ({"value": {"stars": 6}}, "value: the number is not on the scale; expected 1 to 5; found 6"),
        ({"value": {"stars": 0}}, "not on the scale"),
        ({"value": {"stars": "4"}}, "this is no rating"),
        ({"value": {"stars": True}}, "this is no rating"),
        ({"value": {"stars": 4, "of": 10}}, "this is no rating"),
        ({"value": {"stars": 4}, "scale": [1, 10]}, "stars are 1 to 5"),
        ({"value": [1]}, "this is no rating"),
        ({"value": "x" * 101}, "value: the text is too long; expected at most 100 characters; found 101"),
        ({"value": "a\nb"}, "cannot be printed"),
        ({"value": 4, "scale": [5, 1]}, "scale: the scale does not rise; expected two numbers"),
        ({"value": 4, "scale": [1, 1]}, "does not rise"),
        ({"value": 4, "scale": [False, 5]}, "scale: not a scale"),
        ({"value": 4, "scale": [1]}, "not a scale"),
        ({"value": 4, "scale": [-1e300, 1e300]}, "too wide"),
        ({"value": "up", "scale": [0, 1]}, "`scale` stands beside a value that is no number"),
        ({"value": "slow", "label": "bad"}, "label: the value is a category"),
    ],
)  # fmt: skip
def test_what_could_mean_two_things_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in problem(**fields)


def test_ids_are_hex_in_either_case_or_a_traceparent() -> None:
    def place(**fields: Any) -> tuple[str, str | None]:
        evaluation = one(**fields)
        return evaluation.trace_id, evaluation.span_id

    assert place() == (TRACE, None)
    assert place(trace_id=TRACE.upper(), span_id=SPAN.upper()) == (TRACE, SPAN)
    assert place(trace_id=TRACEPARENT.upper()) == place(trace_id=None, traceparent=TRACEPARENT) == (TRACE, SPAN)
    assert place(trace_id=TRACEPARENT, span_id="00f067aa0ba902b7") == (TRACE, "00f067aa0ba902b7")
    assert place(trace_id=f"cc-{TRACE}-{SPAN}-01-later") == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trace_id": 12345678901234567890}, "trace_id: an id is text; expected 32 hex digits in quotes"),
        ({"trace_id": TRACE[:-1]}, "trace_id: the id has the wrong length; expected 32 hex digits"),
        ({"trace_id": SPAN}, "Is it a span id?"),
        ({"trace_id": "0" * 32}, "trace_id: the id is all zeros"),
        ({"trace_id": "0af76519-16cd-43dd-8448-eb211c80319c"}, "Leave out the dashes."),
        ({"trace_id": "g" * 32}, "the id is not hex"),
        ({"trace_id": "٣" * 32}, "the id is not hex"),
        ({"trace_id": f"00-{'0' * 32}-{SPAN}-01"}, "all zeros"),
        ({"trace_id": f"00-{TRACE}-{'0' * 16}-01"}, "all zeros"),
        ({"trace_id": f"ff-{TRACE}-{SPAN}-01"}, "not a valid traceparent"),
        ({"trace_id": f"00-{TRACE}-{SPAN}-01-more"}, "not a valid traceparent"),
        ({"trace_id": None, "traceparent": TRACE}, "traceparent: not a traceparent"),
        ({"traceparent": TRACEPARENT}, "traceparent: it says what `trace_id` says already; expected one of the two"),
        ({"span_id": TRACE}, "span_id: the id has the wrong length; expected 16 hex digits in quotes; found 32 digits"),
        ({"span_id": "0" * 16}, "span_id: the id is all zeros"),
        ({"trace_id": "", "span_id": SPAN}, "A span id alone does not say which trace it is of."),
    ],
)
def test_an_id_that_names_nothing_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in problem(**fields)


def test_what_else_was_said_is_kept() -> None:
    said = one(comment="찾던 답", user_id="u-7", session_id="s-9", metadata={"page": "/help", "try": 3, "none": None})
    assert (said.explanation, said.user_id, said.session_id) == ("찾던 답", "u-7", "s-9")
    assert said.metadata == {"page": "/help", "try": 3}


def test_null_and_empty_texts_say_nothing() -> None:
    said = one(comment="", user_id=None, session_id="", label="", span_id=None, time="", metadata=None)
    assert (said.explanation, said.user_id, said.session_id, said.label) == (None, None, None, "true")
    assert list(problems({"trace_id": "", "name": None, "value": ""})) == ["trace_id", "name", "value"]


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("2026-01-31T12:30:00Z", 1_769_862_600 * 10**9),
        ("2026-01-31 21:30:00.123456789+09:00", 1_769_862_600_123_456_789),
        ("2026-02-02T02:44:59z", NOW + 299 * 10**9),
    ],
)
def test_times_are_kept_to_the_nanosecond_and_clocks_may_differ_a_little(written: str, nanoseconds: int) -> None:
    assert one(time=written).time_unix_nano == nanoseconds
    assert one().time_unix_nano == NOW


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("2026-02-02T03:00:00Z", "time: the time lies in the future; expected a time that has come"),
        ("9999-12-31T23:59:59-14:00", "the time lies in the future"),
        ("0001-01-01T00:00:00+14:00", "the time lies before 1970"),
        ("2026-02-30T00:00:00Z", "there is no such time"),
        ("2026-01-31T12:30:00+99:00", "there is no such time"),
        ("2026-01-31T12:30:00", "not a time; expected a date and time with its zone"),
        ("yesterday", "not a time"),
        (1769862600, "A number could be seconds or milliseconds."),
    ],
)
def test_times_that_cannot_be_are_refused(written: str | int, words: str) -> None:
    assert words in problem(time=written)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"comment": "x" * 10_001}, "comment: the text is too long; expected at most 10000 characters; found 10001"),
        ({"user_id": 7}, "user_id: not text; expected a text; found 7. Put it in quotes."),
        ({"name": "  "}, "name: the text is empty"),
        ({"name": "n" * 101}, "name: the text is too long; expected at most 100 characters"),
        ({"metadata": {str(n): n for n in range(33)}}, "metadata: there are too many entries; expected at most 32"),
        ({"metadata": {"a": "x" * 1001}}, "metadata: a text is too long; expected at most 1000 characters; found 1001"),
        ({"metadata": {"a": [1]}}, "metadata: an entry is not a single value"),
        ({"metadata": "x"}, "metadata: not an object"),
        ({"coment": "x"}, 'coment: unknown field. Did you mean "comment"?'),
        ({"traceId": TRACE}, 'Did you mean "trace_id"?'),
        ({"zzz": 1}, "Known are trace_id, traceparent, span_id, name, value"),
    ],
)  # fmt: skip
def test_other_fields_have_limits_and_names(fields: dict[str, Any], words: str) -> None:
    assert words in problem(**fields)


def test_everything_that_is_wrong_is_named_at_once_by_index_and_field() -> None:
    found = problems([GOOD, {"name": "x", "value": 7, "foo": 1}, "yes", GOOD | {"span_id": 1, "user_id": 2}])
    assert list(found) == ["[1].foo", "[1].trace_id", "[1].value", "[2]", "[3].span_id", "[3].user_id"]
    assert list(problems(GOOD | {"value": 7, "scale": [5, 1]})) == ["scale"], "what follows from it is not named too"


def test_so_many_problems_are_named_and_no_more() -> None:
    assert len(problems([{"value": 7}] * 1000 + [GOOD])) <= MAX_PROBLEMS
    assert len(problems({f"unknown {n}" * 100: n for n in range(1000)})) == MAX_PROBLEMS


def test_feedback_that_says_exactly_the_same_is_taken_once() -> None:
    entries = read(orjson.dumps([GOOD, GOOD | {"user_id": "a"}, dict(reversed(GOOD.items()))]), NOW)
    assert [each.user_id for each in entries.evaluations] == [None, "a"]
    assert entries.duplicates == 1


def test_a_request_holds_so_much_feedback_and_no_more() -> None:
    many = [GOOD | {"user_id": str(n), "value": {"stars": 5}, "metadata": {"n": n}} for n in range(MAX_ENTRIES)]
    assert len(read(orjson.dumps(many), NOW).evaluations) == MAX_ENTRIES
    assert problems([*many, GOOD]) == {
        "": "there is too much feedback in one request; expected at most 1000; found 1001"
    }
    assert "objects and lists; send smaller requests" in problems(b"[" + b"[]," * 10_000 + b"[]]")[""]


@pytest.mark.parametrize("body", [b"", b"NaN", b"{", b'{"value": NaN}', b"\xff", b'{"value": 1e999}'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert problems(body)[""].startswith("not valid JSON: ")


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_comment() -> None:
    body = orjson.dumps(GOOD)[:-1] + b',"comment":"cut \\ud83d"}'
    assert read(body, NOW).evaluations[0].explanation == "cut \ufffd"


def test_an_empty_list_is_no_feedback_and_no_mistake() -> None:
    assert read(b"[]", NOW).evaluations == ()


def attempt(body: bytes) -> tuple[tuple[Evaluation, ...], tuple[Problem, ...]]:
    """What is taken, or else what is wrong."""
    try:
        return read(body, NOW).evaluations, ()
    except Unusable as error:
        return (), error.problems


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_LIKELY = st.fixed_dictionaries(
    {
        "trace_id": st.sampled_from([TRACE, TRACE.upper(), TRACEPARENT, SPAN, "0" * 32]) | _JSON,
        "name": st.sampled_from(["helpful", "resolved"]) | _JSON,
        "value": st.sampled_from(["up", "👎", {"stars": 3}, "slow", True])
        | st.floats(-2, 6)
        | st.builds(lambda stars: {"stars": stars}, st.floats(-1, 7))
        | _JSON,
    },
    optional={
        "scale": st.lists(st.floats(-10, 10) | st.integers(-10, 10), min_size=2, max_size=2) | _JSON,
        "span_id": st.sampled_from([SPAN]) | _JSON,
        "comment": _JSON,
        "time": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | _JSON,
        "metadata": _JSON,
        "label": _JSON,
        "Value": _JSON,
    },
)


@given(st.lists(_LIKELY, max_size=3) | _LIKELY | _JSON)
def test_whatever_comes_is_taken_or_refused_and_scores_are_from_0_to_1(given_json: Any) -> None:
    evaluations, found = attempt(orjson.dumps(given_json))
    assert evaluations or found or given_json == []
    assert all(each.render() and each.message for each in found)
    for evaluation in evaluations:
        assert evaluation.score is None or (0 <= evaluation.score <= 1 and not math.isnan(evaluation.score))
        assert evaluation.score is not None or evaluation.label
        assert (len(evaluation.trace_id), len(evaluation.span_id or SPAN)) == (32, 16)
        assert 0 < evaluation.time_unix_nano <= NOW + 300 * 10**9


@given(st.binary(max_size=60))
def test_bytes_that_are_anything_never_end_in_an_error_of_another_kind(body: bytes) -> None:
    attempt(body)


@given(st.floats(0, 1), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_score_does_not_depend_on_the_scale_it_was_given_on(score: float, one_end: float, other_end: float) -> None:
    worst, best = sorted((one_end, other_end))
    if best - worst < 1e-3:
        return
    value = min(best, max(worst, worst + score * (best - worst)))
    rated = one(value=value, scale=[worst, best]).score
    assert rated is not None
    assert abs(rated - score) < 1e-3
