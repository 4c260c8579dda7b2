"""What to send again, and where to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spanmill.errors import SpanmillError
from spanmill.generate.options import Protocol
from spanmill.signal import Signal


class ReplayError(SpanmillError):
    """The replay cannot be done as it was asked for. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that takes OTLP, as named on the command line."""

    endpoint: str = ""
    """`host:port` or a URL."""
    protocol: Protocol | None = None
    """None: gRPC, unless the endpoint is a URL whose port is not gRPC's own."""
    headers: Sequence[str] = ()
    """`name=value`."""
    insecure: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Configured:
    """Exporters of a configuration."""

    sources: Sequence[str] = ()
    """As of `--config`."""
    exporter: str = ""
    """Empty: dead letters go to the exporter that gave them up."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which items of the sources."""

    signals: frozenset[Signal] = frozenset(Signal)
    since: float | None = None
    """Seconds since 1970, included. The time of a stored row is its own, that of a journal's record is when it was
    taken, that of a dead letter is when it was given up."""
    until: float | None = None
    """The same, not included."""
    first: int | None = None
    """The first record of a journal."""
    last: int | None = None
    where: str = ""
    """A condition (`conditions`) over each signal's table."""

    def covers(self, time: float) -> bool:
        """Whether a moment (seconds since 1970) is within the bounds."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Options:
    """A run of the replay. It sends to `target` or to `configured`, whichever says something."""

    sources: Sequence[Path]
    target: Target = Target()
    configured: Configured = Configured()
    selection: Selection = Selection()
    since: str = ""
    """The bounds of `selection` as texts (`moments`); these are used where they are not empty."""
    until: str = ""
    dry_run: bool = False
    """Count only."""
    rate: float = 0.0
    """Most items a second; 0: as fast as they are taken."""
    delete: bool = False
    """Remove dead letters of which everything was delivered."""
    give_up_after: str = "30s"
    """How long one request is tried again, a duration; 0: for ever."""
