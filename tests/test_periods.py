"""When hours, days and months begin and end, also where clocks are moved."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.periods import SLOT_SECONDS, Calendar, Period

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"]
"""Among them quarters of an hour, clocks that are moved by half an hour, and ones that are moved at midnight."""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(
    st.sampled_from(ZONES),
    st.sampled_from(list(Period)),
    st.integers(at("1990-01-01"), at("2035-01-01")),
)
def test_every_moment_lies_in_exactly_one_period(zone: str, period: Period, moment: int) -> None:
    calendar = Calendar(zone)
    start = calendar.current(period, moment)
    end = calendar.end(period, start)
    assert start <= moment < end
    assert calendar.current(period, end) == end
    assert calendar.current(period, end - SLOT_SECONDS) == start
    assert calendar.current(period, start) == start


@given(st.sampled_from(ZONES), st.integers(at("1990-01-01"), at("2035-01-01")))
def test_days_and_months_are_those_of_the_calendar_on_the_wall(zone: str, moment: int) -> None:
    calendar, there = Calendar(zone), datetime.fromtimestamp(moment, ZoneInfo(zone))
    first = datetime.fromtimestamp(calendar.current(Period.DAY, moment), ZoneInfo(zone))
    assert first.date() == there.date()
    assert datetime.fromtimestamp(first.timestamp() - 1, ZoneInfo(zone)).date() < there.date()
    month = datetime.fromtimestamp(calendar.current(Period.MONTH, moment), ZoneInfo(zone))
    assert (month.year, month.month, month.day) == (there.year, there.month, 1)


@pytest.mark.parametrize(
    ("zone", "moment", "hours"),
    [
        ("Europe/Berlin", "2025-03-30T12:00", 23),
        ("Europe/Berlin", "2025-10-26T12:00", 25),
        ("America/Sao_Paulo", "2018-11-04T12:00", 23),  # midnight was skipped
        ("America/Havana", "2024-11-03T12:00", 25),  # midnight came twice
        ("Australia/Lord_Howe", "2025-04-06T12:00", 24.5),
        ("UTC", "2025-10-26T12:00", 24),
    ],
)
def test_a_day_on_which_clocks_are_moved_is_as_long_as_it_is(zone: str, moment: str, hours: float) -> None:
    calendar = Calendar(zone)
    start = calendar.current(Period.DAY, at(moment))
    assert timedelta(seconds=calendar.end(Period.DAY, start) - start) == timedelta(hours=hours)


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    calendar = Calendar("Europe/Berlin")
    first, second = (calendar.current(Period.HOUR, at(f"2025-10-26T0{hour}:30")) for hour in (0, 1))
    assert second - first == 3600
    assert calendar.describe(Period.HOUR, first) == calendar.describe(Period.HOUR, second) == "2025-10-26 02:00"


def test_periods_are_called_as_people_do() -> None:
    calendar = Calendar("Asia/Kathmandu")
    described = [calendar.describe(period, calendar.current(period, at("2025-01-31T20:00"))) for period in Period]
    assert described == ["2025-02-01 01:00", "2025-02-01", "2025-02"]


def test_a_zone_that_there_is_not_is_an_error() -> None:
    with pytest.raises((KeyError, ValueError)):
        Calendar("Mars/Here")
