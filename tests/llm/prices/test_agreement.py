"""The arithmetic on columns against genai-prices' own `calc_price`, and the laws of any price."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import assume, given
from hypothesis import strategies as st

from spanmill.llm.prices.book import PriceBook
from spanmill.llm.prices.columns import Usage, price
from spanmill.llm.prices.money import bitmap, usd
from spanmill.llm.prices.schedule import Schedule
from tests.llm.prices.prices_by_hand import PRICES_BY_HAND

_SCHEDULE = Schedule(PriceBook())
_NANO = Decimal("1e-9")
_PROVIDERS = {"azure.ai.openai": "azure", "aws.bedrock": "aws", "gcp.gemini": "google", "mistral_ai": "mistral"}


@cache
def _models() -> list[tuple[str, str]]:
    """Every model of some providers that the list finds by its own name for it, beside the realistic names."""
    from genai_prices.data_snapshot import get_snapshot

    listed = [
        (provider.id, model.id)
        for provider in get_snapshot().providers
        if provider.id in ("openai", "anthropic", "google", "aws", "mistral", "x-ai", "perplexity", "deepseek", "groq")
        for model in provider.models
        if provider.find_model(model.id) is not None
    ]
    by_hand = [("anthropic", row.model) for row in PRICES_BY_HAND if row.provider == "anthropic"]
    return [*listed, *by_hand]


@st.composite
def counts(draw: st.DrawFn) -> dict[str, int]:
    """Token counts of a call as genai-prices names them; parts are within their wholes."""
    read, written, text = (draw(st.integers(0, 150_000)) for _ in range(3))
    hour = draw(st.integers(0, written))
    output = draw(st.integers(1, 100_000))
    return {
        "input_tokens": read + written + text + 1,
        "output_tokens": output,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": hour,
        "output_reasoning_tokens": draw(st.integers(0, output)),
    }


def _usage(rows: list[dict[str, int]]) -> Usage:
    column = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in rows[0]}
    yes = np.ones(len(rows), dtype=bool)
    read, written, hour = (column[f"cache_{name}_tokens"] for name in ("read", "write", "write_1h"))
    reasoning = column["output_reasoning_tokens"]
    return Usage(
        tokens=(
            column["input_tokens"] - read - written,
            read,
            written - hour,
            hour,
            None,
            column["output_tokens"] - reasoning,
            reasoning,
            None,
        ),
        input_tokens=column["input_tokens"],
        has_input=yes,
        has_output=yes,
        needs_output=lambda: yes,
        failed=lambda: ~yes,
        microseconds=lambda: np.zeros(len(rows), dtype=np.int64),
    )


def _columns(calls: list[tuple[str, str, str | None]]) -> tuple[pa.Array, ...]:
    providers, models, tiers = zip(*calls, strict=True)
    answered = pa.nulls(len(calls), pa.string())
    return pa.array(providers), pa.array(models), answered, pa.array(tiers, pa.string())


def _cost(rows: list[dict[str, int]], calls: list[tuple[str, str, str | None]], starts: list[datetime]) -> list[Any]:
    nanoseconds = np.array([int(start.timestamp()) for start in starts], dtype=np.int64) * 10**9
    every = np.arange(len(calls))
    priced = price(_SCHEDULE, _columns(calls), every, nanoseconds, _usage(rows))
    valid = bitmap(priced.valid)
    parts = (usd(amount, every, len(calls), valid) for amount in (priced.input, priced.output, priced.total))
    return list(zip(*(part.to_pylist() for part in parts), strict=True))


_STARTS = st.integers(1_672_531_200, 1_798_761_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
"""2023 to 2026."""
_TIERS = st.sampled_from([None, None, "default", "batch", "flex", "priority"])
_CALLS = st.tuples(st.integers(0, 10**6), counts(), _STARTS, _TIERS)


@given(st.lists(_CALLS, min_size=1, max_size=30))
def test_prices_agree_with_calc_price(drawn: list[tuple[int, dict[str, int], datetime, str | None]]) -> None:
    """To the nano-USD on each side. Theirs is told of parts that have a price only, and gives 0 for what has none."""
    models = [_models()[number % len(_models())] for number, *_ in drawn]
    calls = [(*model, tier) for model, (_, _, _, tier) in zip(models, drawn, strict=True)]
    ours = _cost([each[1] for each in drawn], calls, [each[2] for each in drawn])
    for (provider, model, tier), (_, usage, start, _), cost in zip(calls, drawn, ours, strict=True):
        context = {} if tier is None else {"processing": "batch"} if tier == "batch" else {"service_tier": tier}
        theirs = calc_price(
            TheirUsage(**usage), model, provider_id=provider, genai_request_timestamp=start, price_context=context
        )
        has_both = theirs.model_price.input_mtok is not None and theirs.model_price.output_mtok is not None
        if not has_both:
            assert cost == (None, None, None) or theirs.total_price == cost[2] == 0
            continue
        expected = [part.quantize(_NANO, ROUND_HALF_UP) for part in (theirs.input_price, theirs.output_price)]
        assert list(cost[:2]) == expected, (provider, model)
        assert abs(cost[2] - theirs.total_price) <= _NANO


@given(_CALLS, st.integers(2, 5))
def test_more_of_the_same_costs_as_much_more(
    drawn: tuple[int, dict[str, int], datetime, str | None], times: int
) -> None:
    """Within one tier; a nano-USD is lost where halves are rounded."""
    number, usage, start, tier = drawn
    assume(usage["input_tokens"] * times < 120_000)
    call = (*_models()[number % len(_models())], tier)
    more = {name: count * times for name, count in usage.items()}
    one, many = _cost([usage, more], [call, call], [start, start])
    assume(one[2] is not None)
    fee = one[2] - one[0] - one[1]
    assert abs(many[2] - fee - (one[2] - fee) * times) <= _NANO * times
    assert many[0] + many[1] + fee == many[2]


@given(_CALLS)
def test_a_part_without_a_price_is_never_free(drawn: tuple[int, dict[str, int], datetime, str | None]) -> None:
    """The same tokens without their parts cost at least something wherever the parts do, and the other way round."""
    number, usage, start, tier = drawn
    call = (*_models()[number % len(_models())], tier)
    plain = usage | dict.fromkeys(
        ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_reasoning_tokens"), 0
    )
    parts, whole = _cost([usage, plain], [call, call], [start, start])
    assert (parts[2] is None) == (whole[2] is None)
    if whole[2]:
        assert parts[2] > 0


def test_numbers_that_no_call_has_are_not_priced() -> None:
    usage = {
        "input_tokens": 2**62,
        "output_tokens": 1,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_reasoning_tokens": 0,
    }
    rows = [usage, usage | {"input_tokens": -5}, usage | {"input_tokens": 10}]
    costs = _cost(rows, [("openai", "gpt-4o", None)] * 3, [datetime(2026, 1, 1, tzinfo=UTC)] * 3)
    assert [cost[2] is None for cost in costs] == [True, True, False]


@pytest.mark.parametrize("name", ["azure", "aws.bedrock", "gcp.gemini"])
def test_providers_are_found_under_either_name(name: str) -> None:
    from spanmill.llm.prices.library import listed_provider

    assert listed_provider(name) == _PROVIDERS.get(name, name)
