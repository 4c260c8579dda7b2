"""The calls of a model in a batch of spans: what each weighs and measured, as numpy columns, NaN where unknown.

Which spans are calls the processors say (`is_llm_call`); numbers that make no sense (negative ones, a span that ends
before it starts) are unknown here.
"""

from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.exporters.prometheus.llm.rate_limits import ERROR_TYPES, STATUS_MESSAGES, says_rate_limit
from spanmill.otlp.anyvalue import values_to_text
from spanmill.otlp.attributes import get
from spanmill.schema.spans import SPANS

_COMPUTED: Final = frozenset(column.name for column in SPANS.columns if column.compute is not None)
_STATUS_ERROR: Final = 2
_LAST_NANOSECOND: Final = 2**63 - 1
_USD_DIGITS: Final = 18
"""As many fit into the lower half of a decimal128."""

Source = tuple[str, str]
"""`column`, `attribute` or `resource_attribute`, and which; or `MODEL`."""
MODEL: Final[Source] = ("call", "model")
"""The model that was asked for, else the one that answered."""


class Measure(NamedTuple):
    """A number of each call that has one."""

    every: np.ndarray
    """One for each call, NaN where it is not known."""
    rows: np.ndarray | None
    """The calls whose number is known; None: all."""
    values: np.ndarray
    """Their numbers."""


