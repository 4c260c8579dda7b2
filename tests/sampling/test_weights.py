"""What kept rows carry on: thresholds that are true or not there, and weights that always are."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.otlp.attributes import get
from spanmill.sampling import NEVER, of_probabilities, thresholds_of, with_kept_share
from tests.sampling.rows import log_records, spans, states

LAST = NEVER - 1


def kept(batch: Batch, share: float) -> Batch:
    """All rows, as if this share had been kept."""
    return with_kept_share(batch, of_probabilities(np.full(len(batch), share)))


def weights(batch: Batch) -> list[float | None]:
    numbers: list[float | None] = pa.array(
        batch.records.column("sample_weight") if "sample_weight" in batch.records.schema.names else [None] * len(batch)
    ).to_pylist()
    return numbers


def weighted(batch: Batch, *numbers: float | None) -> Batch:
    return batch.with_record_column("sample_weight", pa.array(numbers, pa.float64()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "ot=th:8"),
        ("ot=th:8", "ot=th:c"),
        ("ot=th:0", "ot=th:8"),
        ("vendor=x y", "ot=th:8,vendor=x y"),
        ("a@b=1:2;3 , ot=z:;th:c;Q:1,k=v", "ot=th:e;z:;Q:1,a@b=1:2;3,k=v"),
        ("ot=p:1;rv:FfFfFfFfFfFfFf", "ot=rv:FfFfFfFfFfFfFf;th:8;p:1"),
        ("ot=rv:0000", "ot=rv:0000;th:8"),
        ("not a tracestate", "ot=th:8,not a tracestate"),
    ],
)
def test_a_threshold_goes_in_front_and_everything_else_keeps_its_bytes(before: str, after: str) -> None:
    assert states(kept(spans([(LAST, before)]), 0.5)) == [after]


def test_a_share_of_everything_changes_no_text_and_fills_the_weight_of_known_thresholds() -> None:
    texts = ["", "a=b, ot=th:8 ", "ot=th:0", "ot=p:1"]
    batch = kept(spans([(LAST, text) for text in texts]), 1.0)
    assert states(batch) == texts
    assert weights(batch) == [None, 2, 1, None]


def test_rows_without_any_sampling_come_back_as_they_are() -> None:
    batch = spans([(1, ""), (2, "a=b")])
    assert with_kept_share(batch, np.zeros(2, np.uint64)) is batch


def test_the_weight_that_arrives_is_the_columns_or_else_the_thresholds_or_else_one() -> None:
    batch = weighted(spans([(LAST, "ot=th:8"), (LAST, "ot=th:8"), (LAST, ""), (LAST, "")]), 2.5, None, 3.0, None)
    assert weights(kept(batch, 0.25)) == [10, 8, 12, 4]


def test_a_weight_without_a_threshold_leaves_no_threshold_behind() -> None:
    """Of 3.0 one cannot say which traces it stands for, so no threshold is true."""
    assert states(kept(weighted(spans([(LAST, "a=b"), (LAST, "ot=p:1")]), 3.0, 3.0), 0.5)) == ["a=b", "ot=p:1"]


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_threshold_that_the_row_cannot_have_passed_is_erased_and_counts_for_nothing(share: float) -> None:
    batch = kept(spans([(5, "ot=th:8;p:1,a=b"), (5, "ot=th:8"), (LAST, "ot=th:what;p:1")]), share)
    assert states(batch) == ["ot=p:1,a=b", "", "ot=p:1"]
    assert weights(batch) == ([2, 2, 2] if share == 0.5 else [None, None, None])


def test_where_something_else_than_the_randomness_decided_the_threshold_is_erased_and_the_weight_is_not() -> None:
    rejected = of_probabilities(np.full(3, 0.5))
    batch = spans([(LAST, "ot=th:8"), (LAST, "ot=th:8"), (NEVER // 2, "ot=th:8")])
    batch = with_kept_share(batch, rejected, np.array([True, False, True]))
    assert states(batch) == ["ot=th:c", "", ""]
    assert weights(batch) == [4, 4, 4]


def test_a_threshold_for_which_there_is_no_room_is_left_out() -> None:
    """`ot` has at most 256 characters."""
    full, fits = "ot=x:" + "y" * 252, "ot=x:" + "y" * 249
    assert states(kept(spans([(LAST, full), (LAST, fits)]), 0.5)) == [full, "ot=th:8;" + fits.removeprefix("ot=")]


def test_a_33rd_member_takes_the_place_of_the_last() -> None:
    members = [f"k{number}=v" for number in range(32)]
    (text,) = states(kept(spans([(LAST, ",".join(members))]), 0.5))
    assert text.split(",") == ["ot=th:8", *members[:31]]
    (text,) = states(kept(spans([(LAST, ",".join([*members[:31], "ot=p:1"]))]), 0.5))
    assert text.split(",") == ["ot=th:8;p:1", *members[:31]]


def test_log_records_carry_the_threshold_in_an_attribute() -> None:
    batch = kept(
        log_records([(LAST, {"a": "b"}), (LAST, {"sampling.threshold": "8"}), (0, {"sampling.threshold": "8"})]), 0.5
    )
    thresholds = get(batch.records.column("attributes"), "sampling.threshold").field("string_value").to_pylist()
    assert thresholds == ["8", "c", None]
    assert weights(batch) == [2, 4, 2]


ROWS = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), min_size=1, max_size=20)


@given(ROWS, st.integers(0, LAST))
def test_thresholds_only_rise_and_what_passed_them_agrees_with_the_weight(
    rows: list[tuple[int, int]], rejected: int
) -> None:
    """For rows that passed: R >= T + (2^56 - T) * rejected / 2^56, in Python's whole numbers."""
    passed = [(r, t) for r, t in rows if r >= t + (NEVER - t) * rejected // NEVER]
    if not passed:
        return
    batch = spans([(r, f"ot=th:{t:014x}") for r, t in passed])
    batch = with_kept_share(batch, np.full(len(batch), rejected, np.uint64))
    values, known, _ = thresholds_of(batch)
    assert known.all()
    assert values.tolist() == [t + (NEVER - t) * rejected // NEVER for _, t in passed]
    assert all(after >= before for after, (_, before) in zip(values.tolist(), passed, strict=True))
    true = [NEVER / (NEVER - t) * (NEVER / (NEVER - rejected)) for _, t in passed]
    assert weights(batch) == pytest.approx(true, rel=1e-12)
