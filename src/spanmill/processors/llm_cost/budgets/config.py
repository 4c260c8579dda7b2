"""Configuration of budgets."""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from spanmill.config.base import Misfit, Model
from spanmill.config.problems import did_you_mean
from spanmill.config.values import Positive, TimeZone, invalid
from spanmill.config.webhook import Webhook
from spanmill.periods import Period
from spanmill.signal import Signal

ALIASES: Final = {"user": "user_id", "session": "session_id"}
"""Short names of columns. `model` is one too: the model that was asked for, or else the one that answered."""
MODEL: Final = "model"

Usd = Annotated[float, Field(gt=0, le=1e9)]
Percentages = Annotated[tuple[Annotated[int, Field(strict=True, gt=0, le=1000)], ...], Field(min_length=1)]


class Limits(Model):
    """Most that is to be spent in each period, in USD."""

    hourly_usd: Usd | None = None
    """Most in an hour. None: no limit."""
    daily_usd: Usd | None = None
    """Most in a day. None: no limit."""
    monthly_usd: Usd | None = None
    """Most in a month. None: no limit."""

    @cached_property
    def nano_usd(self) -> dict[Period, int]:
        """The limits that there are, in billionths of a USD."""
        usd = {Period.HOUR: self.hourly_usd, Period.DAY: self.daily_usd, Period.MONTH: self.monthly_usd}
        return {period: round(limit * 1e9) for period, limit in usd.items() if limit is not None}

    @cached_property
    def periods(self) -> frozenset[Period]:
        """Those that have a limit."""
        return frozenset(self.nano_usd)

    @model_validator(mode="after")
    def limits_something(self) -> Self:
        if not self.periods:
            raise invalid("there is no limit", "`hourly_usd`, `daily_usd` or `monthly_usd`")
        return self


class Budget(Limits):
    """One budget: for everything together, or for each value of a column."""

    per: Annotated[str, Field(min_length=1)] | None = None
    """A limit for each value of this column of the span table that holds text: `feature`, `team`, `environment`, ...;
    `user`, `session` and `model` are understood too. None: one for everything together."""
    exceptions: dict[str, Limits] = Field(default_factory=dict)
    """Other limits for single values of the column. A period that is left out there has no limit."""
    thresholds: Percentages | None = None
    """Shares of the limit that are told, in percent. None: those of all budgets."""

    @property
    def label(self) -> str:
        """The column, as sums go by it; empty for everything together."""
        return ALIASES.get(self.per or "", self.per or "")

    def limit(self, value: str, period: Period) -> int | None:
        """The limit of a value of the column, in billionths of a USD."""
        return self.exceptions.get(value, self).nano_usd.get(period)

    @cached_property
    def periods(self) -> frozenset[Period]:
        """Those in which some value has a limit."""
        return frozenset(self.nano_usd).union(*(limits.periods for limits in self.exceptions.values()))

    @model_validator(mode="after")
    def exceptions_have_a_column(self) -> Self:
        if self.exceptions and self.per is None:
            raise invalid("`exceptions` need a column", "`per`", key="exceptions")
        return self


class Budgets(Model):
    """Limits of what calls of models may cost."""

    limits: Annotated[dict[str, Budget], Field(min_length=1)]
    """The budgets by name."""
    thresholds: Percentages = (50, 90, 100)
    """Shares of a limit that are told when they are spent, in percent: each once in a period."""
    webhook: Webhook | None = None
    """Where they are told. None: only in the log."""
    timezone: TimeZone = "UTC"
    """The time zone whose hours, days and months count: a name such as `Europe/Berlin`."""
    max_values: Positive = 1000
    """Most values of a column that have a sum of their own. What further values cost is summed up as `other`, which has
    no limit."""
    directory: Annotated[str, Field(min_length=1)] | None = None
    """Where the sums are kept over restarts; made if it is not there, one for each processor. None: below
    `service.journal.directory`, in `budgets`."""

    def shares(self, budget: Budget) -> tuple[int, ...]:
        """The thresholds of a budget in percent, ascending."""
        return tuple(sorted(set(budget.thresholds or self.thresholds)))

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        """Columns that there are not, or that hold no text."""
        import pyarrow as pa

        from spanmill.schema.spans import SPANS

        columns = [*ALIASES, MODEL, *(column.name for column in SPANS.columns if column.type == pa.string())]
        for name, budget in self.limits.items():
            if budget.per is not None and budget.per not in columns:
                hint = did_you_mean(budget.per, columns)
                expected = "one such as feature, team, user, model or environment"
                yield Misfit(("limits", name, "per"), "spans have no such column that holds text", expected, hint)
