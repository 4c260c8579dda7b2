"""The llm_cost processor."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.component import Exporter, Settings
from spanmill.conditions import Condition, ConditionFailed
from spanmill.llm.prices.book import PriceBook
from spanmill.llm.prices.columns import Priced, price
from spanmill.llm.prices.money import MOST_NANO_USD, nano_of, usd
from spanmill.llm.prices.schedule import Schedule
from spanmill.processors.llm_cost.calls import call_rows, spans_of, start_times, usage_of, with_estimated_tokens
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig
from spanmill.processors.llm_cost.entries import overrides_of
from spanmill.processors.llm_cost.restated import COUNTED, DUPLICATE, RESTATED, Ledger
from spanmill.processors.llm_cost.unpriced import UnpricedSpans
from spanmill.signal import Signal

_NAMES: Final = ("provider", "request_model", "response_model", "service_tier")
"""The columns of a `book.Call`."""


@dataclass(frozen=True, slots=True)
class _Costs:
    """What becomes of the columns: nano-USD (int64) where `has_parts` and `has_total`, and codes into `sources`."""

    priced: Priced
    has_parts: np.ndarray
    has_total: np.ndarray


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
        is_call = call_rows(batch)
        starts = start_times(batch)
        if not is_call.any():
            self._ledger.judge(spans_of(batch, is_call, is_call, starts))
            return batch
        if self._estimate:
            batch = with_estimated_tokens(batch)
        usage = usage_of(batch)
        verdicts = self._ledger.judge(spans_of(batch, is_call, usage.has_input | usage.has_output, starts))
        counted = verdicts == COUNTED
        priced = price(self._schedule, tuple(batch.column(name) for name in _NAMES), starts, usage)
        costs = self._decide(batch, priced, counted)
        self._unpriced.count(batch, np.flatnonzero(counted), costs.priced.source, costs.priced.sources)
        return _with_columns(batch, costs, is_call, verdicts)

    def _decide(self, batch: Batch, priced: Priced, counted: np.ndarray) -> _Costs:
        """Which price holds: of what is free, of the sender, or of the price book."""
        has_parts, has_total = priced.valid & counted, priced.valid & counted
        source, sources, total = priced.source, list(priced.sources), priced.total
        input_, output = priced.input, priced.output
        reported = self._reported(batch, priced.valid) & counted
        if reported.any():
            total = np.where(reported, nano_of(batch.column("reported_cost_usd"))[0], total)
            source = np.where(reported, len(sources), source)
            sources.append("reported")
            has_parts, has_total = has_parts & ~reported, has_total | reported
        free = self._is_free(batch) & counted
        if free.any():
            input_, output, total = (np.where(free, 0, amount) for amount in (input_, output, total))
            source = np.where(free, len(sources), source)
            sources.append("free")
            has_parts, has_total = has_parts | free, has_total | free
        held = replace(priced, input=input_, output=output, total=total, source=source, sources=sources)
        return _Costs(held, has_parts, has_total)

    def _reported(self, batch: Batch, has_price: np.ndarray) -> np.ndarray:
        """Where the sender's price is to be taken. A 0 is what many send that do not know."""
        column = batch.column("reported_cost_usd")
        if self._trust_reported == "never" or column.null_count == len(column):
            return np.zeros(len(batch), dtype=bool)
        nano, known = nano_of(column)
        usable = known & (nano > 0) & (nano <= MOST_NANO_USD)
        return usable if self._trust_reported == "always" else usable & ~has_price

    def _is_free(self, batch: Batch) -> np.ndarray:
        if self._free is None:
            return np.zeros(len(batch), dtype=bool)
        try:
            holds = self._free(batch)
        except ConditionFailed as error:
            message = "the condition `free` cannot be worked out for some rows, which are priced"
            self._log.warning(message, condition=self._free.sql, reason=str(error))
            holds = self._free.where_it_can(batch)
        return np.asarray(holds.fill_null(False).to_numpy(zero_copy_only=False))


def _with_columns(batch: Batch, costs: _Costs, is_call: np.ndarray, verdicts: np.ndarray) -> Batch:
    priced, source, sources = costs.priced, costs.priced.source, list(costs.priced.sources)
    for verdict, name in ((RESTATED, "restated"), (DUPLICATE, "duplicate")):
        rows = verdicts == verdict
        if rows.any():
            source = np.where(rows, len(sources), source)
            sources.append(name)
    uncounted = is_call & (verdicts != COUNTED)
    if uncounted.any():
        column = pc.if_else(pa.array(uncounted), pa.scalar(False), batch.column("is_llm_call"))
        batch = batch.with_record_column("is_llm_call", column)
    columns = {
        "input_cost_usd": usd(priced.input, costs.has_parts),
        "output_cost_usd": usd(priced.output, costs.has_parts),
        "cost_usd": usd(priced.total, costs.has_total),
        "price_source": pa.array(sources, pa.string()).take(pa.array(source, mask=~is_call)),
    }
    for name, column in columns.items():
        batch = batch.with_record_column(name, column)
    return batch


def _budgets(config: LlmCostProcessorConfig, settings: Settings) -> Exporter | None:
    """What sums up the prices, see `component.Following`."""
    if config.budgets is None:
        return None
    from spanmill.processors.llm_cost.budgets.consumer import BudgetConsumer

    return BudgetConsumer(config.budgets, settings)
