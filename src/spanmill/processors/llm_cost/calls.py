"""What llm_cost reads of a batch: identities, usage, times. `rows` are the numbers of some rows, ascending."""

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
    times = _times(batch, "start")
    if (times <= 0).any():
        times = np.where(times > 0, times, _times(batch, "end"))
        times = np.where(times > 0, times, _LAST_MOMENT)
    return times


def usage_of(batch: Batch, rows: np.ndarray) -> Usage:
    """The usage of the spans in `rows`. A call with no tokens at all has no known usage: no answer is made of none."""
    held = set(batch.records.schema.names)

    def counts(name: str) -> np.ndarray | None:
        if name not in held or (column := batch.records.column(name)).null_count == len(column):
            return None
        return np.asarray(numbers(column)[rows])

    read, written, hour, sound_in, reasoning, sound_out = map(counts, _PARTS)
    nothing = np.zeros(len(rows), dtype=np.int64)
    given = [counts(name) for name in ("input_tokens", "output_tokens")]
    input_, output = (nothing if count is None else count for count in given)
    used = (input_ != 0) | (output != 0)
    if written is not None and hour is not None:
        written = np.maximum(written - hour, 0)
    has_input, has_output = (
        _known(batch, name, rows, count, used) for name, count in (("input_tokens", input_), ("output_tokens", output))
    )
    return Usage(
        tokens=(
            _rest(input_, read, written, hour, sound_in),
            read,
            written,
            hour,
            sound_in,
            _rest(output, reasoning, sound_out),
            reasoning,
            sound_out,
        ),
        input_tokens=input_,
        has_input=has_input,
        has_output=has_output,
        needs_output=lambda: _have_output(batch)[rows],
        failed=lambda: failed_rows(batch)[rows],
        microseconds=lambda: _microseconds(batch, rows),
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
    rows = np.flatnonzero(call_rows(batch))
    usage = usage_of(batch, rows)
    wanted = ~(usage.failed() & ~usage.has_input & ~usage.has_output)
    needs_input, needs_output = np.zeros((2, len(batch)), dtype=bool)
    needs_input[rows] = wanted & ~usage.has_input
    needs_output[rows] = wanted & ~usage.has_output & usage.needs_output()
    if not (needs_input.any() or needs_output.any()):
        return batch
    estimated = np.zeros(len(batch), dtype=bool)
    counts, columns = {}, {}
    for name, needs, texts in (
        ("input_tokens", needs_input, ("input", "system_instructions")),
        ("output_tokens", needs_output, ("output",)),
    ):
        guessed = estimated_tokens(*(batch.column(text) for text in texts))
        filled = needs & (guessed > 0)
        column = batch.column(name)
        counts[name] = np.where(filled, guessed, numbers(column))
        known = column.is_valid().to_numpy(zero_copy_only=False) | filled
        columns[name] = pa.array(counts[name], mask=~known)
        estimated |= filled
    total = np.where(estimated, counts["input_tokens"] + counts["output_tokens"], numbers(batch.column("total_tokens")))
    known = batch.column("total_tokens").is_valid().to_numpy(zero_copy_only=False) | estimated
    columns["total_tokens"] = pa.array(total, mask=~known)
    columns["tokens_estimated"] = pa.array(estimated, mask=~estimated)
    return batch.with_record_columns(columns)


def failed_rows(batch: Batch) -> np.ndarray:
    """Where a span's status is an error."""
    status = batch.records.column("status")
    codes = status.flatten()[status.type.get_field_index("code")]
    return np.asarray((codes.fill_null(0) if codes.null_count else codes).to_numpy() == _ERROR)


def _rest(whole: np.ndarray, *parts: np.ndarray | None) -> np.ndarray:
    """What is left of a number; a negative one stays, to be found out of range."""
    there = [part for part in parts if part is not None]
    if not there:
        return whole
    rest = whole
    for part in there:
        rest = rest - part
    return np.where(whole < 0, whole, np.maximum(rest, 0))


def _known(batch: Batch, name: str, rows: np.ndarray, counts: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Where a count is known; a 0 is where the call used something."""
    known = counts != 0
    if not known.all() and (used & ~known).any():
        known |= used & batch.column(name).is_valid().to_numpy(zero_copy_only=False)[rows]
    return np.asarray(known)


def _have_output(batch: Batch) -> np.ndarray:
    return np.asarray(~pc.is_in(batch.column("operation"), _WITHOUT_OUTPUT).to_numpy(zero_copy_only=False))


def _times(batch: Batch, name: str) -> np.ndarray:
    """Nanoseconds since 1970 (int64); 0 where the time is not known."""
    column = batch.records.column(f"{name}_time_unix_nano")
    times = (column.fill_null(0) if column.null_count else column).to_numpy().view(np.int64)
    return np.asarray(times)


def _microseconds(batch: Batch, rows: np.ndarray) -> np.ndarray:
    starts, ends = _times(batch, "start")[rows], _times(batch, "end")[rows]
    return np.where((starts > 0) & (ends >= starts), (ends - starts) // 1000, -1)
