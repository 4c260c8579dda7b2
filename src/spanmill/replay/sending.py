"""Sends pieces one after the other, each until it is taken or refused."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Exporter, Position
from spanmill.conditions import Condition
from spanmill.errors import Busy, Rejected, SpanmillError
from spanmill.replay.destination import Destination
from spanmill.replay.piece import Piece
from spanmill.signal import Signal

MOST_ITEMS = 8_192
"""Items handed to an exporter at once: what progress, `--rate` and another attempt are about."""
_FIRST_PAUSE_SECONDS, _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS = 0.5, 2.0, 30.0
UNREADABLE = (OSError, SpanmillError, pa.ArrowException)
"""What a piece raises that cannot be read (any more)."""


@dataclass(slots=True)
class Outcome:
    """What has become of the items so far."""

    sent: Counter[Signal] = field(default_factory=Counter)
    rejected: int = 0
    removed: int = 0
    """Dead letters that were delivered and deleted."""
    problems: list[str] = field(default_factory=list)
    """A sentence for each piece that was refused or could not be read."""
    stopped: str = ""
    """Why not everything was tried; empty when it was."""

    @property
    def complete(self) -> bool:
        """Whether everything selected was delivered."""
        return not (self.problems or self.stopped)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to send."""

    rate: float = 0.0
    """Most items a second; 0: as fast as they are taken."""
    delete: bool = False
    """Remove dead letters of which everything was delivered."""
    give_up_seconds: float = 30.0
    """How long one request is tried again; 0: for ever."""


class Progress(Protocol):
    """Somebody watches."""

    def advance(self, items: int) -> None:
        """So many items are done with."""

    def waits(self, reason: str) -> None:
        """The other side is busy or away; empty: no longer."""


class Sender:
    """Sends pieces and keeps account in `outcome`, which is right at any moment, also when it is cancelled."""

    def __init__(
        self,
        settings: Settings,
        destination: Destination,
        conditions: Mapping[Signal, Condition],
        progress: Progress,
    ) -> None:
        self.outcome = Outcome()
        self._settings, self._destination, self._conditions = settings, destination, conditions
        self._progress = progress
        self._journal, self._number = f"replay-{uuid.uuid4().hex}", 0
        self._began = 0.0

    async def send(self, pieces: Iterable[Piece]) -> None:
        """Send all. Raises `ReplayError`, `StartError` for an exporter that cannot be had."""
        self._began = asyncio.get_running_loop().time()
        remaining = iter(pieces)
        while (piece := await self._next(remaining)) is not None:
            try:
                batch = await asyncio.to_thread(selected, piece, self._conditions)
            except UNREADABLE as error:
                self.outcome.problems.append(f"{piece.name}: cannot be read: {error}")
            else:
                await self._send_piece(piece, batch)
            if self.outcome.stopped:
                return
            self._progress.advance(piece.items)

    async def _next(self, remaining: Iterator[Piece]) -> Piece | None:
        try:
            return await asyncio.to_thread(next, remaining, None)
        except UNREADABLE as error:
            self.outcome.stopped = f"what comes next cannot be read: {error}"
            return None

    async def _send_piece(self, piece: Piece, batch: Batch) -> None:
        exporter, problems = await self._destination.exporter(piece.exporter), len(self.outcome.problems)
        for part in self._parts(batch):
            await self._keep_rate(len(part))
            await self._send_part(piece, exporter, part)
            if self.outcome.stopped:
                return
        if piece.remove is not None and self._settings.delete and len(self.outcome.problems) == problems:
            await self._remove(piece, piece.remove)

    async def _remove(self, piece: Piece, remove: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(remove)
        except OSError as error:
            self.outcome.problems.append(f"{piece.name}: delivered, but not deleted: {error.strerror}")
        else:
            self.outcome.removed += 1

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        rate = self._settings.rate
        most = min(MOST_ITEMS, max(1, int(rate))) if rate else MOST_ITEMS
        for offset in range(0, len(batch), most):
            yield batch.slice(offset, min(most, len(batch) - offset))

    async def _send_part(self, piece: Piece, exporter: Exporter, part: Batch) -> None:
        self._number += 1
        try:
            await self._until_answered(exporter, part, Position(self._journal, self._number, self._number))
        except Busy as busy:
            patience = f"after {self._settings.give_up_seconds:g} s"
            self.outcome.stopped = f"{piece.name}: not delivered; given up {patience}: {busy.reason}"
        except Rejected as rejected:
            items = len(part) if rejected.items is None else rejected.items
            self.outcome.rejected += items
            self.outcome.sent[piece.signal] += len(part) - items
            self.outcome.problems.append(f"{piece.name}: {items} of {len(part)} items were refused: {rejected.reason}")
        else:
            self.outcome.sent[piece.signal] += len(part)

    async def _until_answered(self, exporter: Exporter, part: Batch, position: Position) -> None:
        """Raises `Busy` after `give_up_seconds` of it, `Rejected`."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE_SECONDS
        began, most = loop.time(), self._settings.give_up_seconds
        while True:
            try:
                await exporter.export(part, position)
                break
            except Busy as busy:
                wait = max(busy.retry_after, pause)
                if most and loop.time() - began + wait > most:
                    raise
                self._progress.waits(busy.reason)
            await asyncio.sleep(wait)
            pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
        self._progress.waits("")

    async def _keep_rate(self, items: int) -> None:
        """Wait until so many items more are within the rate."""
        rate, done = self._settings.rate, self.outcome.sent.total() + self.outcome.rejected
        if rate:
            due = self._began + (done + items) / rate - 1.0
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


def selected(piece: Piece, conditions: Mapping[Signal, Condition]) -> Batch:
    """The piece's rows for which the condition is true. Blocks. Raises what the piece does."""
    batch = piece.load()
    condition = conditions.get(piece.signal)
    return batch if condition is None or not len(batch) else batch.filter(condition.where_it_can(batch))


def count(
    pieces: Iterable[Piece], conditions: Mapping[Signal, Condition], seen: Callable[[int], None]
) -> tuple[Counter[Signal], list[str]]:
    """How many items would be sent, and which pieces cannot be read. Reads only what it takes to know."""
    counts: Counter[Signal] = Counter()
    problems = []
    for piece in pieces:
        try:
            known = piece.exact and piece.items and piece.signal not in conditions
            counts[piece.signal] += piece.items if known else len(selected(piece, conditions))
        except UNREADABLE as error:
            problems.append(f"{piece.name}: cannot be read: {error}")
        seen(piece.items)
    return counts, problems
