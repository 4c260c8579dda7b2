"""A log that keeps what it is told."""

from typing import Any

from spanmill.telemetry.logs import Log


class CapturedLog(Log):
    """Keeps every entry from `info` on, as `{"log_level": ..., "event": ..., **fields}`."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []

    def bind(self, **fields: Any) -> "CapturedLog":
        return self

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if level != "debug":
            self.entries.append({"log_level": level, "event": event, **fields})
