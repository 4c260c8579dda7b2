"""The evaluations in a batch of log records: whom they are on, what they say and what they cost.

Which records are evaluations the table `logs` says (`spanmill.schema.evaluations`), so that those of applications count
like those of a judge.
"""

from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.counted import Counted, Measure, Source, given
from spanmill.schema import EVALUATIONS

_OF_SPANS: Final = {"prompt_name": "prompt", "request_model": "model", "response_model": "model"}
"""Columns of spans that evaluations have under another name: one label then shows both."""


class Evaluations(Counted):
    """The evaluations of one batch, in the order of its rows."""

    weight_column = "evaluation_sample_weight"

    def __init__(self, batch: Batch) -> None:
        source = given(batch, EVALUATIONS.where_set)
        super().__init__(batch, None if source is None else source.is_valid())

    def text(self, source: Source) -> pa.StringArray | None:
        """A column is one of the table `evaluations`, by its name there or in the table `spans`."""
        kind, name = source
        if kind != "column":
            return super().text(source)
        column = EVALUATIONS.columns.get(_OF_SPANS.get(name, name))
        return None if column is None else super().text((kind, column))

    @cached_property
    def failed(self) -> np.ndarray:
        """Which came to no verdict."""
        return self._is("evaluation_outcome", "failed")

    @cached_property
    def end_ns(self) -> np.ndarray:
        """When each was made, nanoseconds since 1970."""
        return self._nanoseconds("time_unix_nano").astype(np.int64)

    @property
    def score(self) -> Measure | None:
        """0 to 1, as judges give it; applications may have scales of their own."""
        return self._measure("evaluation_score")

    @property
    def cost_usd(self) -> Measure | None:
        """USD of each."""
        return self._usd("evaluation_cost_usd")

    @cached_property
    def judge_lag_seconds(self) -> Measure | None:
        """From the span's end to the verdict of a judge. People take the time they like."""
        lag = self._measure("evaluation_lag_seconds")
        if lag is None:
            return None
        every = np.where(self._is("evaluation_source", "judge"), lag.every, np.nan)
        rows = np.flatnonzero(~np.isnan(every))
        return Measure(every, rows, every[rows])

    def _is(self, name: str, value: str) -> np.ndarray:
        """In which rows a column has this value."""
        column = self._column(name)
        if column is None:
            return np.zeros(self.count, dtype=bool)
        return np.asarray(pc.equal(column, value).fill_null(False).to_numpy(zero_copy_only=False))
