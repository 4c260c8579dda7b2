"""Every number on the page is the one that plain Python adds up, whatever the batches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.families import SEMCONV_SECONDS
from spanmill.lazy_records import JoinedRecords
from spanmill.signal import Signal
from tests.exporters.prometheus.llm import oracle
from tests.exporters.prometheus.llm.oracle import Expected
from tests.exporters.prometheus.llm.spans import Counted, Row, batch, call, totals, usd


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


TOKENS = maybe(st.integers(0, 100_000))
MILLISECONDS = st.integers(0, 100_000).map(lambda number: number / 8)
ROWS = st.fixed_dictionaries(
    {
        "is_llm_call": one_of(True, True, True, False, None),
        "seconds": maybe(st.integers(0, 100_000).map(lambda ms: ms / 1000)),
    },
    optional={
        "status": one_of(0, 1, 2),
        "status_message": one_of("", "Error code: 429 - slow down", "it broke"),
        "request_model": maybe(one_of("gpt-4o", "claude-opus-4", "모델")),
        "response_model": maybe(one_of("gpt-4o-2024-08-06", "other")),
        "operation": maybe(one_of("chat", "embeddings")),
        "provider": maybe(one_of("openai", "anthropic")),
        "feature": maybe(one_of("search", "", 'quo"ted\n')),
        "prompt_name": maybe(one_of("greet", "answer")),
        "prompt_version": maybe(one_of("1", "2")),
        "input_tokens": TOKENS,
        "output_tokens": TOKENS,
        "cache_read_tokens": TOKENS,
        "cache_write_tokens": TOKENS,
        "reasoning_tokens": TOKENS,
        "cost_usd": maybe(st.integers(0, 10**12).map(lambda nano: usd(nano / 1e9))),
        "price_source": maybe(one_of("unpriced: no price for this model", "genai-prices 0.2.3", "restated")),
        "time_to_first_token_ms": maybe(MILLISECONDS),
        "streaming": maybe(st.booleans()),
        "error_type": maybe(one_of("RateLimitError", "timeout")),
        "retries": maybe(st.integers(0, 5)),
        "sample_weight": maybe(one_of(1.0, 10.0, 2.5, 1 / 3)),
    },
)


@given(st.lists(st.lists(ROWS, min_size=1, max_size=12), max_size=4))
def test_the_page_says_what_a_loop_over_the_rows_adds_up(batches: list[list[Row]]) -> None:
    page, expected = Counted(), Expected()
    for rows in batches:
        page.send(*rows)
        for row in rows:
            expected.row(row)
    assert page.series() == pytest.approx(expected.lines())


@given(st.lists(ROWS, min_size=1, max_size=12), st.integers(0, 12))
def test_a_batch_and_its_halves_count_the_same(rows: list[Row], place: int) -> None:
    whole, halves, sliced = Counted(), Counted(), Counted()
    made = batch(*rows)
    whole.metrics.consume(made)
    for part in (rows[:place], rows[place:]):
        if part:
            halves.send(*part)
    for one in (made.slice(0, place), made.slice(min(place, len(rows)), len(rows))):
        sliced.metrics.consume(one)
    assert halves.series() == pytest.approx(whole.series())
    assert sliced.series() == pytest.approx(whole.series())


def test_spans_that_are_no_calls_are_not_counted() -> None:
    page = Counted()
    page.send({"operation": "execute_tool"}, {"is_llm_call": False, "request_model": "gpt-4o", "input_tokens": 5})
    page.metrics.consume(batch({"seconds": 1.0}))
    assert page.text() == ""


def test_sampled_spans_count_as_many_calls_as_they_stand_for() -> None:
    page, every = Counted(), Counted()
    row = call(input_tokens=100, output_tokens=50, cost_usd=usd(0.25), seconds=0.7)
    page.send({**row, "sample_weight": 20.0})
    for _ in range(20):
        every.send(row)
    assert page.series() == pytest.approx(every.series())
    page.send({**row, "sample_weight": 2.5})
    assert page.value("llm_requests_total", model="gpt-4o", status="ok") == 22.5
    assert page.value("llm_latency_seconds_bucket", model="gpt-4o", le="1") == 22.5


@pytest.mark.parametrize(
    ("row", "speed"),
    [
        (call(output_tokens=100, seconds=2.0), 50),
        (call(output_tokens=100, seconds=2.0, time_to_first_token_ms=1_000.0, streaming=True), 100),
        (call(output_tokens=100, seconds=2.0, time_to_first_token_ms=1_000.0), 100),
        (call(output_tokens=100, seconds=2.0, time_to_first_token_ms=2_000.0, streaming=False), 50),
        (call(output_tokens=100, seconds=2.0, time_to_first_token_ms=2_000.0, streaming=True), None),
        (call(output_tokens=0, seconds=2.0), None),
        (call(output_tokens=100, seconds=0.0), None),
        (call(output_tokens=100, seconds=None), None),
        (call(seconds=2.0), None),
    ],
)
def test_the_speed_of_an_answer_counts_from_its_first_token_if_it_was_streamed(row: Row, speed: float | None) -> None:
    page = Counted()
    page.send(row)
    assert page.value("llm_output_tokens_per_second_sum", model="gpt-4o") == speed


@pytest.mark.parametrize(
    ("error_type", "message", "limited"),
    [
        ("429", "", True),
        ("RateLimitError", "", True),
        ("openai.RateLimitError", "", True),
        ("rate_limit_exceeded", "", True),
        ("ThrottlingException", "", True),
        ("TooManyRequests", "", True),
        ("google.api_core.exceptions.ResourceExhausted", "", True),
        (None, "Error code: 429 - {'error': ...}", True),
        (None, "HTTP 429 Too Many Requests", True),
        (None, "429 RESOURCE_EXHAUSTED. Quota exceeded", True),
        ("APIStatusError", "Rate limit reached for gpt-4o", True),
        ("timeout", "", False),
        ("500", "the prompt has 429 tokens", False),
        ("1429", "", False),
        (None, "overloaded", False),
    ],
)
@pytest.mark.parametrize("copies", [1, 60])
def test_rate_limits_are_told_from_other_errors(
    error_type: str | None, message: str, limited: bool, copies: int
) -> None:
    """`copies`: few errors and many are searched in different ways."""
    page = Counted()
    page.send(*[call(error_type=error_type, status=2, status_message=message)] * copies)
    assert page.value("llm_rate_limited_requests_total", model="gpt-4o") == copies * limited


def test_a_call_without_a_price_is_no_call_for_nothing() -> None:
    page = Counted()
    page.send(call(price_source="unpriced: no price for this model"), call(request_model="b", cost_usd=usd(0)))
    assert page.named("llm_cost_usd_total") == {frozenset({("model", "b")}): 0}
    assert page.value("llm_unpriced_requests_total", model="gpt-4o") == 1
    assert page.value("llm_unpriced_requests_total", model="b") == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        {"input_tokens": -5, "output_tokens": -1},
        {"time_to_first_token_ms": float("nan")},
        {"time_to_first_token_ms": float("inf")},
        {"time_to_first_token_ms": -3.0},
        {"cost_usd": usd(-1)},
        {"seconds": -1.0},
        {"retries": -1},
    ],
)
def test_numbers_that_make_no_sense_are_as_good_as_missing(nonsense: Row) -> None:
    """A counter must not go down, nor become NaN."""
    page, without = Counted(), Counted()
    page.send(call(**nonsense))
    without.send(call(seconds=None) if "seconds" in nonsense else call())
    assert page.series() == without.series()


def test_a_weight_that_makes_no_sense_is_one() -> None:
    page = Counted()
    page.send(*(call(sample_weight=weight) for weight in (-1.0, float("nan"), float("inf"))))
    assert page.value("llm_requests_total", model="gpt-4o", status="ok") == 3


def test_more_tokens_from_the_cache_than_tokens_are_a_hit_ratio_of_one() -> None:
    page = Counted()
    page.send(call(input_tokens=10, cache_read_tokens=25))
    assert page.value("llm_cache_hit_ratio", model="gpt-4o") == 1


def test_the_cache_hit_ratio_looks_back_no_further_than_its_window() -> None:
    page = Counted(cache_hit_window="60s")
    page.send(call(input_tokens=100, cache_read_tokens=100))
    page.clock.now += 40
    page.send(call(input_tokens=100))
    assert page.value("llm_cache_hit_ratio", model="gpt-4o") == 0.5
    page.clock.now += 30
    assert page.value("llm_cache_hit_ratio", model="gpt-4o") == 0
    page.clock.now += 60
    assert page.value("llm_cache_hit_ratio", model="gpt-4o") is None
    assert page.value("llm_tokens_total", model="gpt-4o", type="input") == 200


def test_a_batch_that_cannot_be_counted_is_not_counted_in_part() -> None:
    page = Counted()
    page.send(call(input_tokens=5))
    before = page.series()
    made = batch(call(input_tokens=7), call(request_model="new", input_tokens=1))
    broken = made.with_record_column("retries", made.records.column("trace_id"))
    with pytest.raises(Exception, match=r"."):
        page.metrics.consume(broken)
    assert page.series() == before
    page.metrics.consume(made)
    assert totals(page.series(), ["llm_requests_total"])["llm_requests_total"] == 3


def test_the_semantic_conventions_buckets_are_used_for_their_histograms() -> None:
    assert pytest.approx(oracle.SEMCONV_SECONDS) == SEMCONV_SECONDS
    page = Counted(llm=False)
    page.send(call(operation="chat", input_tokens=5))
    bounds = [dict(labels)["le"] for labels in page.named("gen_ai_client_token_usage_bucket")]
    assert bounds == [*map(str, oracle.SEMCONV_TOKENS[:10]), "1.048576e+06", "4.194304e+06", "1.6777216e+07",
                      "6.7108864e+07", "+Inf"]  # fmt: skip


@pytest.mark.parametrize(("config", "prefix"), [({"gen_ai": False}, "llm_"), ({"llm": False}, "gen_ai_")])
def test_either_set_of_names_can_be_switched_off(config: Row, prefix: str) -> None:
    page = Counted(**config)
    page.send(call(input_tokens=5, operation="chat"))
    assert page.series()
    assert all(name.startswith(prefix) for name, _ in page.series())


def test_buckets_can_be_finer() -> None:
    page = Counted(buckets={"latency": [0.25, 1.5]})
    page.send(call(seconds=1.5))
    bounds = {dict(labels)["le"]: value for labels, value in page.named("llm_latency_seconds_bucket").items()}
    assert bounds == {"0.25": 0, "1.5": 1, "+Inf": 1}


def test_batches_that_were_put_together_are_counted_by_the_columns_that_counting_needs() -> None:
    page, together = Counted(), JoinedRecords([batch(call(input_tokens=number)).records for number in (10, 20)])
    page.metrics.consume(Batch(Signal.TRACES, together))
    assert page.value("llm_requests_total", model="gpt-4o", status="ok") == 2
    assert {"status", "end_time_unix_nano"} <= set(together._columns)
    assert not {"events", "links", "attributes", "name"} & set(together._columns)
