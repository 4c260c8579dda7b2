"""Values from the literature, laws, and whether intervals hold what they promise."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spanmill.offline.statistics import Floats, difference, effective_size, mean, paired_difference, proportion

_SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
_WEIGHTS = st.floats(1e-3, 1e6)


@st.composite
def weighted(draw: st.DrawFn) -> tuple[Floats, Floats]:
    scores = np.array(draw(_SCORES))
    return scores, draw(arrays.arrays(np.float64, len(scores), elements=_WEIGHTS))


def answers(yes: int, count: int) -> Floats:
    return np.array([1.0] * yes + [0.0] * (count - yes))


@pytest.mark.parametrize(
    ("yes", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_of_yes_and_no_are_wilsons_as_newcombe_1998_tabulates_them(
    yes: int, count: int, low: float, high: float
) -> None:
    found = mean(answers(yes, count), np.ones(count))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=5e-5)
    share = proportion(yes / count, count)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_differences_are_as_newcombe_1998_tabulates_them(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    one, other = (mean(answers(*counts), np.ones(counts[1])) for counts in (first, second))
    found = difference(one, other)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=5e-5)


def test_three_perfect_scores_of_three_are_no_certainty() -> None:
    found = mean(np.ones(3), np.ones(3))
    assert found.value == 1
    assert found.interval.low == pytest.approx(3 / (3 + 1.959964**2))
    assert found.interval.high == 1


def test_graded_scores_have_a_narrower_interval_than_yes_and_no_of_the_same_mean() -> None:
    graded, coarse = (mean(values, np.ones(100)).interval for values in (np.full(100, 0.7), answers(70, 100)))
    assert coarse.low < graded.low < 0.7 <= graded.high < coarse.high
    assert graded.high - graded.low < 0.04


def test_a_row_of_weight_nine_counts_as_nine_but_is_one_observation() -> None:
    found = mean(np.array([1.0, 0.0]), np.array([9.0, 1.0]))
    assert found.value == pytest.approx(0.9)
    assert found.effective == pytest.approx(100 / 82)
    assert found.interval.low < 0.35


def test_rows_of_large_weight_that_score_differently_widen_the_interval() -> None:
    """Hajek's linearised variance: sum of w^2 (x - m)^2 over (sum of w)^2."""
    weights = np.array([10.0] * 10 + [1.0] * 90)
    together = np.array([1.0, 0.0] * 5 + [1.0] * 90)  # only heavy rows differ
    apart = np.array([1.0] * 10 + [0.0, 1.0] * 45)  # only light ones do
    wide, narrow = (mean(values, weights).interval for values in (together, apart))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_of_a_hundred_rows_none_of_which_changed_the_difference_is_nearly_nothing() -> None:
    scores = np.linspace(0, 1, 100)
    found = paired_difference(scores, scores, np.ones(100))
    assert found.value == 0
    assert found.interval.high == -found.interval.low == pytest.approx(0.037, abs=1e-3)
    few = paired_difference(scores[:5], scores[:5], np.ones(5)).interval
    assert few.high > 0.4


def test_pairs_tell_a_small_change_that_two_groups_do_not() -> None:
    old = np.linspace(0, 0.9, 200)
    new = old + 0.05
    pairs = paired_difference(new, old, np.ones(200)).interval
    groups = difference(mean(new, np.ones(200)), mean(old, np.ones(200))).interval
    assert pairs.low > 0 > groups.low


@given(weighted())
def test_an_interval_holds_its_mean_and_stays_within_what_scores_can_be(rows: tuple[Floats, Floats]) -> None:
    found = mean(*rows)
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1


@given(weighted(), st.floats(0.01, 100))
def test_the_scale_of_weights_does_not_matter(rows: tuple[Floats, Floats], factor: float) -> None:
    scores, weights = rows
    one, other = mean(scores, weights), mean(scores, weights * factor)
    assert other.value == pytest.approx(one.value)
    assert (other.interval.low, other.interval.high) == pytest.approx((one.interval.low, one.interval.high), abs=1e-6)


@given(_SCORES)
def test_the_order_of_rows_and_swapping_yes_and_no_change_nothing(scores: list[float]) -> None:
    values, ones = np.array(scores), np.ones(len(scores))
    one, turned, mirrored = mean(values, ones), mean(values[::-1], ones), mean(1 - values, ones)
    assert turned.interval.low == pytest.approx(one.interval.low)
    assert mirrored.interval.high == pytest.approx(1 - one.interval.low)


@given(weighted())
def test_the_effective_size_is_between_one_and_the_number_of_rows(rows: tuple[Floats, Floats]) -> None:
    size = effective_size(rows[1])
    assert 1 - 1e-9 <= size <= len(rows[1]) + 1e-9


@given(_SCORES)
def test_more_confidence_makes_no_interval_narrower(scores: list[float]) -> None:
    values, ones = np.array(scores), np.ones(len(scores))
    some, more = (mean(values, ones, confidence=level).interval for level in (0.8, 0.99))
    assert more.low <= some.low + 1e-9
    assert more.high >= some.high - 1e-9


@pytest.mark.parametrize("count", [5, 15, 60])
@pytest.mark.parametrize("kind", ["mostly yes", "scale of five", "smooth", "nearly constant"])
def test_intervals_hold_the_true_mean_about_as_often_as_they_say(kind: str, count: int) -> None:
    random = np.random.default_rng(7)
    kinds: dict[str, tuple[Callable[[], Floats], float]] = {
        "mostly yes": (lambda: (random.random(count) < 0.9).astype(float), 0.9),
        "scale of five": (lambda: random.choice([0, 0.25, 0.5, 0.75, 1], count, p=[0.05, 0.05, 0.1, 0.2, 0.6]), 0.8125),
        "smooth": (lambda: random.beta(4, 2, count), 2 / 3),
        "nearly constant": (lambda: random.normal(0.7, 0.01, count).clip(0, 1), 0.7),
    }
    draw, truth = kinds[kind]
    held = [truth in mean(draw(), np.ones(count)).interval for _ in range(1_000)]
    assert np.mean(held) > 0.9  # Wilson's own falls to 0.9185 at n = 5, p = 0.9


def test_intervals_of_unequal_shares_hold_the_mean_of_all() -> None:
    """A population of which bad rows are all judged and good ones one in ten, weighted back."""
    random = np.random.default_rng(3)
    held = []
    for _ in range(500):
        population = random.choice([0.2, 0.9], 400, p=[0.1, 0.9])
        chance = np.where(population < 0.5, 1.0, 0.1)
        chosen = random.random(400) < chance
        held.append(0.83 in mean(population[chosen], 1 / chance[chosen]).interval)
    assert np.mean(held) > 0.93
