"""What llm_cost writes on single spans."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from spanmill.names import Kind
from tests.processors.building import settings
from tests.processors.llm_cost.spans import (
    COST_OF_CALL,
    START,
    Row,
    batch_of,
    call,
    columns_of,
    nano,
    priced,
    processor,
)


def test_a_call_gets_its_price_in_parts_and_in_whole() -> None:
    (row,) = priced([call(1)])
    assert row["input_cost_usd"] == Decimal("0.0025")
    assert row["output_cost_usd"] == Decimal("0.005")
    assert row["cost_usd"] == Decimal("0.0075")
    assert row["price_source"] == "genai-prices 0.2.3"
    assert row["is_llm_call"] is True


def test_spans_that_are_no_calls_are_left_alone() -> None:
    tool = Row(2, parent=1, columns={"operation": "execute_tool", "input_tokens": 5})
    agent = Row(3, columns={"operation": "invoke_agent", "request_model": "gpt-4o", "input_tokens": 9})
    rows = priced([call(1, parent=3), tool, agent])
    assert [row["cost_usd"] is None for row in rows] == [False, True, True]
    assert [row["price_source"] for row in rows[1:]] == [None, None]
    assert [row["is_llm_call"] for row in rows] == [True, None, None]


def test_a_batch_without_calls_comes_back_as_it_is() -> None:
    batch = batch_of([Row(1), Row(2, parent=1)])
    assert processor()(batch) is batch


def test_an_empty_batch_comes_back_empty() -> None:
    assert len(processor()(batch_of([call(1)]).slice(0, 0))) == 0


def test_a_slice_of_a_batch_is_priced_like_the_whole() -> None:
    batch = batch_of([call(number, trace=number, tokens=number * 100, cost_usd=None) for number in range(1, 9)])
    whole, part = columns_of(processor()(batch)), columns_of(processor()(batch.slice(3, 4)))
    assert part == whole[3:7]


def test_cached_tokens_cost_less_and_are_not_counted_twice() -> None:
    (row,) = priced([call(1, tokens=1000, output_tokens=0, cache_read_tokens=600)])
    assert nano(row["input_cost_usd"]) == 400 * 2_500 + 600 * 1_250


def test_cache_writes_for_an_hour_cost_more_than_those_for_five_minutes() -> None:
    claude: dict[str, Any] = {"provider": "anthropic", "request_model": "claude-haiku-4-5"}
    (row,) = priced([call(1, tokens=1000, **claude, cache_write_tokens=600, cache_write_1h_tokens=100)])
    assert nano(row["input_cost_usd"]) == 400 * 1_000 + 500 * 1_250 + 100 * 2_000


def test_reasoning_is_part_of_the_output_and_sound_has_its_price() -> None:
    realtime: dict[str, Any] = {"request_model": "gpt-4o-realtime-preview", "reasoning_tokens": 100}
    (row,) = priced([call(1, tokens=1000, **realtime, audio_input_tokens=200, audio_output_tokens=50)])
    assert nano(row["input_cost_usd"]) == 800 * 5_000 + 200 * 40_000
    assert nano(row["output_cost_usd"]) == 450 * 20_000 + 50 * 80_000


def test_parts_larger_than_their_whole_do_not_make_the_rest_negative() -> None:
    (row,) = priced([call(1, tokens=100, cache_read_tokens=150)])
    assert nano(row["input_cost_usd"]) == 150 * 1_250


def test_long_prompts_are_priced_by_their_tier_in_whole() -> None:
    gemini: dict[str, Any] = {"provider": "gcp.gemini", "request_model": "gemini-2.5-pro", "output_tokens": 10}
    rows = priced([call(1, tokens=200_000, **gemini), call(2, trace=2, tokens=200_001, **gemini)])
    assert [nano(row["cost_usd"]) for row in rows] == [200_000 * 1_250 + 10 * 10_000, 200_001 * 2_500 + 10 * 15_000]


def test_each_span_is_priced_at_its_own_start() -> None:
    o3: dict[str, Any] = {"request_model": "o3", "output_tokens": 0}
    first_day = 1_749_513_600 * 10**9  # 2025-06-10T00:00:00Z
    rows = priced([call(1, start=first_day - 1, **o3), call(2, trace=2, start=first_day, **o3)])
    assert [nano(row["cost_usd"]) for row in rows] == [1000 * 10_000, 1000 * 2_000]


def test_night_rates_go_by_the_time_of_day() -> None:
    deepseek: dict[str, Any] = {"provider": "deepseek", "request_model": "deepseek-chat", "output_tokens": 0}
    midnight = START // (86_400 * 10**9) * 86_400 * 10**9
    hours = [0.0, 1.0, 16.0, 17.0, 23.9]
    rows = priced([call(n, trace=n, start=midnight + int(h * 3600e9), **deepseek) for n, h in enumerate(hours, 1)])
    day, night = 1000 * 270, 1000 * 135
    assert [nano(row["cost_usd"]) for row in rows] == [night, day, day, night, night]


def test_a_span_without_times_is_priced_as_of_now() -> None:
    (row,) = priced([call(1, start=0, seconds=0, request_model="o3", output_tokens=0)])
    assert nano(row["cost_usd"]) == 1000 * 2_000


@pytest.mark.parametrize(("operation", "cost"), [("embeddings", 1000 * 2_500), ("chat", None)])
def test_only_operations_without_an_answer_need_no_output_count(operation: str, cost: int | None) -> None:
    (row,) = priced([call(1, operation=operation, output_tokens=None)])
    assert nano(row["cost_usd"]) == cost
    assert row["price_source"] == ("genai-prices 0.2.3" if cost else "unpriced: no output token count")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"request_model": "qwen2.5:7b", "provider": "ollama"}, "no price for this model"),
        ({"request_model": None}, "no model named"),
        ({"input_tokens": None, "output_tokens": None}, "no token counts"),
        ({"input_tokens": 0, "output_tokens": 0}, "no token counts"),
        ({"input_tokens": None}, "no input token count"),
        ({"input_tokens": -1}, "numbers out of range"),
        ({"input_tokens": 2**62}, "numbers out of range"),
        ({"cache_read_tokens": 2**63 - 1, "cache_write_tokens": 2**63 - 1}, "numbers out of range"),
        ({"request_model": "text-embedding-3-small"}, "no price for all kinds of tokens"),
    ],
)
def test_a_call_without_a_price_says_why_and_is_counted_by_model(columns: dict[str, Any], reason: str) -> None:
    component = settings(Kind.PROCESSORS, "llm_cost")
    (row,) = priced([call(1, **columns)], component)
    assert (row["cost_usd"], row["input_cost_usd"], row["output_cost_usd"]) == (None, None, None)
    assert row["price_source"] == f"unpriced: {reason}"
    assert row["is_llm_call"] is True
    model = columns.get("request_model", "gpt-4o") or "unknown"
    assert component.metrics.value("llm_cost_unpriced_spans", model=model, reason=reason) == 1


def test_a_failed_call_that_used_nothing_alarms_nobody() -> None:
    component = settings(Kind.PROCESSORS, "llm_cost")
    rows = priced(
        [call(1, tokens=None, failed=True), call(2, trace=2, tokens=None, failed=True, provider="x")], component
    )
    assert [(row["cost_usd"], row["price_source"]) for row in rows] == [(None, "no usage")] * 2
    assert component.metrics.value("llm_cost_unpriced_spans") == 0


def test_a_failed_call_pays_for_what_it_used() -> None:
    (row,) = priced([call(1, failed=True, output_tokens=None)])
    assert nano(row["cost_usd"]) == 1000 * 2_500


def test_the_counter_of_unpriced_calls_names_a_hundred_models_and_no_more() -> None:
    component = settings(Kind.PROCESSORS, "llm_cost")
    component_processor = processor(component)
    for first in range(0, 300, 50):
        rows = [call(n + 1, trace=n + 1, request_model=f"own-{n}", provider="vllm") for n in range(first, first + 50)]
        component_processor(batch_of(rows))
    counted = {reading.labels: reading.value for reading in component.metrics.read()}
    assert len(counted) == 101
    assert component.metrics.value("llm_cost_unpriced_spans", model="other") == 200
    assert component.metrics.value("llm_cost_unpriced_spans") == 300


@pytest.mark.parametrize(
    ("trust", "priced_usd", "unpriced_usd"),
    [("never", "0.0075", None), ("when_unpriced", "0.0075", "0.5"), ("always", "0.5", "0.5")],
)
def test_a_reported_cost_is_trusted_as_far_as_configured(trust: str, priced_usd: str, unpriced_usd: str | None) -> None:
    reported: dict[str, Any] = {"reported_cost_usd": Decimal("0.5")}
    rows = priced([call(1, **reported), call(2, trace=2, request_model="own", **reported)], trust_reported=trust)
    assert [row["cost_usd"] for row in rows] == [Decimal(priced_usd), unpriced_usd and Decimal(unpriced_usd)]
    sources = [row["price_source"] == "reported" for row in rows]
    assert sources == [trust == "always", trust != "never"]
    assert [row["input_cost_usd"] is None for row in rows] == [trust == "always", True]


@pytest.mark.parametrize("reported", ["0", "-1", "999999999"])
def test_a_reported_cost_of_nothing_says_nothing(reported: str) -> None:
    (row,) = priced([call(1, request_model="own", reported_cost_usd=Decimal(reported))], trust_reported="always")
    assert row["cost_usd"] is None


def test_answers_from_the_applications_cache_are_free() -> None:
    hit = call(1, attributes={"app.cache_hit": True})
    rows = priced([hit, call(2, trace=2)], free="attributes['app.cache_hit'] = 'true'")
    assert [nano(row["cost_usd"]) for row in rows] == [0, COST_OF_CALL]
    assert rows[0]["price_source"] == "free"
    assert rows[0]["is_llm_call"] is True


def test_a_condition_that_fails_on_some_rows_prices_those() -> None:
    texts = [call(n, trace=n, attributes={"saved": text}) for n, text in enumerate(["3", "much"], 1)]
    rows = priced(texts, free="cast(attributes['saved'] as integer) > 1")
    assert [nano(row["cost_usd"]) for row in rows] == [0, COST_OF_CALL]


def test_missing_counts_are_estimated_only_when_asked_for() -> None:
    text = '[{"role":"user","parts":[{"type":"text","content":"' + "word" * 1000 + '"}]}]'
    silent = call(1, tokens=None, input=text, output=text.replace("user", "assistant"))
    assert priced([silent])[0]["cost_usd"] is None
    rows = priced([silent, call(2, trace=2), Row(3, columns={"input": text})], estimate_missing_tokens=True)
    assert [row["tokens_estimated"] for row in rows] == [True, None, None]
    assert 990 <= rows[0]["input_tokens"] <= 1010
    assert 990 <= rows[0]["output_tokens"] <= 1010
    assert rows[0]["total_tokens"] == rows[0]["input_tokens"] + rows[0]["output_tokens"]
    assert rows[0]["cost_usd"] is not None
    assert rows[2]["input_tokens"] is None


def test_a_count_that_was_sent_is_not_replaced_by_an_estimate() -> None:
    (row,) = priced([call(1, output_tokens=None, output='"text"')], estimate_missing_tokens=True)
    assert row["input_tokens"] == 1000
    assert row["output_tokens"] == 2


def test_a_failed_call_that_used_nothing_is_not_estimated() -> None:
    (row,) = priced([call(1, tokens=None, failed=True, input='"a question"')], estimate_missing_tokens=True)
    assert (row["tokens_estimated"], row["price_source"]) == (None, "no usage")


def test_the_price_list_is_loaded_only_by_who_prices() -> None:
    """Importing it takes 0.1 s and 35 MB."""
    code = (
        "import sys, spanmill.cli, spanmill.config.load, spanmill.processors.llm_cost.config, spanmill.registry;"
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
