"""Hours, days and months of a time zone: when each begins and ends. Moments are seconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

SLOT_SECONDS = 900
"""Periods begin at a multiple of this: clocks of all time zones differ by whole quarters of an hour."""


class Period(StrEnum):
    """For how long a limit holds."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


def time_zone(name: str) -> tzinfo:
    """The zone of that name. Raises `KeyError`, `ValueError` or `OSError` when there is none."""
    return UTC if name == "UTC" else ZoneInfo(name)  # UTC also where no zones are installed


class Calendar:
    """The periods of one time zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._zone = time_zone(zone)
        self.start = lru_cache(maxsize=4096)(self._start)
        """The first second of the period in which a slot lies: `start(period, moment // SLOT_SECONDS)`."""
        self.end = lru_cache(maxsize=4096)(self._end)
        """The first second after a period: `end(period, start)`."""

    def current(self, period: Period, moment: float) -> int:
        """The first second of the period that a moment lies in."""
        return self.start(period, int(moment // SLOT_SECONDS))

    def local(self, moment: float) -> datetime:
        """The moment on the zone's clocks."""
        return datetime.fromtimestamp(moment, self._zone)

    def describe(self, period: Period, start: int) -> str:
        """The period for people: `2025-10-09 08:00`, `2025-10-09` or `2025-10`."""
        return self.local(start).strftime({"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}[period])

    def _start(self, period: Period, slot: int) -> int:
        moment = self.local(slot * SLOT_SECONDS)
        match period:
            case Period.HOUR:
                return int(moment.replace(minute=0, second=0).timestamp())
            case Period.DAY:
                return _midnight(moment)
            case Period.MONTH:
                return _midnight(moment.replace(day=1))

    def _end(self, period: Period, start: int) -> int:
        first = self.local(start)
        match period:
            case Period.HOUR:  # of some length: one zone moves its clocks by half an hour
                slot = start // SLOT_SECONDS + 4
                while self.start(period, slot) <= start:
                    slot += 1
                return self.start(period, slot)
            case Period.DAY:
                return _midnight(first + timedelta(days=1))
            case Period.MONTH:
                return _midnight((first.replace(day=1) + timedelta(days=32)).replace(day=1))


def _midnight(moment: datetime) -> int:
    """When its day begins. Where clocks skip midnight that is when they are moved; where it comes twice, the first."""
    return int(moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())
