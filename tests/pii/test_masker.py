"""Masking columns of text."""

import json
import time
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.pii.detector import Detector, Form, custom_detector
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import FAILED, Allow, Masker
from spanmill.pii.replacing import HmacKey, Style

_FINDER = Finder(CATALOGUE)
_MASKER = Masker(_FINDER)
_HMAC = Style("hmac", HmacKey("k1", b"0123456789abcdef"))
_CARD, _PHONE, _EMAIL = "4111 1111 1111 1111", "010-1234-5678", "kim@example.com"


def _masked(*texts: str | None, masker: Masker = _MASKER) -> list[str | None]:
    answer: list[str | None] = masker.mask(pa.array(texts, pa.string())).texts.to_pylist()
    return answer


def _one(text: str, masker: Masker = _MASKER) -> str:
    (answer,) = _masked(text, masker=masker)
    assert answer is not None
    return answer


def _bomb(found: bytes) -> int:
    """A check that fails."""
    if b"7" in found:
        raise RuntimeError(f"failed on {found!r}")
    return len(found)


_FAILING = Masker(Finder([Detector("bomb", (Form(r"boom[0-9]", _bomb),)), *CATALOGUE]))


def test_a_column_without_personal_data_is_the_very_same_array() -> None:
    texts = pa.array(["nothing", None, "", '{"a": [1, "b\\n"]}', "[cut off"])
    masked = _MASKER.mask(texts)
    assert masked.texts is texts
    assert masked.counts == {}
    assert _MASKER.mask_values(pa.array(["a", "b", "card", "d", "e"]), texts).texts is texts


def test_findings_are_masked_and_counted_by_detector() -> None:
    masked = _MASKER.mask(pa.array([f"call {_PHONE} or {_PHONE}", None, f"{_EMAIL}!"]))
    assert masked.texts.to_pylist() == ["call <PHONE> or <PHONE>", None, "<EMAIL>!"]
    assert masked.counts == Counter(phone=2, email=1)


def test_slices_are_masked_like_whole_columns() -> None:
    texts = pa.array([_EMAIL, None, f"a {_EMAIL}", f'{{"a": "{_EMAIL}"}}', "x"])
    assert _MASKER.mask(texts[1:4]).texts.to_pylist() == [None, "a <EMAIL>", '{"a": "<EMAIL>"}']
    assert _MASKER.mask(texts[5:]).texts.to_pylist() == []


def test_json_stays_json_and_keeps_the_bytes_of_what_is_not_masked() -> None:
    document = '{ "a":[1.0, 12345678901234567890123,  "한\\u00e9"],"a": "to kim@example.com\\n", "b" : NaN}'
    assert _one(document) == document.replace("kim@example.com", "<EMAIL>")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"a": "\\n010-1234-5678"}', '{"a": "\\n<PHONE>"}'),
        ('{"a": "\\u0030\\u0031\\u0030-1234-5678"}', '{"a": "<PHONE>"}'),
        ('{"a": "\\b010-1234-5678"}', '{"a": "\\b<PHONE>"}'),
        ('["https:\\/\\/kim:hunter2@example.com"]', '["https://<URL_CREDENTIALS>@example.com"]'),
        ('["{\\"a\\": {\\"password\\": 1}}"]', '["{\\"a\\": {\\"password\\": \\"<SECRET_KEY_VALUE>\\"}}"]'),
        ('{"a": 4111111111111111}', '{"a": "<CARD>"}'),
        ('["{\\"a\\": \\"kim@example.com\\"}"]', '["{\\"a\\": \\"<EMAIL>\\"}"]'),
        ('"kim@example.com"', '"<EMAIL>"'),
        (' [ "kim@example.com" ]\n', ' [ "<EMAIL>" ]\n'),
        ('{"kim@example.com": 1}', '{"kim@example.com": 1}'),
    ],
)
def test_leaves_of_json_are_masked_as_texts_of_their_own(text: str, masked: str) -> None:
    assert _one(text) == masked


