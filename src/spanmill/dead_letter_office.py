"""Where a delivery takes the records that it gives up: writes the dead letter, counts, and says what was lost."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.dead_letters import DeadLetters, Letter
from spanmill.errors import StartError
from spanmill.journal import Record, Unreadable
from spanmill.names import ComponentId, PipelineId
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Metrics


class DeadLetterOffice:
    """For one pipeline and exporter. Without `dead_letters` (journals in memory) it only says what was given up."""

    def __init__(
        self, pipeline: PipelineId, exporter: ComponentId, dead_letters: DeadLetters | None, metrics: Metrics, log: Log
    ) -> None:
        self._pipeline, self._exporter, self._dead_letters = pipeline, exporter, dead_letters
        self._metrics, self._log = metrics, log
        self._letters = metrics.counter("spanmill_exporter_dead_letters", exporter=str(exporter))
        self._letter_items = metrics.counter("spanmill_exporter_dead_letter_items", exporter=str(exporter))

    async def last(self, journal: str) -> int | None:
        """The last record of the journal in a letter: a process may have died before its cursor said so.

        Raises `StartError`.
        """
        if self._dead_letters is None:
            return None
        try:
            return await asyncio.to_thread(self._dead_letters.last, str(self._exporter), journal)
        except OSError as error:
            reason = f"its dead letters cannot be read: {error.filename}: {error.strerror or error}"
            raise StartError(f"exporter {self._exporter}", reason) from error

    async def take(self, records: Sequence[Record], position: Position, refused: int, reason: str) -> None:
        """On return it is on the disk that `refused` items of the records were given up. Raises `OSError`."""
        if self._dead_letters is not None:
            letter = Letter(
                str(self._pipeline), str(self._exporter), self._pipeline.signal, reason,
                sum(record.items for record in records), refused, *position, time.time(),
            )  # fmt: skip
            gone = await asyncio.to_thread(_put, records, letter, self._dead_letters)
            self._count(letter, gone)
        self._log.error("data was given up", pipeline=str(self._pipeline), items=refused, reason=reason)

    def _count(self, letter: Letter, gone: Sequence[Letter]) -> None:
        if letter not in gone:
            self._letters.add()
            self._letter_items.add(letter.items)
        for lost in gone:
            self._metrics.counter("spanmill_exporter_lost_dead_letter_items", exporter=lost.exporter).add(lost.refused)
            self._log.error(
                "a dead letter is lost for want of room, see `service.journal.dead_letters_max_size_mib`",
                exporter=lost.exporter, pipeline=lost.pipeline, items=lost.refused, reason=lost.reason,
            )  # fmt: skip


def _put(records: Sequence[Record], letter: Letter, dead_letters: DeadLetters) -> list[Letter]:
    """As `DeadLetters.put`. Records that the journal cannot give any more are left out."""
    batches = []
    for record in records:
        with suppress(Unreadable):
            batches.append(record.load())
    if not batches:
        return [letter]
    batch = Batch.concat(batches)
    return dead_letters.put(batch, replace(letter, items=len(batch)))
