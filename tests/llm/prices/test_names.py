"""Names of models as they are sent, and what they cost by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from spanmill.llm.prices.book import Call, PriceBook
from spanmill.llm.prices.tariff import KINDS
from tests.llm.prices.prices_by_hand import PRICES_BY_HAND, ByHand

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
_BOOK = PriceBook()


def test_at_least_sixty_names_are_checked_by_hand() -> None:
    assert len({(row.provider, row.model) for row in PRICES_BY_HAND}) >= 60


@pytest.mark.parametrize("row", PRICES_BY_HAND, ids=lambda row: f"{row.provider}:{row.model}")
def test_a_name_costs_what_the_list_says_by_eye(row: ByHand) -> None:
    quote = _BOOK.quote(Call(row.provider, row.model, None, None), _NOON)
    if row.input is None:
        assert quote.tariff is None
        assert quote.source == "no price for this model"
        return
    assert quote.source == "genai-prices 0.2.3"
    assert quote.tariff is not None
    short, *long = quote.tariff.complete()
    prices = dict(zip(KINDS, short, strict=True))
    assert prices["input"] == Decimal(row.input)
    assert prices["output"] == (None if row.output is None else Decimal(row.output))
    assert prices["cache_read"] == Decimal(row.cache_read or row.input)
    assert prices["cache_write"] == Decimal(row.cache_write or row.input)
    if row.above is not None:
        bound, input_, output = row.above
        above = dict(zip(KINDS, long[0], strict=True))
        assert quote.tariff.tiers[0][0] == bound
        assert (above["input"], above["output"]) == (Decimal(input_), Decimal(output))


def _source(call: Call) -> str:
    return _BOOK.quote(call, _NOON).source


def test_the_model_that_answered_is_priced_before_the_one_asked_for() -> None:
    quote = _BOOK.quote(Call("openai", "gpt-4o", "gpt-4o-2024-05-13", None), _NOON)
    assert quote.tariff is not None
    assert quote.tariff.prices["input"] == 5


def test_a_call_that_got_no_answer_is_priced_by_what_was_asked_for() -> None:
    assert _source(Call("openai", "gpt-4o", None, None)) == "genai-prices 0.2.3"


def test_an_answer_from_an_unknown_model_falls_back_to_what_was_asked_for() -> None:
    assert _source(Call("openai", "gpt-4o", "gpt-4o-internal-canary-7", None)) == "genai-prices 0.2.3"


def test_a_call_without_a_model_says_so() -> None:
    assert _source(Call("openai", None, None, None)) == "no model named"


def test_names_of_absurd_length_are_not_looked_up() -> None:
    assert _source(Call("openai", "gpt-4o" * 10_000, None, None)) == "no price for this model"


@pytest.mark.parametrize(
    ("day", "price"), [(datetime(2025, 6, 9, 23, 59, tzinfo=UTC), 10), (datetime(2025, 6, 10, tzinfo=UTC), 2)]
)
def test_a_price_holds_from_its_first_day_on(day: datetime, price: int) -> None:
    quote = _BOOK.quote(Call("openai", "o3", None, None), day)
    assert quote.tariff is not None
    assert quote.tariff.prices["input"] == price


def test_night_rates_hold_at_night() -> None:
    """DeepSeek, 16:30 to 00:30 UTC."""
    day, night = (
        _BOOK.quote(Call("deepseek", "deepseek-chat", None, None), datetime(2026, 11, 1, hour, tzinfo=UTC)).tariff
        for hour in (12, 20)
    )
    assert day is not None
    assert night is not None
    assert (day.prices["input"], night.prices["input"]) == (Decimal("0.27"), Decimal("0.135"))


@pytest.mark.parametrize(
    ("tier", "price"),
    [
        (None, "1.25"),
        ("default", "1.25"),
        ("flex", "0.625"),
        ("priority", "2.5"),
        ("BATCH", "0.625"),
        ("standard", "1.25"),
        ("never heard of", "1.25"),
    ],
)
def test_service_tiers_have_prices_of_their_own(tier: str | None, price: str) -> None:
    quote = _BOOK.quote(Call("openai", "gpt-5", None, tier), _NOON)
    assert quote.tariff is not None
    assert quote.tariff.prices["input"] == Decimal(price)
