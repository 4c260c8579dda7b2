import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.judge.choice import chosen, inclusion_probability

SHARES = st.floats(0.001, 1)
IDS = st.lists(st.one_of(st.none(), st.integers(1, 2**64 - 1).map("{:016x}".format)), max_size=30)


def ids(count: int, seed: int = 1, digits: int = 16) -> pa.Array:
    numbers = np.random.default_rng(seed).integers(1, 2**63, size=(count, 2))
    return pa.array([f"{high:016x}{low:016x}"[-digits:] for high, low in numbers])


def test_the_choice_is_the_same_on_every_machine() -> None:
    """Written down once: another choice after an upgrade would judge replayed spans anew."""
    column = pa.array([f"{number:016x}" for number in range(1, 41)])
    assert np.flatnonzero(chosen(column, 0.2, "relevance")).tolist() == [0, 1, 7, 11, 15, 17, 25, 33, 37]
    traces = pa.array([f"{number:032x}" for number in range(1, 41)])
    assert np.flatnonzero(chosen(traces, 0.2, "relevance")).tolist() == [5, 21, 22, 26, 32, 34, 37]


@given(IDS, SHARES, st.data())
def test_a_row_is_chosen_for_its_id_alone(held: list[str | None], share: float, data: st.DataObject) -> None:
    whole = chosen(pa.array(held, pa.string()), share, "relevance")
    start = data.draw(st.integers(0, len(held)))
    assert chosen(pa.array(held, pa.string()).slice(start), share, "relevance").tolist() == whole[start:].tolist()
    alone = [bool(chosen(pa.array([each], pa.string()), share, "relevance")[0]) for each in held]
    assert alone == whole.tolist()
    long = pa.array([*held, "f" * 32], pa.string())
    assert chosen(long, share, "relevance")[:-1].tolist() == whole.tolist()


@given(IDS, SHARES, SHARES)
def test_whoever_raises_the_share_keeps_what_was_chosen(held: list[str | None], one: float, other: float) -> None:
    column = pa.array(held, pa.string())
    fewer, more = (chosen(column, share, "safety") for share in sorted((one, other)))
    assert not (fewer & ~more).any()


def test_a_row_without_an_id_is_never_chosen() -> None:
    assert chosen(pa.array([None, "0000000000000001"]), 1.0, "safety").tolist() == [False, True]
    assert chosen(pa.array([], pa.string()), 0.5, "safety").tolist() == []
    assert chosen(pa.array([None], pa.string()), 0.5, "safety").tolist() == [False]


@pytest.mark.parametrize("digits", [16, 32])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_of_the_chosen_is_the_share_asked_for(share: float, digits: int) -> None:
    count = 100_000
    taken = chosen(ids(count, digits=digits), share, "relevance").sum()
    deviation = (count * share * (1 - share)) ** 0.5
    assert abs(taken - count * share) < 5 * deviation
    assert inclusion_probability(share) == pytest.approx(share, rel=1e-15)


def test_ids_that_only_count_up_are_chosen_evenly_too() -> None:
    column = pa.array([f"{number:016x}" for number in range(1, 50_001)])
    assert abs(chosen(column, 0.1, "relevance").sum() - 5000) < 5 * 67


def test_evaluators_choose_independently_of_each_other_and_of_the_sampling_of_traces() -> None:
    column = ids(100_000, digits=32)
    one, other = chosen(column, 0.2, "relevance"), chosen(column, 0.2, "safety")
    assert abs((one & other).mean() - 0.04) < 5 * (0.04 * 0.96 / 100_000) ** 0.5
    # Sampling keeps traces by the low 56 bits of their id: among the kept ones the share is the same.
    kept = np.array([int(text[-14:], 16) >= 2**56 * 0.9 for text in column.to_pylist()])
    assert abs(one[kept].mean() - 0.2) < 5 * (0.2 * 0.8 / kept.sum()) ** 0.5
