"""The calls of a model in a batch of spans: what each weighs and measured, as numpy columns, NaN where unknown.

Which spans are calls the processors say (`is_llm_call`); numbers that make no sense (negative ones, a span that ends
before it starts) are unknown here.
"""

from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.counted import Counted, Measure, Source, given, is_valid
from spanmill.exporters.prometheus.llm.rate_limits import ERROR_TYPES, STATUS_MESSAGES, says_rate_limit

_STATUS_ERROR: Final = 2
_LAST_NANOSECOND: Final = 2**63 - 1

MODEL: Final[Source] = ("call", "model")
"""The model that was asked for, else the one that answered."""


class Calls(Counted):
    """The calls of one batch, in the order of its rows."""

    weight_column = "sample_weight"

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch, given(batch, "is_llm_call"))

    def text(self, source: Source) -> pa.StringArray | None:
        return self._model() if source == MODEL else super().text(source)

    def _model(self) -> pa.Array | None:
        asked, answered = self._column("request_model"), self._column("response_model")
        if asked is None or answered is None:
            return asked if answered is None else answered
        return pc.coalesce(asked, answered) if asked.null_count else asked

    @cached_property
    def seconds(self) -> Measure:
        """From the call's start to its end."""
        start, end = self._nanoseconds("start_time_unix_nano"), self._nanoseconds("end_time_unix_nano")
        known = (start > 0) & (end >= start) & (end <= _LAST_NANOSECOND)
        seconds = (end - start) / 1e9
        if known.all():
            return Measure(seconds, None, seconds)
        rows = np.flatnonzero(known)
        return Measure(np.where(known, seconds, np.nan), rows, seconds[rows])

    @cached_property
    def end_ns(self) -> np.ndarray:
        """When each ended, nanoseconds since 1970."""
        return self._nanoseconds("end_time_unix_nano").astype(np.int64)

    @cached_property
    def failed(self) -> np.ndarray:
        """Whether it ended in an error."""
        error_type, status = self._column("error_type"), self._batch.record_column("status")
        failed = np.zeros(self.count, dtype=bool) if error_type is None else is_valid(error_type)
        if status.null_count == len(status):  # as most SDKs send it for calls that went well
            return failed
        by_status = self._of_chosen(status.field("code")).to_numpy(zero_copy_only=False) == _STATUS_ERROR
        if status.null_count:  # what a null status has below it may be anything
            by_status &= self._of_chosen(status.is_valid()).to_numpy(zero_copy_only=False)
        return np.asarray(failed | by_status)

    @cached_property
    def rate_limited(self) -> np.ndarray:
        """Rows of the calls that failed because of a provider's rate limit."""
        rows = np.flatnonzero(self.failed)
        if not len(rows):
            return rows
        error_type = self._column("error_type")
        found = np.zeros(len(rows), dtype=bool)
        if error_type is not None:
            found = says_rate_limit(error_type, rows, ERROR_TYPES)
        status = self._batch.record_column("status")
        if not found.all() and status.null_count < len(status):
            messages = self._of_chosen(status.field("message"))
            found[~found] = says_rate_limit(messages, rows[~found], STATUS_MESSAGES)
        return np.asarray(rows[found])

    def tokens(self, kind: str) -> Measure | None:
        """Tokens of a kind (`input`, `output`, `cache_read`, ...)."""
        return self._measure(f"{kind}_tokens")

    @cached_property
    def cost_usd(self) -> Measure | None:
        """USD of each call."""
        return self._usd("cost_usd")

    @property
    def retries(self) -> Measure | None:
        """How often each had been sent before."""
        return self._measure("retries")

    @cached_property
    def first_token_seconds(self) -> Measure | None:
        """From the start to the first token."""
        milliseconds = self._measure("time_to_first_token_ms")
        if milliseconds is None:
            return None
        every, rows, values = milliseconds
        return Measure(every / 1e3, rows, values / 1e3)

    @property
    def output_tokens_per_second(self) -> Measure | None:
        """Speed of the answer: from its first token on where that is known and it was streamed, else of the whole."""
        output, first, seconds = self.tokens("output"), self.first_token_seconds, self.seconds.every
        if output is None:
            return None
        if first is not None:
            waited = np.fmax(first.every, 0.0)
            streaming = self._column("streaming")
            if streaming is not None and streaming.false_count:
                waited *= streaming.fill_null(True).to_numpy(zero_copy_only=False)
            seconds = seconds - waited
        rows = np.flatnonzero((output.every > 0) & (seconds > 0))
        return Measure(seconds, rows, output.every[rows] / seconds[rows])

    @property
    def unpriced(self) -> np.ndarray:
        """Rows of the calls that a price was looked for and not found."""
        cost, source = self.cost_usd, self._column("price_source")
        if cost is not None and cost.rows is None:
            return np.empty(0, np.int64)
        rows = self.every if cost is None else np.flatnonzero(np.isnan(cost.every))
        if source is None or not len(rows):
            return np.empty(0, np.int64)
        unpriced = pc.starts_with(source.take(pa.array(rows)), "unpriced").fill_null(False)
        return np.asarray(rows[unpriced.to_numpy(zero_copy_only=False)])
