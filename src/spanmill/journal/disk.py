"""A journal on disk: what was appended outlives the process, and the power.

    <first sequence>.segment    records, see `format`
    cursors                     how far each consumer is done, see `cursors`
    <first sequence>.requests   digests of a segment that is deleted, see `memo`
    quarantine/                 bytes of segments that could not be read

Appending, reading places and committing happen on the event loop; writing in the committer's thread; cursors, deletion
and loading in other threads.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spanmill.batch import Batch
from spanmill.disk import PRIVATE_DIRECTORY, Disk, make_directories
from spanmill.errors import Busy, SpanmillError, StartError
from spanmill.journal import Packed, Record
from spanmill.journal.committer import Append, Committed, Committer, Policy
from spanmill.journal.cursors import CursorFile, Cursors
from spanmill.journal.loading import Loader
from spanmill.journal.memo import forget_memos, write_memo
from spanmill.journal.reader import DiskReader
from spanmill.journal.recent import RecentRequests
from spanmill.journal.recovery import Damage, recover
from spanmill.journal.room import Room
from spanmill.journal.segment import Segment, scan
from spanmill.journal.shelf import Shelf
from spanmill.journal.stored import StoredBatch, store
from spanmill.names import Kind, PipelineId
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Metrics

_RETRY_AFTER_SECONDS = 1.0
_TIDY_SECONDS = 0.2
"""Between two writes of the cursors: bounds what an exporter without a position of its own delivers twice."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a journal on disk."""

    max_bytes: int
    dedup_window_seconds: float = 600.0


