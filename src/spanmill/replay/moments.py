"""Moments and durations as people write them on a command line."""

from datetime import UTC, datetime

from pydantic_core import PydanticCustomError

from spanmill.config.values import parse_duration
from spanmill.replay.options import ReplayError


def seconds(text: str, option: str) -> float:
    """Seconds of a duration such as `30s`. Raises `ReplayError`."""
    try:
        return parse_duration(text)
    except PydanticCustomError as error:
        raise ReplayError(
            f"--{option}: {error.message()}; expected a duration such as 30s or 5m; found {text!r}"
        ) from None


def moment(text: str, option: str, now: float) -> float:
    """Seconds since 1970: of an RFC 3339 time (UTC where it names no offset), or of so long before `now`.

    Raises `ReplayError`.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    try:
        return now - parse_duration(text)
    except PydanticCustomError:
        expected = "a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90m or 2h"
        raise ReplayError(f"--{option}: not a time; expected {expected}; found {text!r}") from None