def test_keys_of_json_are_masked_when_asked_for() -> None:
    masker = Masker(_FINDER, mask_keys=True)
    assert _one('{"kim@example.com": {"password": 1}}', masker) == '{"<EMAIL>": {"password": "<SECRET_KEY_VALUE>"}}'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"a": "\\n010-1234-5678 and then it was cut o', '{"a": "\\n<PHONE> and then it was cut o'),
        ('{"mail": "\\u006bim@example.com", "b', '{"mail": "<EMAIL>", "b'),
        ('{"password": "hunter2", "b', '{"password": "<SECRET_KEY_VALUE>", "b'),
        ("{'token': 'abc', 'mail': 'kim@example.com'}", "{'token': '<SECRET_KEY_VALUE>', 'mail': '<EMAIL>'}"),
        ("[not json kim@example.com]", "[not json <EMAIL>]"),
    ],
)
def test_what_only_looks_like_json_is_masked_as_text(text: str, masked: str) -> None:
    assert _one(text) == masked


def test_json_in_json_is_taken_apart_and_what_is_deeper_is_masked_as_text() -> None:
    text = json.dumps({"password": "hunter2", "mail": _EMAIL})
    for _ in range(7):
        text = json.dumps({"inner": text})
        masked = _one(text)
        assert "hunter2" not in masked
        assert _EMAIL not in masked
        json.loads(masked)


@pytest.mark.parametrize("nesting", [1_000, 100_000])
@pytest.mark.parametrize("inside", [_EMAIL, "\\u006b" + _EMAIL[1:]])
def test_json_too_deep_for_parsers_is_masked_as_text(nesting: int, inside: str) -> None:
    text = "[" * nesting + f'"{inside}"' + "]" * nesting
    assert _one(text) == text.replace(inside, "<EMAIL>")


def test_everything_under_a_secret_key_is_replaced_but_what_says_nothing() -> None:
    text = '{"auth":{"password":{"a":["x",7,{"b":"y"}],"c":null,"d":true,"e":""}},"max_tokens":7,"n":{"token":[]}}'
    secret = '"<SECRET_KEY_VALUE>"'
    expected = text.replace('"x",7', f"{secret},{secret}").replace('"y"', secret)
    masked = _MASKER.mask(pa.array([text]))
    assert masked.texts.to_pylist() == [expected]
    assert masked.counts == Counter(secret_key_value=3)


def test_values_under_secret_keys_are_replaced_whole_and_others_as_texts() -> None:
    keys = pa.array(["db.userPassword", "gen_ai.prompt", "max_tokens", "authorization", "api_key", "cookie"])
    texts = pa.array(["hunter2", f"to {_EMAIL}", "100", '{"a": 1}', None, ""])
    for given_keys in (keys, keys.dictionary_encode()):
        masked = _MASKER.mask_values(given_keys, texts)
        expected = ["<SECRET_KEY_VALUE>", "to <EMAIL>", "100", "<SECRET_KEY_VALUE>", None, ""]
        assert masked.texts.to_pylist() == expected
        assert masked.counts == Counter(secret_key_value=2, email=1)


def test_the_key_is_context_for_the_number_under_it() -> None:
    number = "4222222222222"
    assert _one(f'{{"n": "{number}", "cardNumber": "{number}"}}') == f'{{"n": "{number}", "cardNumber": "<CARD>"}}'
    assert _one(f'{{"cards": [{number}, "{number}"]}}') == '{"cards": ["<CARD>", "<CARD>"]}'
    masked = _MASKER.mask_values(pa.array(["user.card_number", "n"]), pa.array([number, number]))
    assert masked.texts.to_pylist() == ["<CARD>", number]


def test_allowed_texts_and_patterns_are_left_as_they_are() -> None:
    masker = Masker(_FINDER, allow=Allow(["support@acme.com", "hunter2"], [r".*@example\.com"]))
    texts = ["support@acme.com", "Xsupport@acme.com", "kim@example.com", "kim@example.com.evil.org"]
    masked = masker.mask(pa.array(texts))
    assert masked.texts.to_pylist() == ["support@acme.com", "<EMAIL>", "kim@example.com", "<EMAIL>"]
    assert masked.counts == Counter(email=2)
    assert _one('{"password": ["hunter2", "other"]}', masker) == '{"password": ["hunter2", "<SECRET_KEY_VALUE>"]}'


