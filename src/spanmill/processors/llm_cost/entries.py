"""The user's entries as the price book takes them, and what is wrong with them beside one another."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from spanmill.config.base import Misfit
from spanmill.config.problems import did_you_mean
from spanmill.llm.prices.library import Library, known_providers
from spanmill.llm.prices.overrides import Override, ServiceTierPrice
from spanmill.llm.prices.tariff import Tariff
from spanmill.processors.llm_cost.price_config import PriceConfig

_NOTHING: Final = Decimal(0)
_ONE: Final = Decimal(1)


def overrides_of(entries: Iterable[PriceConfig]) -> list[Override]:
    """The entries in the order written."""
    return [_override(entry) for entry in entries]


def entry_misfits(entries: Sequence[PriceConfig]) -> Iterator[Misfit]:
    """Entries that never count, and aliases of models that the built-in list does not have."""
    seen: dict[object, int] = {}
    library: Library | None = None
    for index, entry in enumerate(entries):
        override = _override(entry)
        earlier = seen.setdefault((override.selector, override.valid_from), index)
        if earlier != index:
            problem = f"the entry never counts: `prices[{earlier}]` is for the same calls"
            hint = "To change a price at some time give the later entry a `valid_from`."
            yield Misfit(("prices", index), problem, "one entry for each model and date", hint)
        if entry.alias_of is None:
            continue
        library = library or Library()
        if entry.alias_of.provider.strip().lower() not in known_providers():
            hint = did_you_mean(entry.alias_of.provider, known_providers())
            known = "a provider of the built-in prices, such as openai"
            yield Misfit(("prices", index, "alias_of", "provider"), "no such provider", known, hint)
        elif library.find(entry.alias_of.provider, entry.alias_of.model) is None:
            problem = f"{library.name} has no such model of {entry.alias_of.provider}"
            hint = did_you_mean(entry.alias_of.model, library.models(entry.alias_of.provider))
            yield Misfit(("prices", index, "alias_of", "model"), problem, "a model of the built-in prices", hint)


def _override(entry: PriceConfig) -> Override:
    tiers = sorted((tier.above_input_tokens, tier.by_kind()) for tier in entry.tiers)
    tariff = Tariff(entry.by_kind(), tuple(tiers), entry.request or _NOTHING, entry.per_second or _NOTHING)
    return Override(
        model=re.compile(_pattern(entry)),
        provider=entry.provider.strip().lower() if entry.provider else None,
        source=f"override: {entry.name}" if entry.name else "override",
        tariff=tariff if entry.has_own_prices else None,
        alias_of=(entry.alias_of.provider, entry.alias_of.model) if entry.alias_of else None,
        multiplier=entry.multiplier,
        service_tiers={
            name.strip().lower(): ServiceTierPrice(_ONE if tier.multiplier is None else tier.multiplier, tier.by_kind())
            for name, tier in entry.service_tiers.items()
        },
        valid_from=entry.valid_from,
    )


def _pattern(entry: PriceConfig) -> str:
    """A regular expression for the whole name; case does not matter."""
    if entry.model is not None:
        return re.escape(entry.model.strip().lower())
    if entry.model_glob is not None:
        return fnmatch.translate(entry.model_glob.strip().lower())
    return f"(?i:{entry.model_regex})"
