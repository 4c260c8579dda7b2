"""The price book: what one kind of call costs at a moment, and when that changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from spanmill.llm.prices.library import Library, Listed
from spanmill.llm.prices.overrides import Override, Versions, in_versions, names_of
from spanmill.llm.prices.tariff import Changes, Quote

NO_PRICE = "no price for this model"
NO_MODEL = "no model named"


class Call(NamedTuple):
    """What the price of a call depends on, beside its time and its length. All as on the span."""

    provider: str | None
    request_model: str | None
    response_model: str | None
    service_tier: str | None


class PriceBook:
    """The user's prices, then the bundled list. Immutable; safe from any thread.

    An entry of the user's may name either model: a deployment is known by the model asked for, everything else mostly
    by the one that answered. The list is asked for the model that answered, since that is the exact version and what
    a gateway's alias stands for; then for the one asked for, which is all that a failed call has.
    """

    def __init__(self, overrides: Iterable[Override] = ()) -> None:
        self._overrides = in_versions(overrides)
        self._library = Library()

    def quote(self, call: Call, at: datetime) -> Quote:
        """The tariff at a moment, or why there is none."""
        if not call.request_model and not call.response_model:
            return Quote(NO_MODEL)
        for versions in self._fitting(call):
            if (override := versions.at(at)) is not None:
                return self._overridden(override, call, at)
        listed = self._listed(call)
        tariff = self._library.tariff(listed, call.service_tier, at) if listed else None
        return Quote(NO_PRICE) if tariff is None else Quote(self._library.name, tariff)

    def changes(self, call: Call) -> Changes:
        """When the answer of `quote` may change."""
        changes = Changes()
        listed = [self._listed(call)]
        for versions in self._fitting(call):
            changes |= versions.changes()
            listed += [self._library.find(*entry.alias_of) for entry in versions.entries if entry.alias_of]
        for each in listed:
            if each is not None:
                changes |= self._library.changes(each)
        return changes

    def _fitting(self, call: Call) -> list[Versions]:
        names = names_of(call.request_model, call.response_model)
        return [versions for versions in self._overrides if versions.entries[0].fits(call.provider, names)]

    def _overridden(self, override: Override, call: Call, at: datetime) -> Quote:
        if override.tariff is not None:
            return Quote(override.source, override.adjust(override.tariff, call.service_tier))
        listed = self._library.find(*override.alias_of) if override.alias_of else self._listed(call)
        own_tier = (call.service_tier or "").strip().lower() in override.service_tiers
        tariff = self._library.tariff(listed, None if own_tier else call.service_tier, at) if listed else None
        return Quote(NO_PRICE) if tariff is None else Quote(override.source, override.adjust(tariff, call.service_tier))

    def _listed(self, call: Call) -> Listed | None:
        for model in (call.response_model, call.request_model):
            if model and (listed := self._library.find(call.provider, model)) is not None:
                return listed
        return None