def test_styles_are_by_detector_and_the_default_is_for_the_others() -> None:
    styles = {"email": _HMAC, "card": Style("partial"), "phone": Style("drop"), "secret_key_value": Style("drop")}
    masker = Masker(_FINDER, styles, default_style=Style("partial"))
    masked = _one(json.dumps([_EMAIL, _CARD, _PHONE, "8.8.4.4", {"token": 1}, "Kim@Example.com"]), masker)
    email, card, phone, address, secret, same = json.loads(masked)
    assert email.startswith("<EMAIL:k1:")
    assert (card, phone, address, secret) == ("*" * 15 + "1111", "", "*******", {"token": ""})
    assert same == email


def test_what_hides_behind_what_is_masked_is_masked_too() -> None:
    beside = "4111111111111111-AKIA0123456789ABCDEF"
    assert _FINDER.find(pa.array([beside])).rows.tolist() == [0]
    assert _one(beside) == "<CARD>-<AWS_KEY>"
    together = f"411111{_EMAIL}1111111111".replace(_EMAIL, f" {_EMAIL} ").replace(" ", "")
    masker = Masker(_FINDER, default_style=Style("drop"))
    left = _one(together, masker)
    assert len(_FINDER.find(pa.array([left])).rows) == 0


def test_a_value_that_cannot_be_masked_is_replaced_and_harms_no_other() -> None:
    texts = ["boom1", None, "boom7", f"to {_EMAIL}", '{"a": ["boom7", "boom2"], "b": 1}', "x"] * 5
    masked = _FAILING.mask(pa.array(texts))
    expected = ["<BOMB>", None, FAILED, "to <EMAIL>", f'{{"a": ["{FAILED}", "<BOMB>"], "b": 1}}', "x"] * 5
    assert masked.texts.to_pylist() == expected
    assert masked.counts == Counter(bomb=10, failed=10, email=5)


def test_an_allowed_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="RE2 does not accept it"):
        Allow(patterns=["("])


def test_a_pattern_of_ones_own_that_is_anchored_matches_leaves() -> None:
    masker = Masker(Finder([custom_detector("badge", r"^E[0-9]{4}$")]))
    assert _masked("E1234", '{"a": "E1234", "b": "xE1234"}', masker=masker) == [
        "<BADGE>",
        '{"a": "<BADGE>", "b": "xE1234"}',
    ]


def test_patterns_of_ones_own_that_match_tokens_do_not_mask_twice() -> None:
    masker = Masker(
        Finder([custom_detector("word", r"[A-Za-z]+"), custom_detector("number", r"[0-9]+")]), {"word": _HMAC}
    )
    once = _masked("hello 12", '{"a": "hello"}', masker=masker)
    assert _masked(*once, masker=masker) == once


def test_a_long_column_is_masked_like_short_ones() -> None:
    texts = [
        f"to {_EMAIL}",
        None,
        "x",
        '{"a": "\\n%s", "token": "x"}',
        _CARD,
        "{'token': 'x'",
        "(010) 1234\uff0d5678",
        "한",
    ]
    expected = [text for one in texts for text in _masked(one)]
    assert _masked(*texts * 300) == expected * 300


_PERSONAL = st.sampled_from(
    [_CARD, _PHONE, _EMAIL, "900101-1234567", "https://kim:secret@example.com/", "10.1.2.3", "AKIA" + "B" * 16]
)
_TEXTS = st.lists(
    _PERSONAL
    | st.sampled_from([" ", "-", "1", "a", "\n", '"', "한", "\uff14", "\\u0031", "{", "]", "'token': 'x'", "."]),
    max_size=5,
).map("".join)
_KEYS = st.sampled_from(["a", "password", "card_number", "max_tokens", "b\n"])
_LEAVES = _TEXTS | st.integers() | st.none() | st.booleans() | st.just(4111111111111111)
_NESTED = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_KEYS, inner, max_size=3)
        | inner.map(json.dumps)
        | inner.map(lambda value: json.dumps(value, ensure_ascii=False))
    ),
    max_leaves=6,
)
_VALUES = st.lists(
    st.none() | _TEXTS | _NESTED.map(json.dumps) | _NESTED.map(lambda value: json.dumps(value, indent=1)), max_size=5
)
_SETTLED = [
    Masker(_FINDER),
    Masker(_FINDER, default_style=Style("drop")),
    Masker(_FINDER, default_style=_HMAC),
    Masker(_FINDER, {"email": _HMAC, "phone": Style("drop")}, mask_keys=True),
]