class DiskJournal:
    """See `Journal`. `directory` is its own; whoever makes it holds the lock on the directory above."""

    durable = True

    def __init__(
        self, directory: Path, pipeline: PipelineId, limits: Limits, policy: Policy, metrics: Metrics, log: Log,
        disk: Disk | None = None,
    ) -> None:  # fmt: skip
        self.identity = ""
        self._directory, self._pipeline, self._policy, self._log = directory, pipeline, policy, log
        self._disk = disk or Disk()
        self._dedup_window = limits.dedup_window_seconds
        self._room = Room(limits.max_bytes, _RETRY_AFTER_SECONDS)
        self._recent = RecentRequests(limits.dedup_window_seconds)
        self._readers: dict[str, DiskReader] = {}
        self._orphans: dict[str, int] = {}
        """Cursors of consumers that are not configured any more."""
        self._passed: list[Segment] = []
        """Segments that everybody is done with and that are not deleted yet."""
        self._pending_bytes = 0
        self._trouble = ""
        self._cursor_file = CursorFile(self._disk, directory)
        self._dirty = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._untidy = ""
        """Why the cursors could not be written the last time."""
        self._committer: Committer | None = None
        labels = {"pipeline": str(pipeline)}
        self._sync_duration = metrics.histogram("spanmill_journal_sync_duration", **labels)
        self._group_records = metrics.histogram("spanmill_journal_group_records", **labels)
        self._failures = metrics.counter("spanmill_journal_write_failures", **labels)
        self._damaged = metrics.counter("spanmill_journal_damaged_records", **labels)
        self._torn = metrics.counter("spanmill_journal_torn_bytes", **labels)
        self._loader = Loader(pipeline.signal, self._disk, self._damaged)
        self._shelf = Shelf(directory, b"", [], self._loader.load)
        metrics.gauge("spanmill_journal_held_bytes", lambda: self.held_bytes, **labels)
        metrics.gauge("spanmill_journal_capacity_bytes", lambda: self.max_bytes, **labels)
        metrics.gauge("spanmill_journal_oldest_age", self._oldest_age, **labels)
        metrics.gauge("spanmill_journal_disk_free_bytes", lambda: self._disk.free_bytes(directory), **labels)

    @property
    def max_bytes(self) -> int:
        return self._room.max_bytes

    @property
    def held_bytes(self) -> int:
        return self._room.held_bytes

    # Starting and stopping.

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._open, self._loop)
        except OSError as error:
            raise StartError(
                f"journal of pipeline {self._pipeline}",
                f"{error.filename or self._directory}: {error.strerror or error}; it must be writable and have room. "
                "`service.journal.directory` names another place; `enabled: false` there holds data in memory",
            ) from error
        except SpanmillError as error:
            raise StartError(f"journal of pipeline {self._pipeline}", str(error)) from error
        self._account()
        self._dirty.set()
        self._keeper = asyncio.create_task(self._keep(), name=f"journal {self._pipeline}")

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        make_directories(self._disk, self._directory, PRIVATE_DIRECTORY)
        found = recover(self._disk, self._directory, self._dedup_window, loop.time())
        self.identity = found.identity
        self._shelf = Shelf(self._directory, bytes.fromhex(found.identity), found.segments, self._loader.load)
        for age, digests in found.requests:
            self._recent.add(digests, age)
        self._place_readers(found.cursors, found.last)
        self._report(found.damage)
        self._cursor_file.read()
        self._cursor_file.write(self._cursors())
        self._committer = Committer(
            self._disk, self._directory, bytes.fromhex(self.identity), found.last + 1, self._policy,
            _Notices(loop, self), self._sync_duration,
        )  # fmt: skip
        self._committer.start()

    def _place_readers(self, cursors: Cursors | None, last: int) -> None:
        """A consumer that is new begins with what comes; all begin with the oldest record when nothing is known."""
        first = self._shelf.first
        oldest = last if first is None else first - 1
        known = cursors.done if cursors is not None else {}
        for name, reader in self._readers.items():
            reader.place(known.get(name, oldest if cursors is None else last))
        follower = f"{self._pipeline}>{Kind.PROCESSORS.singular}/"  # nothing is kept for one that comes back
        self._orphans = {
            name: done for name, done in known.items() if name not in self._readers and not name.startswith(follower)
        }
        for name, done in self._orphans.items():
            if items := self.items_after(done):
                self._log.warning(
                    "a consumer that is not configured any more has not had everything; it is kept until the journal "
                    "is full, in case the consumer comes back", consumer=name, items=items,
                )  # fmt: skip

    def _report(self, damage: Damage) -> None:
        self._torn.add(damage.torn_bytes)
        self._damaged.add(damage.lost_records)
        for note in damage.notes:
            self._log.warning("the journal is damaged", pipeline=str(self._pipeline), what=note)

    async def stop(self) -> None:
        if self._keeper is None or self._committer is None:
            self._cursor_file.close()
            return
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        if self._tidying is not None:
            await self._tidying
        await asyncio.to_thread(self._committer.close)
        self._passed += self._shelf.take(self._floor(), also_last=True)
        await self._tidy()
        self._cursor_file.close()
        self._keeper = None

    # Appending.

    def pack(self, batch: Batch, requests: Sequence[bytes] = ()) -> Packed:
        return store(batch, tuple(requests))

    def holds(self, request: bytes) -> bool:
        return request in self._recent

    def reserve(self, size: int) -> None:
        if self._trouble:
            raise Busy(f"the journal cannot be written: {self._trouble}", self._room.retry_after)
        try:
            self._room.reserve(size)
        except Busy:
            if not self._orphans:
                raise
            self._forget_orphans()
            self._room.reserve(size)

    async def append(self, packed: Packed) -> int:
        assert isinstance(packed, StoredBatch)
        assert self._committer is not None
        self.reserve(packed.kept_bytes)
        append = Append(packed, asyncio.get_running_loop().create_future())
        self._pending_bytes += packed.kept_bytes
        self._room.held_bytes += packed.kept_bytes
        self._committer.append(append)
        try:
            return await append.done
        finally:
            del append  # or an error in it would hold this frame, and the frame it, with the batch

    def settle(self, group: Committed) -> None:
        """A group is in the journal: let it be read, and tell who waits. Called by the committer's notices."""
        self._shelf.put(group, asyncio.get_running_loop().time())
        for append, head in zip(group.appends, group.heads, strict=True):
            self._recent.add(head.requests)
            self._pending_bytes -= append.batch.kept_bytes
            if not append.done.done():
                append.done.set_result(head.sequence)
        self._group_records.observe(len(group.heads))
        for reader in self._readers.values():
            reader.wake()

    def turn_away(self, appends: Sequence[Append], reason: str) -> None:
        """A group is not in the journal, and never will be."""
        for append in appends:
            self._pending_bytes -= append.batch.kept_bytes
            self._room.held_bytes -= append.batch.kept_bytes
            if not append.done.done():
                append.done.set_exception(Busy(f"the journal cannot be written: {reason}", self._room.retry_after))

    def note_trouble(self, reason: str) -> None:
        """Why nothing can be appended now; empty when it can be again."""
        if reason:
            self._failures.add()
        if reason and reason != self._trouble:
            self._log.error("the journal cannot be written; senders are told to try again", reason=reason)
        elif self._trouble and not reason:
            self._log.info("the journal can be written again", pipeline=str(self._pipeline))
        self._trouble = reason

    # Reading.

    def reader(self, consumer: str) -> "DiskReader":
        return self._readers.setdefault(consumer, DiskReader(self))

    def record_after(self, sequence: int) -> Record | None:
        """The first record after `sequence`."""
        return self._shelf.record_after(sequence)

    @property
    def last(self) -> int:
        """The last sequence that can be read, 0 when there is none."""
        return self._shelf.last

    def bytes_after(self, sequence: int) -> int:
        """Bytes of the records after `sequence`."""
        return self._shelf.bytes_after(sequence)

    def items_after(self, sequence: int) -> int:
        """Items of the records after `sequence`."""
        return self._shelf.items_after(sequence)

    def skip_to(self, sequence: int) -> None:
        """A consumer holds more than this journal does any more, after a power cut without fsync: new records get
        later sequences, so that the consumer does not take them for what it has."""
        if sequence > self.last and self._committer is not None:
            self._committer.skip_to(sequence)

    # Forgetting.

    def forget_committed(self) -> None:
        """A cursor has moved: let go of what every consumer is done with."""
        self._account()
        self._passed += self._shelf.take(self._floor())
        self._dirty.set()

    def _account(self) -> None:
        floor = self._floor()
        self._room.held_bytes = self.bytes_after(floor) + self._pending_bytes
        self._shelf.unload(floor)

    def _floor(self) -> int:
        """The sequence up to which every consumer is done."""
        done = [reader.committed for reader in self._readers.values()]
        return min([*done, *self._orphans.values()], default=self.last)

    def _forget_orphans(self) -> None:
        for name, done in self._orphans.items():
            self._log.error(
                "the journal is full: what a consumer that is not configured any more has not had is given up",
                consumer=name, items=self.items_after(done),
            )  # fmt: skip
        self._orphans.clear()
        self.forget_committed()

    async def _keep(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_TIDY_SECONDS)
            self._dirty.clear()
            self._tidying = asyncio.create_task(self._tidy(), name=f"journal {self._pipeline} tidying")
            await asyncio.shield(self._tidying)  # two at a time would write to the same place

    async def _tidy(self) -> None:
        """Write the cursors, then delete what they have passed: in this order, so that a crash between the two leaves a
        file too many and not one too few."""
        cursors, passed = self._cursors(), list(self._passed)
        try:
            await asyncio.to_thread(self._write_and_delete, cursors, passed)
        except Exception as error:  # noqa: BLE001 - a defect must not end the keeping: the disk would fill up
            self._dirty.set()
            reason = str(error) if isinstance(error, OSError) else repr(error)
            if reason != self._untidy:
                self._log.warning("the journal's cursors cannot be written; it is tried again", reason=reason)
            self._untidy = reason
        else:
            self._untidy = ""
            self._passed = [segment for segment in self._passed if segment not in passed]

    def _write_and_delete(self, cursors: Cursors, passed: Sequence[Segment]) -> None:
        self._cursor_file.write(cursors)
        for segment in passed:
            self._remember_requests(segment)
            self._disk.unlink(segment.path)
        if passed:
            forget_memos(self._disk, self._directory, self._dedup_window)

    def _remember_requests(self, segment: Segment) -> None:
        """A full disk must not keep a segment from being deleted."""
        with suppress(OSError):
            found = scan(segment.path, segment.first, bytes.fromhex(self.identity), verify=False).found
            write_memo(self._disk, segment.path, [(head.time, head.requests) for _, head in found])

    def _cursors(self) -> Cursors:
        done = {name: reader.committed for name, reader in self._readers.items()}
        return Cursors(self.identity, self._orphans | done)

    def _oldest_age(self) -> float:
        """Seconds that the oldest record has been held, 0 when there is none. Any thread."""
        oldest = self.record_after(self._floor())
        return self._loop.time() - oldest.appended if oldest and self._loop else 0.0


class _Notices:
    """Carries the committer's notices to the event loop. Implements `committer.Listener`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, journal: DiskJournal) -> None:
        self._loop, self._journal = loop, journal

    def committed(self, group: Committed) -> None:
        self._loop.call_soon_threadsafe(self._journal.settle, group)

    def failed(self, appends: Sequence[Append], reason: str) -> None:
        self._loop.call_soon_threadsafe(self._journal.turn_away, appends, reason)

    def trouble(self, reason: str) -> None:
        self._loop.call_soon_threadsafe(self._journal.note_trouble, reason)
