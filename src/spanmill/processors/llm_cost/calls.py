"""What llm_cost reads of a batch: identities, usage, times. Arrays have an element for each span, call or not."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.prices.columns import Usage
from spanmill.llm.prices.estimate import estimated_tokens
from spanmill.processors.llm_cost.identity import span_keys, text_keys
from spanmill.processors.llm_cost.restated import Spans

_WITHOUT_OUTPUT: Final = pa.array(["embeddings", "rerank"])
"""Operations whose answer has no tokens."""
_ERROR: Final = 2
"""OTLP's status code."""
_SHORTEST_RESPONSE_ID: Final = 16
"""Bytes. Some servers number their answers from 0 to 999; such an id says nothing."""
_LAST_MOMENT: Final = 2**63 - 1
_PARTS: Final = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
)


def numbers(column: pa.Array) -> np.ndarray:
    """The numbers of a column of int64, 0 for null."""
    if column.null_count == len(column):
        return np.zeros(len(column), dtype=np.int64)
    return np.asarray((column.fill_null(0) if column.null_count else column).to_numpy())


def call_rows(batch: Batch) -> np.ndarray:
    """Where a span is typed as a call of a model."""
    return np.asarray(batch.column("is_llm_call").fill_null(False).to_numpy(zero_copy_only=False))


def start_times(batch: Batch) -> np.ndarray:
    """When each span began (int64, nanoseconds since 1970), or else ended; the far future where neither is known."""
    starts, ends = (batch.records.column(f"{name}_time_unix_nano").fill_null(0) for name in ("start", "end"))
    times = starts.to_numpy().view(np.int64)
    if (times <= 0).any():
        times = np.where(times > 0, times, ends.to_numpy().view(np.int64))
        times = np.where(times > 0, times, _LAST_MOMENT)
    return np.asarray(times)


def usage_of(batch: Batch) -> Usage:
    """The usage of each span. A call with no tokens at all has no known usage: none is answered by nothing."""
    input_, output = numbers(batch.column("input_tokens")), numbers(batch.column("output_tokens"))
    used = (input_ != 0) | (output != 0)
    read, written, hour, sound_in, reasoning, sound_out = (numbers(batch.column(name)) for name in _PARTS)
    short = np.where(hour == 0, written, np.maximum(written - hour, 0))
    tokens = np.stack(
        [
            _rest(input_, read + short + hour + sound_in),
            read,
            short,
            hour,
            sound_in,
            _rest(output, reasoning + sound_out),
            reasoning,
            sound_out,
        ],
        axis=1,
    )
    starts, ends = (batch.records.column(f"{name}_time_unix_nano").fill_null(0) for name in ("start", "end"))
    starts, ends = starts.to_numpy().view(np.int64), ends.to_numpy().view(np.int64)
    return Usage(
        tokens=tokens,
        input_tokens=input_,
        has_input=used & _is_known(batch.column("input_tokens")),
        has_output=used & _is_known(batch.column("output_tokens")),
        needs_output=~pc.is_in(batch.column("operation"), _WITHOUT_OUTPUT).to_numpy(zero_copy_only=False),
        failed=failed_rows(batch),
        microseconds=np.where((starts > 0) & (ends >= starts), (ends - starts) // 1000, -1),
    )


def spans_of(batch: Batch, is_call: np.ndarray, has_usage: np.ndarray, starts: np.ndarray) -> Spans:
    """The spans as the ledger takes them."""
    records = batch.records
    keys, parents = span_keys(*(records.column(name) for name in ("trace_id", "span_id", "parent_span_id")))
    ids = batch.column("response_id")
    known = ids.null_count < len(ids)
    responses = text_keys(ids, _SHORTEST_RESPONSE_ID) if known else np.zeros(len(batch), dtype=np.uint64)
    return Spans(keys, parents, is_call, has_usage, responses, starts)


def with_estimated_tokens(batch: Batch) -> Batch:
    """The batch with counts for the calls that lack them and have texts, marked in `tokens_estimated`.

    A call that failed and used nothing was not billed, and gets none.
    """
    usage = usage_of(batch)
    wanted = call_rows(batch) & ~(usage.failed & ~usage.has_input & ~usage.has_output)
    needs_input, needs_output = wanted & ~usage.has_input, wanted & ~usage.has_output & usage.needs_output
    if not (needs_input.any() or needs_output.any()):
        return batch
    estimated = np.zeros(len(batch), dtype=bool)
    counts = {}
    for name, needs, texts in (
        ("input_tokens", needs_input, ("input", "system_instructions")),
        ("output_tokens", needs_output, ("output",)),
    ):
        guessed = estimated_tokens(*(batch.column(text) for text in texts))
        filled = needs & (guessed > 0)
        column = batch.column(name)
        counts[name] = np.where(filled, guessed, numbers(column))
        known = column.is_valid().to_numpy(zero_copy_only=False) | filled
        batch = batch.with_record_column(name, pa.array(counts[name], mask=~known))
        estimated |= filled
    total = np.where(estimated, counts["input_tokens"] + counts["output_tokens"], numbers(batch.column("total_tokens")))
    known = batch.column("total_tokens").is_valid().to_numpy(zero_copy_only=False) | estimated
    batch = batch.with_record_column("total_tokens", pa.array(total, mask=~known))
    return batch.with_record_column("tokens_estimated", pa.array(estimated, mask=~estimated))


def failed_rows(batch: Batch) -> np.ndarray:
    """Where a span's status is an error."""
    codes = pc.struct_field(batch.records.column("status"), "code")
    return np.asarray(codes.fill_null(0).to_numpy() == _ERROR)


def _rest(whole: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """What is left of a number; a negative one stays, to be found out of range."""
    return np.where(whole < 0, whole, np.maximum(whole - parts, 0))


def _is_known(column: pa.Array) -> np.ndarray:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
