"""The bundled price list, genai-prices: which model is meant, what it costs at a moment, when that changes.

Only its data and its matching are used. Its own caches, which grow with every name asked for, are gone round, and
nothing here opens a connection. Importing it takes 0.1 s and 35 MB; whoever makes a `Library` pays that.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from spanmill.data_files import read_yaml
from spanmill.llm.prices.tariff import Changes, Prices, Tariff

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider, TieredPrices

_PRICE_KEYS: Final = {
    "input": ("input_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "audio_input": ("input_audio_mtok",),
    "output": ("output_mtok",),
    "reasoning": ("output_reasoning_mtok",),
    "audio_output": ("output_audio_mtok",),
}
_PER_REQUEST: Final = "requests_kcount"
_LONGEST_NAME: Final = 256
"""Characters; nobody's model is called more, and patterns need not be tried on more."""
_NANOSECONDS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the list as one provider sells it."""

    provider: "Provider"
    model: "ModelInfo"
    is_free: bool = False


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read_yaml(resources.files("spanmill.llm.prices").joinpath("providers.yaml"))
    data["prefix"] = re.compile("|".join(data["model_prefixes"]), re.IGNORECASE)
    return data


def listed_provider(provider: str) -> str | None:
    """What the list calls a provider; None for one that is not in the mapping."""
    name: str | None = _data()["providers"].get(provider.strip().lower())
    return name


def known_providers() -> Mapping[str, str]:
    """The mapping itself: names of providers on spans to names in the list."""
    providers: Mapping[str, str] = _data()["providers"]
    return providers


def bare_name(model: str) -> str:
    """The model's name without the path that some APIs put before it."""
    match = _data()["prefix"].match(model)
    return model[match.end() :] if match else model


class Library:
    """The list. Immutable; safe from any thread."""

    def __init__(self) -> None:
        from genai_prices import __version__, data_snapshot

        self.name = f"genai-prices {__version__}"
        self._providers = data_snapshot._bundled_snapshot().providers
        self._by_id = {provider.id: provider for provider in self._providers}
        self._find_provider = data_snapshot.find_provider_by_id

    def find(self, provider: str | None, model: str) -> Listed | None:
        """The model that a span means, or None.

        The name is tried at the provider of the span. Where the provider is unknown, or one that others pretend to be
        (`spoken_by_others`), what stands before the first `/` may name it, or the model's name tells.
        """
        if not model or len(model) > _LONGEST_NAME:
            return None
        name = bare_name(model.strip()).lower()
        sold_by = self._provider(provider) if provider else None
        if sold_by is not None and (found := self._sold(sold_by, name)) is not None:
            return found
        if sold_by is not None and sold_by.id not in _data()["spoken_by_others"]:
            return None
        return self._routed(name) or self._by_name(name, provider)

    def tariff(self, listed: Listed, service_tier: str | None, at: datetime) -> Tariff | None:
        """The model's prices at a moment in a service tier; None when it has none by tokens or by calls."""
        if listed.is_free:
            return Tariff({"input": Decimal(0), "output": Decimal(0)})
        own = any(listed.model is model for model in listed.provider.models)
        price = listed.model.get_prices(at, _context(service_tier) if own else None)
        held = {key: value for key, value in price.__dict__.items() if value is not None}
        prices, tiers = _by_kind(held)
        per_thousand = held.get(_PER_REQUEST)
        request = per_thousand / 1000 if isinstance(per_thousand, Decimal) else Decimal(0)
        return Tariff(prices, tiers, request) if prices or request else None

    def changes(self, listed: Listed) -> Changes:
        """When the prices change."""
        conditional = listed.model.prices if isinstance(listed.model.prices, list) else []
        changes = Changes()
        for part in (*conditional, *(listed.model.price_variants or ())):
            changes |= _changes(part.constraint)
        return changes

    def models(self, provider: str) -> list[str]:
        """Names of the models that a provider sells, its own in the list first."""
        listed = listed_provider(provider)
        if listed is None:
            return []
        seller = self._by_id[listed]
        others = [self._by_id[each] for each in seller.fallback_model_providers or ()]
        return [model.id for each in (seller, *others) for model in each.models]

    def _provider(self, name: str) -> "Provider | None":
        listed = listed_provider(name)
        return self._by_id[listed] if listed else self._find_provider(self._providers, name[:_LONGEST_NAME])

    def _sold(self, provider: "Provider", name: str) -> Listed | None:
        model = provider.find_model(name, all_providers=self._providers)
        if model is None:
            return None
        has_prices = isinstance(model.prices, list) or any(v is not None for v in model.prices.__dict__.values())
        return Listed(provider, model, not has_prices and name.endswith(tuple(_data()["free_suffixes"])))

    def _routed(self, name: str) -> Listed | None:
        front, slash, rest = name.partition("/")
        listed = listed_provider(front) if slash else None
        return self._sold(self._by_id[listed], bare_name(rest)) if listed else None

    def _by_name(self, name: str, provider: str | None) -> Listed | None:
        for candidate in self._providers:
            if candidate.model_match is None or not candidate.model_match.is_match(name):
                continue
            if provider is None or candidate.id in _data()["known_by_model"]:
                return self._sold(candidate, name)
        return None


def _context(service_tier: str | None) -> dict[str, str]:
    tier = (service_tier or "").strip().lower()
    if not tier:
        return {}
    return dict(_data()["service_tiers"].get(tier, {"service_tier": tier}))


def _by_kind(held: "Mapping[str, Decimal | TieredPrices]") -> tuple[dict[str, Decimal], tuple[tuple[int, Prices], ...]]:
    """Prices by kind of token, and those above each bound: all the tokens of a call cost what its length says."""
    first: dict[str, Decimal] = {}
    above: dict[int, dict[str, Decimal]] = {}
    for kind, keys in _PRICE_KEYS.items():
        price = next((held[key] for key in keys if key in held), None)
        if price is None:
            continue
        if isinstance(price, Decimal):
            first[kind] = price
            continue
        first[kind] = price.base
        for tier in price.tiers:
            above.setdefault(tier.start, {})[kind] = tier.price
    return first, tuple(sorted(above.items()))


def _changes(constraint: Any) -> Changes:
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    if isinstance(constraint, StartDateConstraint):
        start = datetime.combine(constraint.start_date, time(), UTC)
        return Changes(moments=(int(start.timestamp()) * _NANOSECONDS,))
    if isinstance(constraint, TimeOfDateConstraint):
        return Changes(times_of_day=tuple(sorted(_of_day((constraint.start_time, constraint.end_time)))))
    return Changes()


def _of_day(times: tuple[time, ...]) -> Iterator[int]:
    for moment in times:
        utc = datetime.combine(datetime(2000, 1, 2, tzinfo=UTC), moment, moment.tzinfo or UTC).astimezone(UTC)
        seconds = utc.hour * 3600 + utc.minute * 60 + utc.second
        yield seconds * _NANOSECONDS + utc.microsecond * 1000
