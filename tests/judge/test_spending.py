"""What a judge may spend: by hour, day and month, in USD and tokens."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.judge.spending import Amount, Spending, Spent
from spanmill.judge.spending_config import SpendingConfig
from spanmill.periods import Period

NOW = 1_760_000_000.0
"""2025-10-09T08:53:20Z"""


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


def spending(clock: Clock | None = None, **limits: Any) -> Spending:
    return Spending(SpendingConfig.model_validate(limits), clock or Clock())


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=60), st.integers(1, 300))
def test_a_limit_is_never_exceeded_where_estimates_are_enough(calls: list[tuple[int, float]], limit: int) -> None:
    budget = spending(daily_tokens=limit)
    held = []
    for estimate, share in calls:
        try:
            held.append((budget.set_aside(Amount(estimate, 0)), int(estimate * share)))
        except Spent:
            if held:
                budget.settle(held[0][0], Amount(held[0][1], 0))
                held.pop(0)
        assert budget.read(Period.DAY).tokens <= limit


def test_each_limit_counts_by_itself_and_says_when_it_ends() -> None:
    budget = spending(hourly_usd=1, daily_tokens=1000)
    budget.settle(budget.set_aside(Amount(600, 900_000_000)), Amount(600, 900_000_000))
    with pytest.raises(Spent, match=r"1 USD for this hour is spent") as caught:
        budget.set_aside(Amount(100, 200_000_000))
    assert caught.value.resets_at == 1_760_000_400  # 09:00
    with pytest.raises(Spent, match=r"1,000 tokens for this day"):
        budget.set_aside(Amount(500, 0))
    budget.set_aside(Amount(400, 100_000_000))


def test_the_next_hour_has_a_budget_of_its_own() -> None:
    clock = Clock()
    budget = spending(clock, hourly_tokens=100)
    late = budget.set_aside(Amount(100, 0))
    clock.time += 3600
    budget.set_aside(Amount(100, 0))
    budget.settle(late, Amount(50, 0))  # of the hour before
    assert budget.read(Period.HOUR).tokens == 100
    assert budget.read(Period.DAY).tokens == 150


def test_a_restart_forgets_nothing_that_was_set_aside() -> None:
    clock = Clock()
    before = spending(clock, monthly_usd=1)
    before.set_aside(Amount(10, 600_000_000))
    after = spending(clock, monthly_usd=1)
    after.load(before.dump())
    with pytest.raises(Spent):
        after.set_aside(Amount(10, 600_000_000))


@pytest.mark.parametrize(
    ("written", "says"),
    [({}, "there is no limit"), ({"daily_usd": 0}, "greater than 0"), ({"daily_usd": 1, "timezone": "Mars"}, "zone")],
)
def test_a_mistake_in_the_budget_gets_an_answer(written: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SpendingConfig.model_validate(written)
