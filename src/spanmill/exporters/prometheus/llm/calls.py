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
_OTHER_ERROR: Final = "_OTHER"
"""OpenTelemetry's `error.type` where no better one is known."""
_USD_DIGITS: Final = 18
"""As many fit into the lower half of a decimal128."""

Source = tuple[str, str]
"""`column`, `attribute` or `resource_attribute`, and which; or one of those below."""
MODEL: Final[Source] = ("call", "model")
"""The model that was asked for, else the one that answered."""
ERROR_TYPE: Final[Source] = ("call", "error_type")
"""Why the call failed, `_OTHER` where nobody says; nothing where it did not."""
_ASKED_MODEL: Final[Source] = ("column", "request_model")


class Encoded(NamedTuple):
    """A text column by its distinct values."""

    texts: list[str | None]
    indices: np.ndarray
    """For each call which of the `texts` it has."""


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
        self._encoded: dict[Source, Encoded | None] = {}
        self._numbers: dict[str, np.ndarray | None] = {}

    # What a call is told apart by.

    def encoded(self, source: Source) -> Encoded | None:
        """The text from a source by its distinct values; None where no call has any."""
        if source == MODEL and (asked := self._column("request_model")) is not None and not asked.null_count:
            source = _ASKED_MODEL  # the same texts, which another label may want
        if source not in self._encoded:
            found = self._error_types() if source == ERROR_TYPE else _encode(self._text(source))
            self._encoded[source] = found
        return self._encoded[source]

    def _error_types(self) -> Encoded | None:
        if not self.failed.any():
            return None
        known = self.encoded(("column", "error_type"))
        if known is None:
            return Encoded([None, _OTHER_ERROR], self.failed.astype(np.int64))
        unknown = np.array([not text for text in known.texts])[known.indices]
        indices = np.where(self.failed & unknown, len(known.texts), known.indices)
        return Encoded([*known.texts, _OTHER_ERROR], indices)

    def _text(self, source: Source) -> pa.Array | None:
        kind, name = source
        if kind == "attribute":
            return self._of_calls(values_to_text(get(self._batch.records.column("attributes"), name)))
        if kind == "resource_attribute":
            return self._of_resource(name)
        if kind == "column":
            return self._column(name)
        return self._model()

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
        given = self._number("sample_weight")
        if given is None:
            return np.ones(self.count)
        return np.where(np.isfinite(given), given, 1.0)

    @cached_property
    def seconds(self) -> np.ndarray:
        """From the call's start to its end."""
        start, end = self._nanoseconds("start"), self._nanoseconds("end")
        known = (start > 0) & (end >= start) & (end <= _LAST_NANOSECOND)
        seconds = (end - start) / 1e9
        return seconds if known.all() else np.where(known, seconds, np.nan)

    @cached_property
    def end_ns(self) -> np.ndarray:
        """When each ended, nanoseconds since 1970."""
        return self._nanoseconds("end").astype(np.int64)

    @cached_property
    def failed(self) -> np.ndarray:
        """Whether it ended in an error."""
        status = self._batch.records.column("status")
        failed: np.ndarray = self._of_calls(status.field("code")).to_numpy(zero_copy_only=False) == _STATUS_ERROR
        if status.null_count:
            failed &= self._of_calls(status.is_valid()).to_numpy(zero_copy_only=False)
        error_type = self._column("error_type")
        if error_type is not None:
            failed = failed | error_type.is_valid().to_numpy(zero_copy_only=False)
        return failed

    @cached_property
    def rate_limited(self) -> np.ndarray:
        """Rows of the calls that failed because of a provider's rate limit."""
        rows = np.flatnonzero(self.failed)
        if not len(rows):
            return rows
        some = pa.array(rows)
        messages = self._of_calls(self._batch.records.column("status").field("message"))
        found = says_rate_limit(messages.take(some), STATUS_MESSAGES)
        error_type = self._column("error_type")
        if error_type is not None:
            found |= says_rate_limit(error_type.take(some), ERROR_TYPES)
        return np.asarray(rows[found])

    def tokens(self, kind: str) -> np.ndarray | None:
        """Tokens of a kind (`input`, `output`, `cache_read`, ...); None where no call has any count."""
        return self._number(f"{kind}_tokens")

    @cached_property
    def cost_usd(self) -> np.ndarray | None:
        """USD of each call."""
        column = self._column("cost_usd")
        return None if column is None else _not_negative(_decimals(column))

    @property
    def retries(self) -> np.ndarray | None:
        """How often each had been sent before."""
        return self._number("retries")

    @cached_property
    def first_token_seconds(self) -> np.ndarray | None:
        """From the start to the first token."""
        milliseconds = self._number("time_to_first_token_ms")
        return None if milliseconds is None else milliseconds / 1e3

    @cached_property
    def output_tokens_per_second(self) -> np.ndarray | None:
        """Speed of the answer: from its first token on where that is known and it was streamed, else of the whole."""
        output, seconds = self.tokens("output"), self.seconds
        if output is None:
            return None
        first = self.first_token_seconds
        if first is not None:
            streaming = self._column("streaming")
            streamed = ~np.isnan(first)
            if streaming is not None:
                streamed &= streaming.fill_null(True).to_numpy(zero_copy_only=False)
            seconds = np.where(streamed, seconds - np.where(streamed, first, 0.0), seconds)
        known = (output > 0) & (seconds > 0)
        return np.asarray(np.divide(output, seconds, out=np.full(self.count, np.nan), where=known))

    @property
    def unpriced(self) -> np.ndarray:
        """Rows of the calls that a price was looked for and not found."""
        cost, source = self.cost_usd, self._column("price_source")
        rows = self.every if cost is None else np.flatnonzero(np.isnan(cost))
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
        column = self._given(name)
        if column is None:
            if name not in _COMPUTED:
                return None
            column = self._batch.column(name)
        return self._of_calls(column)

    def _of_calls(self, column: pa.Array) -> pa.Array:
        return column if self._chosen is None else column.filter(self._chosen)

    def _number(self, name: str) -> np.ndarray | None:
        """A column of numbers; NaN where null, negative or not finite."""
        if name not in self._numbers:
            column = self._column(name)
            numbers = None if column is None else column.to_numpy(zero_copy_only=False)
            self._numbers[name] = None if numbers is None else _not_negative(numbers.astype(np.float64, copy=False))
        return self._numbers[name]

    def _nanoseconds(self, which: str) -> np.ndarray:
        times = self._of_calls(self._batch.records.column(f"{which}_time_unix_nano"))
        return np.asarray((times.fill_null(0) if times.null_count else times).to_numpy())


def _encode(column: pa.Array | None) -> Encoded | None:
    if column is None or column.null_count == len(column):
        return None
    if column.type != pa.string():
        column = column.cast(pa.string())
    encoded = column.dictionary_encode(null_encoding="encode")
    return Encoded(encoded.dictionary.to_pylist(), encoded.indices.to_numpy())


def _not_negative(numbers: np.ndarray) -> np.ndarray:
    if numbers.min() >= 0 and numbers.max() < np.inf:  # never where there is a NaN
        return numbers
    return np.where((numbers >= 0) & (numbers < np.inf), numbers, np.nan)


def _decimals(column: pa.Array) -> np.ndarray:
    """Decimals as floats."""
    if not pa.types.is_decimal128(column.type) or column.type.precision > _USD_DIGITS:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    halves = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    numbers: np.ndarray = halves / 10.0**column.type.scale
    if column.null_count:
        numbers[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return numbers