@given(_VALUES, st.sampled_from(_SETTLED), st.lists(_KEYS, min_size=5, max_size=5))
def test_masking_twice_changes_nothing_more(texts: list[str | None], masker: Masker, keys: list[str]) -> None:
    column, named = pa.array(texts, pa.string()), pa.array(keys[: len(texts)], pa.string())
    for mask in (masker.mask, lambda texts: masker.mask_values(named, texts)):
        once = mask(column).texts
        again = mask(once)
        assert again.texts.to_pylist() == once.to_pylist()
        assert again.counts == {}


@given(_VALUES, st.sampled_from(_SETTLED[:2]))
def test_nothing_that_is_found_is_left(texts: list[str | None], masker: Masker) -> None:
    masked = masker.mask(pa.array(texts, pa.string())).texts
    plain = [text for text in masked.to_pylist() if text is not None]
    leaves = [leaf for text in plain for leaf in _leaves(text)]
    assert len(_FINDER.find(pa.array(leaves, pa.string())).rows) == 0


def _leaves(text: str, depth: int = 0) -> list[str]:
    """What a reader of the text sees: itself, or the strings and numbers of the JSON that it is."""
    try:
        value = json.loads(text) if text[:1] in ('"', "[", "{") and depth < 5 else None
    except ValueError:
        value = None
    return [text] if value is None else [leaf for one in _strings(value) for leaf in _leaves(one, depth + 1)]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _strings(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _strings(inner)]
    return [str(value)]


@given(_VALUES, st.booleans())
def test_length_nulls_and_json_stay_and_a_dry_run_only_counts(texts: list[str | None], partial: bool) -> None:
    style = Style("partial") if partial else Style()
    column = pa.array(texts, pa.string())
    masked = Masker(_FINDER, default_style=style).mask(column)
    masked.texts.validate(full=True)
    assert [text is None for text in masked.texts.to_pylist()] == [text is None for text in texts]
    dry = Masker(_FINDER, default_style=style, dry_run=True).mask(column)
    assert dry.texts is column
    assert dry.counts == masked.counts
    for before, after in zip(texts, masked.texts.to_pylist(), strict=True):
        if before is not None and before[:1] in ('"', "[", "{"):
            try:
                was = json.loads(before)
            except ValueError:
                continue
            _same_shape(was, json.loads(after))


def _same_shape(was: Any, now: Any) -> None:
    """Equal but for leaves that were masked."""
    if isinstance(was, dict):
        assert list(was) == list(now)
        for key in was:
            _same_shape(was[key], now[key])
    elif isinstance(was, list):
        assert len(was) == len(now)
        for inner_was, inner_now in zip(was, now, strict=True):
            _same_shape(inner_was, inner_now)
    elif was != now:
        assert isinstance(now, str)
        assert not isinstance(was, bool)
        assert was is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "[" + '{"password":' * 40_000,
        '{"password":[' * 400 + "1" + "]}" * 400,
        "[" + ",".join(['{"password":{"a":1}}'] * 30_000) + "]",
        '"' + "\\" * 400_000 + '"',
        "'" + "token" * 80_000 + "'",
        "?token=" * 60_000,
        "a@" * 200_000,
        "4111111111111111-" * 20_000 + "AKIA0123456789ABCDEF",
        json.dumps(["\\n" * 3] * 60_000),
    ],
    ids=["cut", "deep", "pairs", "slashes", "words", "query", "ats", "chain", "escapes"],
)
def test_hostile_text_of_half_a_megabyte_takes_about_as_long_as_any(hostile: str) -> None:
    started = time.thread_time()
    _masked(hostile)
    assert time.thread_time() - started < 3
