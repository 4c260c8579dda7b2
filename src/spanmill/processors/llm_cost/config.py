"""Configuration of the llm_cost processor."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from spanmill.config.base import Misfit, Model
from spanmill.config.values import Duration, Flag, Positive
from spanmill.processors.llm_cost.budgets.config import Budgets
from spanmill.processors.llm_cost.price_config import PriceConfig
from spanmill.signal import Signal


class LlmCostProcessorConfig(Model):
    """Prices each call of a model at the time it was made, once: spans that restate the calls of others, and second
    reports of the same call, are marked and not priced. Put it behind `gen_ai_normalizer`. Not in the Collector."""

    prices: tuple[PriceConfig, ...] = ()
    """Prices of your own, which go before the built-in price list; the first entry that fits a call counts."""
    trust_reported: Literal["never", "when_unpriced", "always"] = "when_unpriced"
    """Whether a price that the sender put on the span is taken: when there is no other, or before any other. A
    reported 0 says nothing."""
    free: Annotated[str, Field(min_length=1)] | None = None
    """A SQL condition for calls that cost nothing, such as answers from the application's own cache:
    `attributes['app.cache_hit'] = 'true'`."""
    estimate_missing_tokens: Flag = False
    """Estimate token counts that were not sent from the texts' length, and mark them in `tokens_estimated`."""
    duplicate_window: Duration = 600.0
    """Two spans with the same `response_id` whose starts are no further apart are one call, reported twice."""
    memory_size_mib: Positive = 32
    """Memory for recognising restated and repeated calls across requests. For each MiB the newest 10,000 spans are
    remembered, and most of the newest 40,000."""
    budgets: Budgets | None = None
    """Limits of what calls may cost, and who is told when they are reached. None: nothing is summed up."""

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.processors.llm_cost.entries import entry_misfits

        yield from entry_misfits(self.prices)
        if self.free is not None:
            yield from _condition_misfits(self.free, signal)
        if self.budgets is not None:
            yield from (misfit._replace(path=("budgets", *misfit.path)) for misfit in self.budgets.misfits(signal))


def _condition_misfits(sql: str, signal: Signal) -> Iterator[Misfit]:
    from spanmill.conditions import Condition, InvalidCondition

    try:
        Condition(sql, signal)
    except InvalidCondition as error:
        yield Misfit(("free",), error.problem, f"a SQL condition over {signal.table}", error.hint)
