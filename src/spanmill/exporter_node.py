"""An exporter with what its deliveries share, and what its answers mean to them."""

import asyncio
import math
from dataclasses import dataclass
from enum import Enum, auto

from spanmill.breaker import FAILURES_TO_OPEN, Breaker
from spanmill.component import Exporter
from spanmill.config.blocks import RetryOnFailure
from spanmill.names import ComponentId
from spanmill.signal import Signal


class Verdict(Enum):
    """What becomes of records that an exporter was to be handed."""

    DELIVERED = auto()
    BUSY = auto()
    """Not now."""
    REJECTED = auto()
    """Never: some of it or all."""
    DEFECT = auto()
    """It failed in a way that it should not: perhaps these records always make it fail."""
    UNREADABLE = auto()
    """The journal cannot give them any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with what belongs to it. Not an exception: one keeps alive what its frames held, a batch above all."""

    verdict: Verdict
    reason: str = ""
    retry_after_seconds: float = 0.0
    rejected: int | None = None
    """How many items were rejected where the others were delivered; None: all."""


class ExporterNode:
    """One exporter: its retry settings, its breaker, and its turns, one export at a time for each signal."""

    def __init__(self, identity: ComponentId, exporter: Exporter, retry: RetryOnFailure) -> None:
        self.identity = identity
        self.exporter = exporter
        self.retry = retry
        self.breaker = Breaker(FAILURES_TO_OPEN if retry.enabled else math.inf)
        self.turns = {signal: asyncio.Lock() for signal in Signal}
        """First come, first served: pipelines that share an exporter take turns, batch by batch."""
