"""From prices to columns: which price holds for each call, and what is written of it."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.prices import sources
from spanmill.llm.prices.columns import Priced
from spanmill.llm.prices.money import usd
from spanmill.processors.llm_cost.restated import COUNTED, DUPLICATE, RESTATED

_UNCOUNTED: Final = ((RESTATED, sources.RESTATED), (DUPLICATE, sources.DUPLICATE))


class Costs:
    """What the calls of a batch cost. Arrays have an element for each call; amounts are nano-USD (int64)."""

    def __init__(self, priced: Priced, verdicts: np.ndarray) -> None:
        self.counted = verdicts == COUNTED
        self.has_total = priced.valid & self.counted
        self.source, self.sources = priced.source, priced.sources
        self._has_parts = self.has_total
        self._input, self._output, self._total = priced.input, priced.output, priced.total
        if not self.counted.all():
            for verdict, code in _UNCOUNTED:
                self.source = np.where(verdicts == verdict, code, self.source)

    def take_reported(self, nano: np.ndarray, where: np.ndarray) -> None:
        """The sender's price holds; it does not say what of it is input and what output."""
        where = where & self.counted
        if where.any():
            self._total = np.where(where, nano, self._total)
            self._has_parts, self.has_total = self._has_parts & ~where, self.has_total | where
            self.source = np.where(where, sources.REPORTED, self.source)

    def take_free(self, where: np.ndarray) -> None:
        """The calls cost nothing."""
        where = where & self.counted
        if where.any():
            self._input, self._output, self._total = (
                np.where(where, 0, amount) for amount in (self._input, self._output, self._total)
            )
            self._has_parts, self.has_total = self._has_parts | where, self.has_total | where
            self.source = np.where(where, sources.FREE, self.source)

    def written(self, batch: Batch, rows: np.ndarray) -> Batch:
        """The batch with the columns filled. The calls are its `rows`."""
        length = len(batch)
        is_call = np.zeros(length, dtype=bool)
        is_call[rows] = True
        if not self.counted.all():
            uncounted = np.zeros(length, dtype=bool)
            uncounted[rows] = ~self.counted
            column = pc.if_else(pa.array(uncounted), pa.scalar(False), batch.column("is_llm_call"))
            batch = batch.with_record_column("is_llm_call", column)
        source = pa.array(_spread(self.source, rows, length), mask=~is_call)
        has_parts, has_total = _spread(self._has_parts, rows, length), _spread(self.has_total, rows, length)
        columns = {
            "input_cost_usd": usd(_spread(self._input, rows, length), has_parts),
            "output_cost_usd": usd(_spread(self._output, rows, length), has_parts),
            "cost_usd": usd(_spread(self._total, rows, length), has_total),
            "price_source": pa.array(self.sources, pa.string()).take(source),
        }
        for name, column in columns.items():
            batch = batch.with_record_column(name, column)
        return batch


def _spread(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """The values at their rows, zeros elsewhere."""
    if len(rows) == length:
        return values
    spread = np.zeros(length, dtype=values.dtype)
    spread[rows] = values
    return spread
