"""Rows that were put together are the rows of the parts, whichever columns are asked for, and in which order."""

import gc
import weakref

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.lazy_records import JoinedRecords
from spanmill.signal import Signal
from tests.data import batch_of, spans, traces

PARTS = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=5)
"""For each part how many rows it has, and whether it has a column that others lack."""


def parts(sizes: list[tuple[int, bool]]) -> list[pa.RecordBatch]:
    made, first = [], 1
    for count, is_wider in sizes:
        batch = spans(count, first)
        if is_wider:
            texts = [f"text {number} " * 20 if number % 3 else None for number in range(count)]
            batch = batch.with_record_column("output", pa.array(texts, pa.string()))
        made.append(batch.records)
        first += count
    return made


def rows(records: pa.RecordBatch, names: list[str]) -> list[dict[str, object]]:
    """The rows; null in columns that the records lack."""
    there = [name for name in names if name in records.schema.names]
    return [dict.fromkeys(names) | row for row in records.select(there).to_pylist()]


@given(PARTS)
def test_all_rows_are_there_in_order(sizes: list[tuple[int, bool]]) -> None:
    given_parts = parts(sizes)
    joined = JoinedRecords(given_parts)
    names = joined.schema.names
    assert joined.whole().to_pylist() == [row for part in given_parts for row in rows(part, names)]
    assert len(Batch(Signal.TRACES, joined)) == sum(count for count, _ in sizes)


@given(PARTS, st.data())
def test_rows_that_are_taken_are_those_of_the_whole(sizes: list[tuple[int, bool]], data: st.DataObject) -> None:
    """Few or many, of wide or narrow columns, and rows of rows."""
    given_parts = parts(sizes)
    joined = JoinedRecords(given_parts)
    count = joined.num_rows
    most = data.draw(st.sampled_from([2, 200])) if count else 0
    wanted = sorted(data.draw(st.sets(st.integers(0, max(0, count - 1)), max_size=most)))
    taken = joined.take(pa.array(wanted, pa.uint64()))
    whole = JoinedRecords(given_parts).whole()
    for name in data.draw(st.permutations(joined.schema.names)):
        assert taken.column(name).to_pylist() == whole.column(name).take(pa.array(wanted, pa.int64())).to_pylist()
    again = taken.take(pa.array(range(0, len(wanted), 2), pa.int64()))
    assert again.whole().to_pylist() == whole.take(pa.array(wanted[::2], pa.int64())).to_pylist()


def test_a_batch_that_was_put_together_filters_and_shows_columns_like_any_other() -> None:
    batches = [spans(100, first) for first in (1, 101, 201)]
    together = Batch.concat(batches)
    keep = pa.array(np.arange(300) % 60 == 7)
    few = together.filter(keep)
    assert few.column("span_id").to_pylist() == [f"{number:016x}" for number in (8, 68, 128, 188, 248)]
    plain = Batch(Signal.TRACES, together.records).filter(keep)
    assert few.table().equals(plain.table())
    assert few.records.equals(plain.records)


def test_only_the_columns_that_are_asked_for_are_made() -> None:
    joined = JoinedRecords([spans(10, first).records for first in (1, 11)])
    Batch(Signal.TRACES, joined).column("span_id")
    assert set(joined._columns) == {"span_id"}


def test_a_nested_column_is_taken_without_the_narrow_ones() -> None:
    taken = JoinedRecords([spans(10, first).records for first in (1, 11)]).take(pa.array([3]))
    taken.column("attributes")
    taken.column("resource")
    assert "_narrow" not in vars(taken)
    taken.column("span_id")
    assert "_narrow" in vars(taken)


def test_what_is_kept_whole_does_not_keep_what_it_was_made_of() -> None:
    joined = JoinedRecords([spans(10, first).records for first in (1, 11)])
    made_of = weakref.ref(joined)
    kept = Batch(Signal.TRACES, joined).whole()
    del joined
    gc.collect()
    assert made_of() is None
    assert len(kept) == 20


def test_a_batch_counts_the_bytes_of_its_parts() -> None:
    parts = [spans(10, first) for first in (1, 11)]
    together = Batch.concat(parts)
    assert together.nbytes == sum(part.nbytes for part in parts)
    few = together.filter(pa.array([True] + [False] * 19))
    assert few.nbytes == few.records.nbytes < together.nbytes


def test_a_column_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(KeyError):
        JoinedRecords([batch_of(traces(1)).records] * 2).column("nothing")
