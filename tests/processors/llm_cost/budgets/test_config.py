"""What a configuration of budgets may say, and what is told of one that is wrong."""

import pytest

from spanmill.config import read_configuration
from spanmill.errors import ConfigError
from spanmill.periods import Period
from tests.processors.llm_cost.budgets.calls import budgets
from tests.test_following import ONE, configured


def problem(written: str) -> str:
    """The one thing that is wrong with budgets."""
    with pytest.raises(ConfigError) as caught:
        read_configuration([f"yaml:{configured(ONE, written)}"], environ={})
    (found,) = caught.value.problems
    return found.render().partition("processors.llm_cost.budgets.")[2]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{limits: {}}", "limits: is empty"),
        ("{limits: {a: {per: feature}}}", "limits.a: there is no limit; expected `hourly_usd`, `daily_usd` or"),
        ("{limits: {a: {daily_usd: 0}}}", "limits.a.daily_usd: too small"),
        ("{limits: {a: {dayly_usd: 5}}}", "limits.a.dayly_usd: unknown key `dayly_usd`"),
        ("{limits: {a: {daily_usd: 5, per: featur}}}", "limits.a.per: spans have no such column that holds text"),
        ("{limits: {a: {daily_usd: 5, per: cost_usd}}}", "limits.a.per: spans have no such column that holds text"),
        ("{limits: {a: {exceptions: {b: {daily_usd: 5}}}}}", "limits.a.exceptions: `exceptions` need a column"),
        ("{limits: {a: {daily_usd: 5}}, timezone: Berlin}", "timezone: this machine knows no such time zone"),
        ("{limits: {a: {daily_usd: 5}}, timezone: ../../etc/passwd}", "timezone: this machine knows no such time zone"),
        ("{limits: {a: {daily_usd: 5}}, thresholds: [0]}", "thresholds[0]: too small"),
        ("{limits: {a: {daily_usd: 5}}, webhook: {url: slack.com}}", "webhook.url: not a URL"),
        ("{limits: {a: {daily_usd: 5}}, webhook: {}}", "webhook.url: `url` is missing"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(written: str, told: str) -> None:
    assert problem(written).startswith(told)


def test_a_url_that_is_wrong_is_not_shown() -> None:
    assert "hush" not in problem("{limits: {a: {daily_usd: 5}}, webhook: {url: 'htp://hooks.slack.com/hush'}}")


def test_some_values_alone_may_have_a_limit() -> None:
    budget = budgets(limits={"a": {"per": "team", "exceptions": {"red": {"daily_usd": 0.1}}}}).limits["a"]
    assert budget.limit("red", Period.DAY) == 10**8
    assert budget.limit("blue", Period.DAY) is None
    assert budget.periods == {Period.DAY}


def test_limits_are_exact_in_billionths() -> None:
    limits = budgets(limits={"a": {"hourly_usd": 0.1, "daily_usd": 4999.99, "monthly_usd": 1_000_000}}).limits["a"]
    assert list(limits.nano_usd.values()) == [10**8, 4_999_990_000_000, 10**15]
