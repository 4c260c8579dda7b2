"""The index of traces against a dictionary."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spanmill.processors.tail_sampling.trace_index import FREE, TraceIndex, trace_ids
from tests.data import spans

IDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=30, unique=True)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), IDS), max_size=12)


def as_ids(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.uint64).reshape(-1, 2)


@given(STEPS)
@settings(max_examples=60)
def test_a_trace_keeps_its_slot_until_it_is_removed_and_shares_it_with_none(
    steps: list[tuple[str, list[tuple[int, int]]]],
) -> None:
    index, known = TraceIndex(), dict[tuple[int, int], int]()
    for step, pairs in steps:
        slots = index.slots(as_ids(pairs))
        assert slots.tolist() == [known.get(pair, -1) for pair in pairs]
        if step == "add":
            new = [pair for pair in pairs if pair not in known]
            known |= dict(zip(new, index.add(as_ids(new)).tolist(), strict=True))
        else:
            index.remove(slots[slots >= 0])
            known = {pair: slot for pair, slot in known.items() if pair not in pairs}
    assert len(set(known.values())) == len(known) == len(index)


def test_it_grows_and_forgets_a_million_traces_and_finds_every_one_that_is_left() -> None:
    index, numbers = TraceIndex(), np.arange(200_000, dtype=np.uint64)
    ids = np.stack([numbers % np.uint64(7), numbers], axis=1)
    slots = np.concatenate([index.add(ids[at : at + 5_000]) for at in range(0, len(ids), 5_000)])
    assert (index.slots(ids) == slots).all()
    for at in range(0, len(ids), 1_000):
        if at % 4_000:
            index.remove(slots[at : at + 1_000])
    left = (np.arange(len(ids)) // 1_000) % 4 == 0
    assert (index.slots(ids) == np.where(left, slots, -1)).all()
    assert (index.state[slots[~left]] == FREE).all()
    assert (np.sort(index.add(ids[~left])) == np.sort(slots[~left])).all()


def test_the_trace_ids_of_a_batch_are_its_distinct_ones_in_their_order() -> None:
    ids, of_row = trace_ids(spans(3, first=7))
    assert ids[of_row].tolist() == [[0, 7], [0, 8], [0, 9]]
