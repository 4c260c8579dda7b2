"""The memory of fixed size."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spanmill.processors.llm_cost.identity import span_keys, text_keys
from spanmill.processors.llm_cost.remembered import Remembered
from spanmill.processors.llm_cost.restated import Ledger

_KEY = np.uint64(0xFFFFFFFFFFFFFF00)


def _keys(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, 2**64, count, dtype=np.uint64) & _KEY


def test_what_was_added_is_found_with_its_values_and_flags() -> None:
    memory, keys = Remembered(1_000_000, values=2), _keys(1000)
    places, new = memory.add(keys)
    memory.set_value(places, 0, keys + np.uint64(1))
    memory.set_value(places, 1, np.arange(1000, dtype=np.uint64))
    memory.set_flags(places[::2], 0b101)
    memory.toggle_flags(places[::4], 0b1)
    assert new.all()
    assert not memory.add(keys)[1].any()
    found = memory.find(keys[::-1])
    assert (found == places[::-1]).all()
    assert (memory.value(found, 0) == keys[::-1] + np.uint64(1)).all()
    assert (memory.value(found, 1) == np.arange(1000)[::-1]).all()
    assert memory.flags(places[:5]).tolist() == [0b100, 0, 0b101, 0, 0b100]
    assert (memory.find(_keys(1000, seed=1)) == -1).all()


def test_it_never_takes_more_than_it_was_given() -> None:
    for size in (1, 1000, 1_000_000):
        memory = Remembered(size, values=1)
        for seed in range(20):
            memory.add(_keys(10_000, seed))
        assert memory.nbytes <= max(size, 129)


def test_the_newest_keys_are_all_there_and_the_oldest_give_way() -> None:
    memory = Remembered(2_000_000, values=1)
    batches = [_keys(1000, seed) for seed in range(300)]
    for keys in batches:
        memory.add(keys)
    newest = np.concatenate(batches[-(memory.buckets // 1000) :])
    assert (memory.find(newest) >= 0).mean() > 0.9999
    assert (memory.find(batches[0]) >= 0).mean() < 0.05


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_keys_that_come_several_times_have_one_place(numbers: list[int]) -> None:
    memory = Remembered(20_000, values=1)
    keys = _keys(41)[numbers]
    places, new = memory.add(keys)
    assert new.all()
    assert (places == memory.find(keys)).all()
    assert len(set(places.tolist())) == len(set(numbers))


def test_a_bucket_that_runs_over_forgets_and_confuses_nothing() -> None:
    memory = Remembered(1, values=1)
    keys = _keys(50)
    places, _ = memory.add(keys)
    kept = places >= 0
    assert kept.sum() <= 8
    assert (memory.find(keys) == places).all()
    assert len(set(places[kept].tolist())) == kept.sum()


def test_a_ledger_takes_no_more_memory_than_it_was_given() -> None:
    assert 0.99 * 2**25 < Ledger(2**25, 600).nbytes <= 2**25


def test_ids_are_told_apart_by_trace_and_span() -> None:
    traces = pa.array([b"a" * 16, b"a" * 16, b"b" * 16, b"a" * 15 + b"b", b"a" * 16])
    spans = pa.array([b"12345678", b"12345679", b"12345678", b"12345678", b"12345678"])
    (keys,) = span_keys(traces, spans)
    assert len(set(keys.tolist())) == 4
    assert keys[0] == keys[4]
    assert (keys & ~_KEY == 0).all()


def test_absent_ids_are_zero_beside_others() -> None:
    traces = pa.array([b"a" * 16] * 4)
    (keys,) = span_keys(traces, pa.array([b"", b"\0" * 8, b"12345678", b""]))
    assert (keys == 0).tolist() == [True, True, False, True]


@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=20), st.integers(0, 20))
def test_texts_have_equal_keys_where_they_are_equal(texts: list[str | None], first: int) -> None:
    keys = text_keys(pa.array([*texts, "a text that is long enough"], pa.string()).slice(first), 16).tolist()
    texts = [*texts, "a text that is long enough"][first:]
    for text, key in zip(texts, keys, strict=True):
        assert (key == 0) == (text is None or len(text.encode()) < 16)
    # Longer texts that differ only more than 32 bytes from their ends are equal to it: no ids are like that.
    seen = {(len(text.encode()), text.encode()[-32:]): key for text, key in zip(texts, keys, strict=True) if text}
    assert len({key for key in seen.values() if key}) == sum(1 for key in seen.values() if key)