class Calls:
    """The calls of one batch, in the order of its rows."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        records = batch.records
        self._index = {name: index for index, name in enumerate(records.schema.names)}
        self._chosen: pa.BooleanArray | None = None
        """The rows that are calls; None: all of them."""
        chosen = self._given("is_llm_call")
        self.count = 0 if chosen is None else int(chosen.true_count)
        if self.count < records.num_rows:
            self._chosen = chosen
        self._columns: dict[str, pa.Array | None] = {}
        self._measures: dict[str, Measure | None] = {}

    # What a call is told apart by.

    def text(self, source: Source) -> pa.StringArray | None:
        """The text from a source; None where no call has any."""
        kind, name = source
        if source == MODEL:
            column = self._model()
        elif kind == "attribute":
            column = self._of_calls(values_to_text(get(self._batch.records.column("attributes"), name)))
        elif kind == "resource_attribute":
            column = self._of_resource(name)
        else:
            column = self._column(name)
        if column is None or column.null_count == len(column):
            return None
        return column if column.type == pa.string() else column.cast(pa.string())

    def _of_resource(self, key: str) -> pa.Array:
        resource = self._batch.records.column("resource")
        attributes = resource.dictionary.field("resource").field("attributes")
        return self._of_calls(values_to_text(get(attributes, key)).take(resource.indices))

    def _model(self) -> pa.Array | None:
        asked, answered = self._column("request_model"), self._column("response_model")
        if asked is None or answered is None:
            return asked if answered is None else answered
        return pc.coalesce(asked, answered) if asked.null_count else asked

    # What a call measured.

    @cached_property
    def every(self) -> np.ndarray:
        """The rows of all calls."""
        return np.arange(self.count)

    @cached_property
    def weight(self) -> np.ndarray:
        """How many calls each stands for, after sampling."""
        given, ones = self._measure("sample_weight"), np.ones(self.count)
        if given is None or given.rows is None:
            return ones if given is None else given.values
        ones[given.rows] = given.values
        return ones

    @cached_property
    def seconds(self) -> Measure:
        """From the call's start to its end."""
        start, end = self._nanoseconds("start"), self._nanoseconds("end")
        known = (start > 0) & (end >= start) & (end <= _LAST_NANOSECOND)
        seconds = (end - start) / 1e9
        if known.all():
            return Measure(seconds, None, seconds)
        rows = np.flatnonzero(known)
        return Measure(np.where(known, seconds, np.nan), rows, seconds[rows])

    @cached_property
    def end_ns(self) -> np.ndarray:
        """When each ended, nanoseconds since 1970."""
        return self._nanoseconds("end").astype(np.int64)

    @cached_property
    def failed(self) -> np.ndarray:
        """Whether it ended in an error."""
        error_type, status = self._column("error_type"), self._batch.records.column("status")
        failed = np.zeros(self.count, dtype=bool) if error_type is None else _is_valid(error_type)
        if status.null_count == len(status):  # as most SDKs send it for calls that went well
            return failed
        by_status = self._of_calls(status.field("code")).to_numpy(zero_copy_only=False) == _STATUS_ERROR
        if status.null_count:  # what a null status has below it may be anything
            by_status &= self._of_calls(status.is_valid()).to_numpy(zero_copy_only=False)
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
        status = self._batch.records.column("status")
        if not found.all() and status.null_count < len(status):
            messages = self._of_calls(status.field("message"))
            found[~found] = says_rate_limit(messages, rows[~found], STATUS_MESSAGES)
        return np.asarray(rows[found])

    def tokens(self, kind: str) -> Measure | None:
        """Tokens of a kind (`input`, `output`, `cache_read`, ...)."""
        return self._measure(f"{kind}_tokens")

    @cached_property
    def cost_usd(self) -> Measure | None:
        """USD of each call."""
        column = self._column("cost_usd")
        return None if column is None else _sound(_decimals(column))

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

    def trace_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the calls whose trace id is one, and these ids: 16 bytes each."""
        ids = self._of_calls(self._batch.records.column("trace_id"))
        offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
        rows = np.flatnonzero(np.diff(offsets) == 16)
        data = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
        return rows, data[offsets[rows][:, None] + np.arange(16)]

    # Columns.

    def _given(self, name: str) -> pa.Array | None:
        """A column that processors fill; None when none did, or it is all null."""
        index = self._index.get(name)
        if index is None:
            return None
        column = self._batch.records.column(index)
        return column if column.null_count < len(column) else None

    def _column(self, name: str) -> pa.Array | None:
        """A public column of the calls."""
        if name not in self._columns:
            column = self._batch.column(name) if name in _COMPUTED else self._given(name)
            self._columns[name] = None if column is None else self._of_calls(column)
        return self._columns[name]

    def _of_calls(self, column: pa.Array) -> pa.Array:
        return column if self._chosen is None else column.filter(self._chosen)

    def _measure(self, name: str) -> Measure | None:
        """A column of numbers; unknown where null, negative or not finite. None where no call has any."""
        if name not in self._measures:
            column = self._column(name)
            self._measures[name] = None if column is None else _sound(column.to_numpy(zero_copy_only=False))
        return self._measures[name]

    def _nanoseconds(self, which: str) -> np.ndarray:
        times = self._of_calls(self._batch.records.column(f"{which}_time_unix_nano"))
        return np.asarray((times.fill_null(0) if times.null_count else times).to_numpy())


def _sound(numbers: np.ndarray) -> Measure:
    """Numbers as a measure, of which those that are negative or not finite are not known."""
    numbers = numbers.astype(np.float64, copy=False)
    known = (numbers >= 0) & (numbers < np.inf)
    if known.all():
        return Measure(numbers, None, numbers)
    rows = np.flatnonzero(known)
    return Measure(np.where(known, numbers, np.nan), rows, numbers[rows])


def _is_valid(column: pa.Array) -> np.ndarray:
    """Where a column is not null; straight from its bitmap, which is much quicker for a few hundred rows."""
    bitmap = column.buffers()[0]
    if bitmap is None:
        return np.ones(len(column), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)].view(bool)


def _decimals(column: pa.Array) -> np.ndarray:
    """Decimals as floats."""
    if not pa.types.is_decimal128(column.type) or column.type.precision > _USD_DIGITS:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    halves = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    numbers: np.ndarray = halves / 10.0**column.type.scale
    if column.null_count:
        numbers[~_is_valid(column)] = np.nan
    return numbers
