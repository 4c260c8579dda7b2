"""What a model costs: prices by kind of token, for short and long prompts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

INPUT_KINDS: Final = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input")
OUTPUT_KINDS: Final = ("output", "reasoning", "audio_output")
KINDS: Final = (*INPUT_KINDS, *OUTPUT_KINDS)
"""Kinds of tokens, each token of one kind only: `input` are those of the prompt that are nothing else."""
FALLS_BACK_TO: Final = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "reasoning": "output",
    "audio_output": "output",
}
"""Whose price a kind has that has none of its own: never nothing."""

Prices = Mapping[str, Decimal]
"""USD per million tokens by kind."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices of one model at one moment in one service tier. All tokens of a call cost what its tier says."""

    prices: Prices
    tiers: tuple[tuple[int, Prices], ...] = ()
    """Pairs of a number of input tokens, ascending, and the prices of longer prompts; what is missing stays."""
    request: Decimal = Decimal(0)
    """USD for each call."""
    per_second: Decimal = Decimal(0)
    """USD for each second of the call."""

    def times(self, factor: Decimal) -> "Tariff":
        """Every price multiplied."""
        if factor == 1:
            return self
        return Tariff(
            _times(self.prices, factor),
            tuple((bound, _times(prices, factor)) for bound, prices in self.tiers),
            self.request * factor,
            self.per_second * factor,
        )

    def with_prices(self, prices: Prices) -> "Tariff":
        """Other prices of these kinds, whatever the length of the prompt."""
        tiers = tuple((bound, {**held, **prices}) for bound, held in self.tiers)
        return replace(self, prices={**self.prices, **prices}, tiers=tiers)

    def complete(self) -> tuple[tuple[Decimal | None, ...], ...]:
        """Prices in the order of `KINDS`, a row for each length of prompt; None where a whole side has no price.

        A side without a price is free where calls or seconds are paid for.
        """
        rows = [self.prices]
        for _, prices in self.tiers:
            rows.append({**rows[-1], **prices})
        default = Decimal(0) if self.request or self.per_second else None
        return tuple(tuple(_price(row, kind, default) for kind in KINDS) for row in rows)


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer to what a call costs: a tariff, or why there is none."""

    source: str
    """For `price_source`: where the tariff is from. Without a tariff, the reason."""
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """When prices change."""

    moments: tuple[int, ...] = field(default=())
    """Once, in nanoseconds since 1970."""
    times_of_day: tuple[int, ...] = field(default=())
    """Every day, in nanoseconds since midnight, UTC."""

    def __or__(self, other: "Changes") -> "Changes":
        moments = tuple(sorted({*self.moments, *other.moments}))
        return Changes(moments, tuple(sorted({*self.times_of_day, *other.times_of_day})))


def _times(prices: Prices, factor: Decimal) -> Prices:
    return {kind: price * factor for kind, price in prices.items()}


def _price(prices: Prices, kind: str, default: Decimal | None) -> Decimal | None:
    while kind not in prices:
        if kind not in FALLS_BACK_TO:
            return default
        kind = FALLS_BACK_TO[kind]
    return prices[kind]
