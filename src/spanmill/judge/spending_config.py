"""Configuration of what a judge may spend."""

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from spanmill.config.base import Model
from spanmill.config.values import Positive, TimeZone, invalid
from spanmill.periods import Period

Usd = Annotated[float, Field(gt=0, le=1e9)]


class SpendingConfig(Model):
    """Most that is spent in each period, in USD and in tokens. What a question may take is set aside before it is
    asked, so that a limit is not exceeded."""

    hourly_usd: Usd | None = None
    """Most USD in an hour. None: no limit."""
    daily_usd: Usd | None = None
    """Most USD in a day. None: no limit."""
    monthly_usd: Usd | None = None
    """Most USD in a month. None: no limit."""
    hourly_tokens: Positive | None = None
    """Most tokens in an hour, of questions and answers together. None: no limit."""
    daily_tokens: Positive | None = None
    """Most tokens in a day. None: no limit."""
    monthly_tokens: Positive | None = None
    """Most tokens in a month. None: no limit."""
    timezone: TimeZone = "UTC"
    """The time zone whose hours, days and months count: a name such as `Europe/Berlin`."""

    @model_validator(mode="after")
    def limits_something(self) -> Self:
        if not self.nano_usd and not self.tokens:
            raise invalid("there is no limit", "`hourly_usd`, `daily_usd`, `monthly_usd`, or one of the same in tokens")
        return self

    @cached_property
    def nano_usd(self) -> dict[Period, int]:
        """The limits that there are, in billionths of a USD."""
        usd = {Period.HOUR: self.hourly_usd, Period.DAY: self.daily_usd, Period.MONTH: self.monthly_usd}
        return {period: round(limit * 1e9) for period, limit in usd.items() if limit is not None}

    @cached_property
    def tokens(self) -> dict[Period, int]:
        """The limits that there are."""
        counts = {Period.HOUR: self.hourly_tokens, Period.DAY: self.daily_tokens, Period.MONTH: self.monthly_tokens}
        return {period: limit for period, limit in counts.items() if limit is not None}
