"""How much of the recent time the way in was at work."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.utilization import Utilization


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_nothing_to_do_is_zero_and_always_something_is_one() -> None:
    clock = Clock()
    utilization = Utilization(clock)
    clock.time += 600
    assert utilization.share == 0
    utilization.begin("otlp")
    clock.time += 600
    assert utilization.share == pytest.approx(1)
    utilization.end("otlp")
    utilization.end("otlp")
    clock.time += 600
    assert utilization.share == pytest.approx(0)


def test_what_is_long_ago_counts_less() -> None:
    clock = Clock()
    utilization = Utilization(clock)
    utilization.begin("otlp")
    clock.time += 10
    utilization.end("otlp")
    assert utilization.share == pytest.approx(1 - math.exp(-1))
    clock.time += 10
    assert utilization.share == pytest.approx((1 - math.exp(-1)) * math.exp(-1))


@given(st.floats(0.05, 0.95), st.sampled_from([0.01, 0.1, 0.5]))
def test_a_steady_load_is_shown_as_it_is(load: float, period: float) -> None:
    """However often it is asked for."""
    clock = Clock()
    utilization = Utilization(clock)
    for _ in range(int(200 / period)):
        utilization.begin("otlp")
        clock.time += load * period
        utilization.end("otlp")
        clock.time += (1 - load) * period
    assert utilization.share == pytest.approx(load, abs=period)


def test_two_intakes_at_work_at_once_are_counted_once() -> None:
    clock = Clock()
    utilization = Utilization(clock)
    utilization.begin("traces")
    utilization.begin("logs")
    utilization.end("traces")
    clock.time += 600
    assert utilization.share == pytest.approx(1)
