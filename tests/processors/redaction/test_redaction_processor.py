"""The redaction processor beyond what the Collector answers: what it leaves alone, its laws, Spanmill's own columns."""

import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.pii.engine import compile_pattern
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.values import replaced
from spanmill.signal import Signal
from tests.data import batch_of as decoded
from tests.data import spans
from tests.processors.building import ROWS, Pairs, attributes_of, batch_of, pairs, request_of, value_of
from tests.processors.redaction.asking import redaction
from tests.strategies import REQUESTS

CARD = "4111111111111111"
VISA = "4[0-9]{12}(?:[0-9]{3})?"


@pytest.mark.parametrize("signal", Signal)
def test_a_batch_in_which_nothing_is_blocked_stays_the_same_batch(signal: Signal) -> None:
    batch = batch_of(signal, [pairs(a="fine", b=1), pairs()], resource=pairs(c="fine"))
    redact = redaction(allow_all_keys=True, blocked_values=[VISA], blocked_key_patterns=["token"], summary="debug")
    assert redact(batch) is batch


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.sampled_from(Signal), ROWS)
def test_only_allowed_keys_are_left_whatever_stands_under_them(signal: Signal, rows: list[Pairs]) -> None:
    left = attributes_of(redaction(allowed_keys=["a", "b"])(batch_of(signal, rows, resource=rows[0])))
    assert left == [[(key, value) for key, value in row if key in ("a", "b")] for row in rows]


@hypothesis_settings(deadline=None, max_examples=20)
@given(st.data())
def test_any_request_can_be_redacted_and_encoded_again(data: st.DataObject) -> None:
    signal = data.draw(st.sampled_from(Signal))
    request = data.draw(REQUESTS[signal])

    redact = redaction(
        allow_all_keys=True, redact_all_types=True, blocked_values=["[a-z]+", "$"], hash_function="md5", summary="debug"
    )
    batch = decoded(request, signal)
    assert len(redact(batch)) == len(batch)
    request_of(redact(batch))


def test_a_batch_without_rows_is_redacted_to_one() -> None:
    assert len(redaction()(spans(1).slice(0, 0))) == 0


@pytest.mark.parametrize("bounds", [(0, 1), (1, 2), (2, 1)])
def test_a_slice_of_a_batch_is_redacted_like_the_whole(bounds: tuple[int, int]) -> None:
    batch = batch_of(Signal.LOGS, [pairs(a=CARD, n=1), pairs(b=2), pairs(a="x")], body=value_of(CARD))
    redact = redaction(allowed_keys=["a"], blocked_values=[VISA], summary="debug")
    assert request_of(redact(batch.slice(*bounds))) == request_of(redact(batch).slice(*bounds))


@hypothesis_settings(deadline=None, max_examples=300)
@given(
    st.text("ab가é\n\U0001f600 ", max_size=10),
    st.sampled_from(["a", "a*", "(a)(b)?", "", "^", "$", "\\b", "(?m)^", "(?s).*", ".*", "[^a]*", "가|$", "\\s*"]),
)
def test_hashes_stand_exactly_where_asterisks_would(text: str, pattern: str) -> None:
    """Arrow replaces by a fixed text itself; hashes are put in match by match."""
    expected = pc.replace_substring_regex(pa.array([text]), pattern, "****")[0].as_py()
    search = compile_pattern(pattern, unicode=True).search
    assert replaced(text.encode(), search, lambda _match: "****").decode() == expected


def test_long_texts_are_masked_like_short_ones() -> None:
    text = f"{'fine ' * 500}{CARD} and {CARD}"
    ((entry,),) = attributes_of(
        redaction(allow_all_keys=True, blocked_values=[VISA])(batch_of(Signal.TRACES, [pairs(a=text)]))
    )
    assert entry[1].string_value == text.replace(CARD, "****")


def test_a_pattern_that_reads_to_the_end_at_every_byte_is_stopped_and_the_rest_masked() -> None:
    """Linear for each match, and a match at every byte: without a limit this takes a minute."""
    redact = redaction(allow_all_keys=True, blocked_values=["(?s)x.*y|x"])
    started = time.thread_time()
    ((entry,),) = attributes_of(redact(batch_of(Signal.TRACES, [pairs(a="x" * 200_000)])))
    assert "x" not in entry[1].string_value
    assert time.thread_time() - started < 10


def test_the_same_value_hashes_the_same_in_every_row_and_place() -> None:
    redact = redaction(allow_all_keys=True, blocked_values=[VISA], hash_function="hmac-sha256", hmac_key="k" * 32)
    batch = redact(batch_of(Signal.TRACES, [pairs(a=CARD), pairs(b=f"{CARD}!")], resource=pairs(c=CARD)))
    (first,), (second,) = attributes_of(batch)
    (resource,) = request_of(batch).resource_spans[0].resource.attributes
    assert first[1].string_value == resource.value.string_value == second[1].string_value[:-1]
    assert CARD not in first[1].string_value


def _filled(batch: Batch) -> Batch:
    columns: dict[str, pa.Array] = {
        "input": pa.array([f"pay with {CARD}", None]),
        "user_id": pa.array(["ada", "bob"]),
        "tags": pa.array([[CARD, "x"], None], pa.list_(pa.string())),
        "input_tokens": pa.array([3, 4]),
    }
    for name, values in columns.items():
        batch = batch.with_record_column(name, values)
    return batch


def _columns(batch: Batch) -> dict[str, Any]:
    return {name: batch.column(name).to_pylist() for name in ("input", "user_id", "tags", "input_tokens")}


def test_columns_that_were_filled_before_are_masked_like_attributes() -> None:
    redact = redaction(allow_all_keys=True, blocked_values=[VISA], blocked_key_patterns=["^user_id$"])
    assert _columns(redact(_filled(spans(2)))) == {
        "input": ["pay with ****", None],
        "user_id": ["****", "****"],
        "tags": [["****", "x"], None],
        "input_tokens": [3, 4],
    }


def test_columns_that_were_filled_before_are_emptied_unless_they_are_allowed() -> None:
    kept = _columns(redaction(allowed_keys=["user_id"])(_filled(spans(2))))
    assert kept == {"input": [None] * 2, "user_id": ["ada", "bob"], "tags": [None] * 2, "input_tokens": [3, 4]}


def test_an_allowed_value_in_a_filled_column_stays() -> None:
    redact = redaction(allow_all_keys=True, blocked_values=["a", "b"], allowed_values=["^ada$"])
    assert _columns(redact(_filled(spans(2))))["user_id"] == ["ada", "****o****"]


def test_the_key_is_not_shown_with_the_configuration() -> None:
    config = RedactionProcessorConfig.model_validate({"hash_function": "hmac-sha256", "hmac_key": "s" * 32})
    assert "sss" not in repr(config) + config.model_dump_json()
