"""The counter of calls without a price."""

import threading
from typing import Final

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.llm.models import models_of
from spanmill.llm.prices.sources import UNPRICED
from spanmill.processors.llm_cost.costs import Costs
from spanmill.telemetry.metrics import Metrics

COUNTER: Final = "llm_cost_unpriced_spans"
_MOST_MODELS: Final = 100
_LONGEST_NAME: Final = 100
"""Characters of a model's name that a label shows."""
_OTHER: Final = "other"


class UnpricedSpans:
    """Counts calls without a price by model and reason; beyond a hundred models, as model `other`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._models: set[str] = set()
        self._lock = threading.Lock()

    def count(self, batch: Batch, rows: np.ndarray, costs: Costs) -> None:
        """Count the calls, which are the batch's `rows`, that have no price and should."""
        lacking = np.flatnonzero(costs.counted & ~costs.has_total)
        if not len(lacking):
            return
        sources = costs.sources
        says = np.array([each.startswith(UNPRICED) for each in sources])
        lacking = lacking[says[costs.source[lacking]]]
        if not len(lacking):
            return
        rows, source = rows[lacking], costs.source[lacking]
        encoded = models_of(batch).take(pa.array(rows)).dictionary_encode()
        pairs, counts = np.unique(encoded.indices.to_numpy() * len(sources) + source, return_counts=True)
        names = encoded.dictionary.to_pylist()
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            model, reason = names[pair // len(sources)], sources[pair % len(sources)]
            self._add(model, reason.removeprefix(UNPRICED), count)

    def _add(self, model: str, reason: str, count: int) -> None:
        model = model[:_LONGEST_NAME]
        with self._lock:
            if model not in self._models:
                if len(self._models) < _MOST_MODELS:
                    self._models.add(model)
                else:
                    model = _OTHER
        self._metrics.counter(COUNTER, model=model, reason=reason).add(count)
