"""From prices to columns: which price holds for each call, and what is written of it."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.prices import sources
from spanmill.llm.prices.columns import Priced
from spanmill.llm.prices.money import bitmap, usd
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
        columns = {}
        if not self.counted.all():
            uncounted = _spread(~self.counted, rows, length)
            columns["is_llm_call"] = pc.if_else(pa.array(uncounted), pa.scalar(False), batch.column("is_llm_call"))
        total_bits = bitmap(_spread(self.has_total, rows, length))
        has_same = self._has_parts is self.has_total
        part_bits = total_bits if has_same else bitmap(_spread(self._has_parts, rows, length))
        for name, amount, bits in (
            ("input_cost_usd", self._input, part_bits),
            ("output_cost_usd", self._output, part_bits),
            ("cost_usd", self._total, total_bits),
        ):
            columns[name] = usd(amount, rows, length, bits)
        codes = np.full(length, -1)
        codes[rows] = self.source
        columns["price_source"] = pa.array(self.sources, pa.string()).take(pa.array(codes, mask=codes < 0))
        return batch.with_record_columns(columns)


def _spread(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """The booleans at their rows, false elsewhere."""
    if len(rows) == length:
        return values
    spread = np.zeros(length, dtype=bool)
    spread[rows] = values
    return spread
