"""Configuration of the debug exporter."""

from typing import Any, ClassVar, Final, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from spanmill.config.base import Model, warn
from spanmill.config.blocks import SendingQueue
from spanmill.config.values import Flag, Positive, Whole

_VERBOSITIES: Final = {"debug": "detailed", "info": "normal", "warn": "basic", "warning": "basic", "error": "basic"}


class DebugExporterConfig(Model):
    """Shows what came through, for people to read."""

    on_when_null: ClassVar = frozenset({"sending_queue"})
    also_accepted: ClassVar = {
        "loglevel": "retired; debug means `verbosity: detailed`, info normal, the others basic",
        "logLevel": "retired; the same as `loglevel`",
    }

    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """`basic`: counts. `normal`: a line for each item. `detailed`: every field."""
    sampling_initial: Whole = 2
    """So many messages are shown each second before sampling begins."""
    sampling_thereafter: Positive = 1
    """Then every so-manieth message is shown; 1: all."""
    use_internal_logger: Flag = True
    """On: messages go through the daemon's log. Off: to `output_paths`, unsampled."""
    output_paths: tuple[str, ...] = ("stdout",)
    """Where messages go without the daemon's log: `stdout`, `stderr` or paths of files."""
    sending_queue: SendingQueue | None = None
    """Accepted for the Collector's sake."""

    @model_validator(mode="before")
    @classmethod
    def retired_loglevel(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for old in ("loglevel", "logLevel"):
            level = str(data.get(old)).lower()
            if old in data and level in _VERBOSITIES:
                del data[old]
                data.setdefault("verbosity", _VERBOSITIES[level])
                warn(info, old, f"`{old}` is retired; write `verbosity: {_VERBOSITIES[level]}`")
        return data

    @field_validator("verbosity", mode="before")
    @classmethod
    def any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value
