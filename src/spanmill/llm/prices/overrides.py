"""Prices that users write: which calls they are for, and from when on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from spanmill.llm.prices.library import bare_name, known_providers
from spanmill.llm.prices.tariff import Changes, Prices, Tariff


@dataclass(frozen=True, slots=True)
class ServiceTierPrice:
    """What is different in a service tier: every price times `multiplier`, then these `prices`."""

    multiplier: Decimal = Decimal(1)
    prices: Prices = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """One entry. Without a `tariff` it changes what the bundled list says, for `alias_of` or for the model itself."""

    model: re.Pattern[str]
    """The whole name, lower case."""
    provider: str | None = None
    """As on the span, lower case; None is any."""
    source: str = "override"
    tariff: Tariff | None = None
    alias_of: tuple[str, str] | None = None
    """Provider and model in the bundled list."""
    multiplier: Decimal = Decimal(1)
    service_tiers: Mapping[str, ServiceTierPrice] = field(default_factory=dict)
    """By name, lower case."""
    valid_from: datetime | None = None

    @property
    def selector(self) -> tuple[str, str | None]:
        """Equal for entries that are for the same calls: they are versions of one another."""
        return self.model.pattern, self.provider

    def fits(self, provider: str | None, models: Sequence[str]) -> bool:
        """Whether it is for calls of this provider to a model of any of these names."""
        if self.provider is not None:
            spoken = (provider or "").strip().lower()
            if self.provider not in (spoken, known_providers().get(spoken)):
                return False
        return any(self.model.fullmatch(name) for name in models)

    def adjust(self, tariff: Tariff, service_tier: str | None) -> Tariff:
        """The tariff with the multipliers, and the prices of the service tier."""
        tier = self.service_tiers.get((service_tier or "").strip().lower(), ServiceTierPrice())
        return tariff.times(self.multiplier * tier.multiplier).with_prices(tier.prices)


@dataclass(frozen=True, slots=True)
class Versions:
    """Entries for the same calls, the newest first."""

    entries: tuple[Override, ...]

    def at(self, moment: datetime) -> Override | None:
        """The newest that was valid then."""
        return next((e for e in self.entries if e.valid_from is None or e.valid_from <= moment), None)

    def changes(self) -> Changes:
        """When one entry takes over from another."""
        dates = {entry.valid_from for entry in self.entries if entry.valid_from is not None}
        return Changes(tuple(sorted(int(date.timestamp()) * 10**9 for date in dates)))


def in_versions(overrides: Iterable[Override]) -> tuple[Versions, ...]:
    """The entries in the order written, those for the same calls together at the place of the first."""
    groups: dict[tuple[str, str | None], list[Override]] = {}
    for override in overrides:
        groups.setdefault(override.selector, []).append(override)
    return tuple(Versions(tuple(sorted(group, key=_newest_first))) for group in groups.values())


def names_of(*models: str | None) -> tuple[str, ...]:
    """The names by which entries may call these models, lower case."""
    names = [name for model in models if model for name in (model, bare_name(model))]
    return tuple(dict.fromkeys(name.strip().lower() for name in names))


def _newest_first(override: Override) -> float:
    return -override.valid_from.timestamp() if override.valid_from else float("inf")
