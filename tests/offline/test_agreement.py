"""Values from the literature and by hand, and whether the corrected rate is the people's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.offline.agreement import Errors, confusion, corrected_rate, kappa

_TABLES = st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=3, max_size=3)


def test_kappa_and_its_interval_are_as_in_fleiss_example_of_psychiatric_diagnoses() -> None:
    """Fleiss, Statistical Methods for Rates and Proportions: kappa 0.676, standard error 0.088."""
    found = kappa(np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert found is not None
    assert found.value == pytest.approx(0.676, abs=5e-4)
    assert (found.interval.high - found.interval.low) / 2 / 1.96 == pytest.approx(0.088, abs=6e-4)
    assert found.accuracy == pytest.approx(0.89)


def test_kappa_takes_off_what_chance_agrees_on() -> None:
    """By hand: 35 of 50 agree, chance would have 25; (0.7 - 0.5) / (1 - 0.5)."""
    found = kappa(np.array([[20, 5], [10, 15]]))
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.accuracy == pytest.approx(0.7)


def test_a_judge_that_always_says_yes_is_accurate_and_has_no_kappa_to_speak_of() -> None:
    found = kappa(np.array([[0, 5], [0, 95]]))
    assert found is not None
    assert found.accuracy == pytest.approx(0.95)
    assert found.value == pytest.approx(0)


def test_full_agreement_of_few_rows_is_no_certainty() -> None:
    few, many = kappa(np.array([[3, 0], [0, 2]])), kappa(np.array([[300, 0], [0, 200]]))
    assert few is not None
    assert many is not None
    assert few.value == many.value == few.interval.high == 1
    assert few.interval.low < 0.4
    assert many.interval.low > 0.97


def test_where_both_only_ever_say_one_thing_there_is_no_kappa() -> None:
    assert kappa(np.array([[7, 0], [0, 0]])) is None
    assert kappa(np.zeros((2, 2), np.int64)) is None


def test_the_rows_of_a_confusion_are_peoples_and_its_columns_the_judges() -> None:
    table = confusion(["yes", "yes", "no"], ["no", "yes", "no"], ["no", "yes"])
    assert table.tolist() == [[1, 1], [0, 1]]


@given(_TABLES)
def test_kappa_is_within_its_interval_and_the_same_if_judge_and_people_change_places(rows: list[list[int]]) -> None:
    table = np.array(rows)
    found, turned = kappa(table), kappa(table.T)
    if found is None:
        assert turned is None
        return
    assert turned is not None
    assert -1 <= found.interval.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.interval.high <= 1
    assert turned.value == pytest.approx(found.value)
    assert turned.interval.low == pytest.approx(found.interval.low)


def test_the_corrected_rate_is_rogan_and_gladens() -> None:
    """By hand: sensitivity 0.9, specificity 0.8, and a rate of 0.55: (0.55 + 0.8 - 1) / (0.9 + 0.8 - 1) = 0.5."""
    found = corrected_rate(0.55, 1_000, Errors(90, 10, 20, 80))
    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert found.interval.low < 0.42
    assert found.interval.high > 0.58


def test_a_judge_that_is_known_by_more_labels_has_a_narrower_corrected_rate() -> None:
    few, many = corrected_rate(0.55, 1_000, Errors(9, 1, 2, 8)), corrected_rate(0.55, 1_000, Errors(900, 100, 200, 800))
    assert few is not None
    assert many is not None
    assert few.interval.high - few.interval.low > 3 * (many.interval.high - many.interval.low)


@pytest.mark.parametrize(
    "errors",
    [Errors(0, 0, 3, 7), Errors(7, 3, 0, 0), Errors(5, 5, 5, 5), Errors(2, 8, 8, 2)],
    ids=["no yes", "no no", "chance", "worse than chance"],
)
def test_no_rate_is_corrected_by_a_judge_that_tells_nothing(errors: Errors) -> None:
    assert corrected_rate(0.5, 100, errors) is None


def test_the_interval_of_the_corrected_rate_holds_the_true_rate_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    held = []
    for _ in range(500):
        truth = random.random(400) < 0.7
        judged = np.where(truth, random.random(400) < 0.9, random.random(400) < 0.25)
        labels, said = random.random(80) < 0.5, random.random(80)
        marked = np.where(labels, said < 0.9, said < 0.25)
        errors = Errors(
            int((labels & marked).sum()),
            int((labels & ~marked).sum()),
            int((~labels & marked).sum()),
            int((~labels & ~marked).sum()),
        )
        found = corrected_rate(float(judged.mean()), 400, errors)
        held.append(found is not None and 0.7 in found.interval)
    assert np.mean(held) > 0.93


@given(st.floats(0, 1), st.builds(Errors, *[st.integers(0, 30)] * 4))
def test_a_corrected_rate_is_a_share_within_its_interval(rate: float, errors: Errors) -> None:
    found = corrected_rate(rate, 50, errors)
    if found is not None:
        assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1
