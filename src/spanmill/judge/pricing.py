"""What one call of a judge's model costs. Scalars: the columns of `llm.prices` are for telemetry."""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from spanmill.judge.model_config import ModelConfig
from spanmill.llm.prices.book import Call, PriceBook
from spanmill.llm.prices.tariff import KINDS, Tariff


class Usage(NamedTuple):
    """Tokens of one call."""

    input_tokens: int
    """All of the prompt, those of a cache included."""
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


def tariff_of(config: ModelConfig) -> Tariff | None:
    """What the model costs now; None when nobody knows the price of an input or an output token."""
    if config.prices is not None:
        return Tariff(config.prices.by_kind())
    call = Call(config.seller, config.model, None, None)
    tariff = PriceBook().quote(call, datetime.now(UTC)).tariff
    if tariff is None or any(
        row[KINDS.index(kind)] is None for row in tariff.complete() for kind in ("input", "output")
    ):
        return None
    return tariff


def cost_nano_usd(tariff: Tariff, usage: Usage) -> int:
    """Billionths of a USD, rounded up."""
    row = sum(usage.input_tokens > bound for bound, _ in tariff.tiers)
    prices = dict(zip(KINDS, tariff.complete()[row], strict=True))
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    counts = {
        "input": max(0, usage.input_tokens - read - written),
        "cache_read": read,
        "cache_write": written,
        "output": usage.output_tokens,
    }
    # USD per million tokens are thousands of nano-USD for each.
    tokens = sum((count * 1000 * (prices[kind] or Decimal(0)) for kind, count in counts.items()), Decimal(0))
    return int((tokens + tariff.request * 10**9).to_integral_value(ROUND_CEILING))
