"""The llm_cost processor."""

from typing import Final

import numpy as np

from spanmill.batch import Batch
from spanmill.component import Exporter, Settings
from spanmill.conditions import Condition
from spanmill.llm.prices.book import PriceBook
from spanmill.llm.prices.columns import price
from spanmill.llm.prices.money import MOST_NANO_USD, nano_of
from spanmill.llm.prices.schedule import Schedule
from spanmill.processors.llm_cost.calls import call_rows, spans_of, start_times, usage_of, with_estimated_tokens
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.llm_cost.costs import Costs
from spanmill.processors.llm_cost.entries import overrides_of
from spanmill.processors.llm_cost.restated import Ledger
from spanmill.processors.llm_cost.unpriced import UnpricedSpans
from spanmill.signal import Signal

_NAMES: Final = ("provider", "request_model", "response_model", "service_tier")
"""The columns of a `book.Call`."""
_COMPLAINT: Final = "the condition `free` cannot be worked out for some rows, which are priced"


class LlmCostProcessor:
    """Spans with the price of each call of a model, each call once.

    It remembers which calls it counted, and so is not a pure function; but it answers the same for a span that comes
    again. Safe from any thread.
    """

    def __init__(self, config: LlmCostProcessorConfig, settings: Settings) -> None:
        self._log = settings.log
        self._trust_reported = config.trust_reported
        self._estimate = config.estimate_missing_tokens
        self._free = Condition(config.free, Signal.TRACES) if config.free else None
        self._schedule = Schedule(PriceBook(overrides_of(config.prices)))
        self._ledger = Ledger(config.memory_size_mib * 1024 * 1024, config.duplicate_window)
        self._unpriced = UnpricedSpans(settings.metrics)
        self.consumer = _budgets(config, settings)

    def __call__(self, batch: Batch) -> Batch:
        is_call, starts = call_rows(batch), start_times(batch)
        rows = is_call.nonzero()[0]
        if not len(rows):
            self._ledger.judge(spans_of(batch, is_call, is_call, starts))
            return batch
        if self._estimate:
            batch = with_estimated_tokens(batch)
        usage = usage_of(batch, rows)
        has_usage = np.zeros(len(batch), dtype=bool)
        has_usage[rows] = usage.has_input | usage.has_output
        verdicts = self._ledger.judge(spans_of(batch, is_call, has_usage, starts))[rows]
        names = tuple(batch.column(name) for name in _NAMES)
        costs = Costs(price(self._schedule, names, rows, starts[rows], usage), verdicts)
        self._take_reported(costs, batch, rows)
        if self._free is not None:
            costs.take_free(self._free.rows(batch, self._log, _COMPLAINT)[rows])
        self._unpriced.count(batch, rows, costs)
        return costs.written(batch, rows)

    def _take_reported(self, costs: Costs, batch: Batch, rows: np.ndarray) -> None:
        """The sender's price, where it is to be taken. A 0 is what many send that do not know."""
        column = batch.column("reported_cost_usd")
        if self._trust_reported == "never" or column.null_count == len(column):
            return
        nano = nano_of(column)[rows]
        usable = (nano > 0) & (nano <= MOST_NANO_USD)
        costs.take_reported(nano, usable if self._trust_reported == "always" else usable & ~costs.has_total)


def _budgets(config: LlmCostProcessorConfig, settings: Settings) -> Exporter | None:
    """What sums up the prices, see `component.Following`."""
    if config.budgets is None:
        return None
    from spanmill.processors.llm_cost.budgets.consumer import BudgetConsumer

    return BudgetConsumer(config.budgets, settings)
