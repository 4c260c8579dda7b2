"""Configuration of the filter processor."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from spanmill.config.base import Model
from spanmill.config.values import invalid
from spanmill.processors.filter.ottl import SECTIONS, advice
from spanmill.signal import Signal

Condition = Annotated[str, Field(min_length=1)]


class Drop(Model):
    """Conditions, each a SQL boolean over the columns of the signal's table. A row for which one holds is dropped."""

    any: tuple[Condition, ...] = ()
    """Conditions for every signal; a plain list under `drop` means these."""
    traces: tuple[Condition, ...] = ()
    """Conditions for spans."""
    metrics: tuple[Condition, ...] = ()
    """Conditions for metric points."""
    logs: tuple[Condition, ...] = ()
    """Conditions for log records."""

    @model_validator(mode="before")
    @classmethod
    def plain_list(cls, data: Any) -> Any:
        return {"any": data} if isinstance(data, list | tuple) else data


class FilterProcessorConfig(Model):
    """Drops rows for which a SQL condition holds, for example `status_code = 'unset' and duration_ms < 1`."""

    unsupported: ClassVar = dict.fromkeys(SECTIONS, "OTTL conditions are not supported; write SQL under `drop`")

    drop: Drop
    """What to drop: a list of conditions, or one list for each signal."""
    error_mode: Literal["ignore", "silent", "propagate"] = "ignore"
    """When a condition fails on some data (a text that is no number): `ignore` keeps the data and logs it once,
    `silent` keeps it, `propagate` refuses it."""

    @model_validator(mode="before")
    @classmethod
    def not_ottl(cls, data: Any) -> Any:
        """A filter written for the Collector gets the SQL to write instead, as far as it can be translated."""
        written = [section for section in SECTIONS if isinstance(data, dict) and data.get(section)]
        if written:
            raise invalid("OTTL conditions are not supported", "SQL under `drop`", advice(data), key=written[0])
        return data

    def conditions(self, signal: Signal) -> tuple[str, ...]:
        """The SQL conditions for a signal, in the order written."""
        own: tuple[str, ...] = getattr(self.drop, signal.value)
        return self.drop.any + own
