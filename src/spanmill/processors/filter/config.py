"""Configuration of the filter processor."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from spanmill.config.base import Misfit, Model, warn
from spanmill.config.values import invalid
from spanmill.processors.filter.ottl import SECTIONS, translate
from spanmill.signal import Signal

Sql = Annotated[str, Field(min_length=1)]


class Drop(Model):
    """Conditions, each a SQL boolean over the columns of the signal's table. A row for which one holds is dropped."""

    any: tuple[Sql, ...] = ()
    """Conditions for every signal; a plain list under `drop` means these."""
    traces: tuple[Sql, ...] = ()
    """Conditions for spans."""
    metrics: tuple[Sql, ...] = ()
    """Conditions for metric points."""
    logs: tuple[Sql, ...] = ()
    """Conditions for log records."""

    @model_validator(mode="before")
    @classmethod
    def plain_list(cls, data: Any) -> Any:
        return {"any": data} if isinstance(data, list | tuple) else data


class FilterProcessorConfig(Model):
    """Drops rows for which a SQL condition holds, for example `status_code = 'unset' and duration_ms < 1`."""

    also_accepted: ClassVar = dict.fromkeys(SECTIONS, "simple OTTL conditions, which are read as SQL; write `drop`")

    drop: Drop
    """What to drop: a list of conditions, or one list for each signal."""
    error_mode: Literal["ignore", "silent", "propagate"] = "ignore"
    """When a condition cannot be worked out for a row (a text that is no number): `ignore` keeps the row and logs it,
    `silent` keeps it, `propagate` refuses the whole request."""

    @model_validator(mode="before")
    @classmethod
    def from_ottl(cls, data: Any, info: ValidationInfo) -> Any:
        """A filter written for the Collector runs where SQL means the same; else the error has the SQL to write."""
        written = [section for section in SECTIONS if isinstance(data, dict) and data.get(section)]
        if not written:
            return data
        translation = translate(data)
        if "drop" in data or not translation.exact:
            problem = "OTTL conditions are not supported, unless they are simple"
            raise invalid(problem, "SQL under `drop`", translation.advice(), key=written[0])
        warn(info, written[0], f"OTTL conditions are read as SQL; it is better to write {translation.block()}")
        return {key: value for key, value in data.items() if key not in SECTIONS} | {"drop": translation.drop}

    def conditions(self, signal: Signal) -> tuple[str, ...]:
        """The SQL conditions for a signal, in the order written."""
        return tuple(sql for _, sql in self.located_conditions(signal))

    def located_conditions(self, signal: Signal) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The same, each with its path from the component's body."""
        drop = self.drop
        shared = ("drop", "any") if drop.traces or drop.metrics or drop.logs else ("drop",)
        yield from (((*shared, index), sql) for index, sql in enumerate(drop.any))
        own: tuple[str, ...] = getattr(drop, signal.value)
        yield from ((("drop", signal.value, index), sql) for index, sql in enumerate(own))

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.conditions import Condition, InvalidCondition

        for path, sql in self.located_conditions(signal):
            try:
                Condition(sql, signal)
            except InvalidCondition as error:
                yield Misfit(path, error.problem, f"a SQL condition over {signal.table}", error.hint)
