"""The arithmetic of thresholds, held to Python's own whole numbers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.sampling import NEVER, of_probability, raised
from spanmill.sampling.thresholds import format_threshold, parse_threshold, weights_behind

THRESHOLDS = st.integers(0, NEVER - 1)
PROBABILITIES = st.one_of(
    st.floats(2.0**-56, 1.0), st.integers(1, NEVER).map(lambda n: n / NEVER), st.floats(-16, 0).map(lambda e: 10**e)
)


@given(PROBABILITIES)
def test_at_full_precision_the_threshold_is_that_of_the_specification(probability: float) -> None:
    """T = (1 - p) * 2^56, rounded."""
    rejected = NEVER - math.floor(Fraction(probability) * NEVER + Fraction(1, 2))
    assert of_probability(probability) == rejected


@given(PROBABILITIES, st.integers(1, 14))
def test_fewer_digits_keep_the_relative_error_of_small_and_of_large_probabilities(
    probability: float, precision: int
) -> None:
    threshold = of_probability(probability, precision)
    exact = NEVER - math.floor(Fraction(probability) * NEVER + Fraction(1, 2))
    rarer = min(exact, NEVER - exact)
    assert abs(threshold - exact) * 16**precision <= 8 * rarer + 16**precision / 2
    assert 0 <= threshold <= NEVER


@pytest.mark.parametrize(
    ("percent", "text"), [(100, "0"), (50, "8"), (25, "c"), (10, "e666"), (1, "fd70a"), (0.1, "ffbe77"), (99, "028f6")]
)
def test_usual_percentages_have_the_texts_that_one_knows(percent: float, text: str) -> None:
    assert format_threshold(of_probability(percent / 100, 4)) == text


def test_a_probability_below_the_least_is_never() -> None:
    assert of_probability(2.0**-57) == NEVER


@given(THRESHOLDS)
def test_a_threshold_comes_back_from_its_text_which_ends_in_no_zero(threshold: int) -> None:
    text = format_threshold(threshold)
    assert parse_threshold(text) == threshold
    assert len(text) <= 14
    assert text == "0" or not text.endswith("0")


@pytest.mark.parametrize("text", ["", "g", "0x8", "+8", " 8", "8 ", "1_0", "-1", "0" * 15])
def test_what_is_no_threshold_is_not_read_as_one(text: str) -> None:
    assert parse_threshold(text) is None


@given(st.lists(st.tuples(st.integers(0, NEVER), st.integers(0, NEVER)), min_size=1))
def test_a_raised_threshold_is_exact(pairs: list[tuple[int, int]]) -> None:
    thresholds, rejected = (np.array(numbers, np.uint64) for numbers in zip(*pairs, strict=True))
    assert raised(thresholds, rejected).tolist() == [t + (NEVER - t) * r // NEVER for t, r in pairs]


@given(THRESHOLDS)
def test_a_row_stands_for_as_many_as_its_threshold_says(threshold: int) -> None:
    weight = weights_behind(np.array([threshold], np.uint64))[0]
    assert weight == pytest.approx(float(Fraction(NEVER, NEVER - threshold)), rel=1e-15)
