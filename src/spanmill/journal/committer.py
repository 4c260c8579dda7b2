"""Group commit: a thread that writes everything that is waiting in one go, and waits for the disk once.

No timer: while the disk is busy with one group, the next one gathers. After a failed write or sync nothing is
acknowledged from that file again: Linux calls the pages of a failed sync clean, so that a second one would say that
all is well. The segment ends where it was last sound, and a new one must be opened before anything else is taken;
opening is tried again by itself, so that the journal recovers when the cause is gone.
"""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from spanmill.disk import Disk
from spanmill.journal.format import (
    SEGMENT_HEADER_BYTES,
    Head,
    SegmentHeader,
    pack_head,
    pack_segment_header,
    seed,
)
from spanmill.journal.segment import segment_path
from spanmill.journal.stored import StoredBatch
from spanmill.telemetry.metrics import Histogram

THREADS = "journal"
"""Begins the name of each journal's thread."""
_REOPEN_SECONDS = 1.0
_PADDING = memoryview(bytes(8))
_AHEAD_BYTES = 256 * 1024
_ZEROS = memoryview(bytes(_AHEAD_BYTES))
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Fsync = Literal["always", "interval", "never"]


@dataclass(frozen=True, slots=True)
class Append:
    """A batch on its way into the journal, and the future of who waits for its sequence."""

    batch: StoredBatch
    done: "asyncio.Future[int]"


@dataclass(frozen=True, slots=True)
class Committed:
    """A group that is in the journal: its appends in order, with where each record lies in the segment."""

    first: int
    """Of the segment."""
    appends: Sequence[Append]
    heads: Sequence[Head]
    offsets: Sequence[int]


class Listener(Protocol):
    """Who hears what became of a group. Called in the committer's thread."""

    def committed(self, group: Committed) -> None: ...
    def failed(self, appends: Sequence[Append], reason: str) -> None:
        """Nothing of it will ever be in the journal."""

    def trouble(self, reason: str) -> None:
        """Why nothing can be appended now; empty when it can be again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a journal is written."""

    segment_bytes: int
    fsync: Fsync = "always"
    fsync_interval_seconds: float = 1.0
    min_free_bytes: int = 0


@dataclass(slots=True)
class _Active:
    """The segment that is being written."""

    first: int
    path: Path
    descriptor: int
    size: int
    end: int = SEGMENT_HEADER_BYTES
    """Offset behind the last record that counts."""
    zeroed: int = 0
    """Offset up to which zeros, or records, have been written."""


class Committer:
    """The thread and the segment that it writes. `append` and `close` may be called from any thread."""

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        identity: bytes,
        next_sequence: int,
        policy: Policy,
        listener: Listener,
        sync_duration: Histogram,
    ) -> None:
        self._disk, self._directory, self._identity, self._policy = disk, directory, identity, policy
        self._listener, self._sync_duration = listener, sync_duration
        self._next_sequence = next_sequence
        self._active: _Active | None = None
        self._waiting: list[Append] = []
        self._changed = threading.Condition()
        self._closing = False
        self._ended = False
        self._skip_to = 0
        self._trouble = ""
        self._unsynced_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"{THREADS} {directory.name}")

    def start(self) -> None:
        """Open the first segment; begin. Raises `OSError`.

        A full disk is no reason not to begin: what the journal holds may be what fills it.
        """
        try:
            self._open_segment(0)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._give_up(error)
        self._thread.start()

    def append(self, append: Append) -> None:
        """Write the batch with the next group."""
        with self._changed:
            if not self._ended:
                self._waiting.append(append)
                self._changed.notify()
                return
        self._listener.failed([append], "the collector is stopping")

    def skip_to(self, sequence: int) -> None:
        """Give out no sequence up to this one: a consumer holds more than the journal does any more."""
        with self._changed:
            self._skip_to = max(self._skip_to, sequence)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, give back the space that is not used, end. Blocks. Safe twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    # In the thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                if not (self._waiting or self._closing):
                    self._changed.wait(self._patience())
                group, self._waiting = self._waiting, []
                self._ended, skip_to = self._closing and not group, self._skip_to
            if skip_to >= self._next_sequence:
                self._seal()
                self._next_sequence = skip_to + 1
            if self._ended:
                break
            self._commit(group)
            if not group or self._patience() == 0.0:
                self._rest()
        if self._policy.fsync == "interval":
            with suppress(OSError):
                self._sync()
        self._seal()

    def _patience(self) -> float | None:
        """Seconds until there is something to do beside appending; None: there is nothing."""
        if self._trouble:
            return _REOPEN_SECONDS
        if self._policy.fsync == "interval" and self._unsynced_since is not None:
            return max(0.0, self._unsynced_since + self._policy.fsync_interval_seconds - time.monotonic())
        return None

    def _rest(self) -> None:
        """What there is to do while nothing is appended."""
        try:
            if self._trouble:
                self._open_segment(0)
            elif self._patience() == 0.0:
                self._sync()
        except OSError as error:
            self._give_up(error)

    def _commit(self, group: list[Append]) -> None:
        while group:
            try:
                written = self._write(group)
            except Exception as error:  # noqa: BLE001 - a defect must not leave senders without an answer
                reason = self._give_up(error)
                self._listener.failed(group, reason)
                return
            self._next_sequence += len(written.heads)
            self._listener.committed(written)
            group = group[len(written.heads) :]

    def _write(self, group: Sequence[Append]) -> Committed:
        """Write as much of the group as the segment has room for, one batch at least."""
        active = self._active_with_room(group[0].batch.kept_bytes)
        start, now, end = seed(self._identity, active.first), time.time_ns(), active.end
        heads: list[Head] = []
        offsets: list[int] = []
        parts: list[memoryview] = []
        for append in group:
            batch = append.batch
            head = Head(
                self._next_sequence + len(heads), now, batch.items, batch.size, batch.stored.nbytes,
                batch.crc, batch.requests,
            )  # fmt: skip
            if end + head.length > active.size:
                break
            heads.append(head)
            offsets.append(end)
            padding = head.length - head.payload_offset - head.stored
            parts += (memoryview(pack_head(head, start)), batch.stored, _PADDING[:padding])
            end += head.length
        self._disk.write_at(active.descriptor, active.end, parts)
        self._write_zeros(active, end)
        if self._policy.fsync == "always":
            self._sync()
        elif self._unsynced_since is None:
            self._unsynced_since = time.monotonic()
        active.end = end
        return Committed(active.first, group[: len(heads)], heads, offsets)

    def _write_zeros(self, active: _Active, end: int) -> None:
        """Where the next small groups will lie. A block that is written for the first time costs a second flush of the
        disk, for the file system's own journal; one that is overwritten does not. So that flush serves many groups."""
        if active.zeroed < end <= active.end + _AHEAD_BYTES:
            active.zeroed = min(end + _AHEAD_BYTES, active.size)
            self._disk.write_at(active.descriptor, end, [_ZEROS[: active.zeroed - end]])

    def _sync(self) -> None:
        if self._active is not None:
            began = time.perf_counter()
            self._disk.sync_data(self._active.descriptor)
            self._sync_duration.observe(time.perf_counter() - began)
        self._unsynced_since = None

    def _give_up(self, error: Exception) -> str:
        """Nothing more goes into this segment. Gives the reason."""
        self._seal()
        self._unsynced_since = None
        said = error.strerror or error if isinstance(error, OSError) else repr(error)
        self._trouble = f"{self._directory}: {said}"
        self._listener.trouble(self._trouble)
        return self._trouble

    def _active_with_room(self, needed: int) -> _Active:
        if self._active is not None and self._active.end + needed > self._active.size:
            if self._policy.fsync == "interval":
                self._sync()
            self._seal()
        if self._active is None:
            self._open_segment(needed)
        assert self._active is not None
        return self._active

    def _open_segment(self, needed: int) -> None:
        """A new segment, on the disk with its name, before anything is written into it. Raises `OSError`."""
        size = max(self._policy.segment_bytes, SEGMENT_HEADER_BYTES + needed)
        free = self._disk.free_bytes(self._directory)
        if free - size < self._policy.min_free_bytes:
            least = (self._policy.min_free_bytes + size) >> 20
            raise OSError(errno.ENOSPC, f"{free >> 20} MiB are free on the disk, expected at least {least}")
        first = self._next_sequence
        path = segment_path(self._directory, first)
        self._disk.unlink(path)  # left behind by an attempt that failed; a record in it was never acknowledged
        descriptor = -1
        try:
            descriptor = self._disk.allocate(path, size)
            header = pack_segment_header(SegmentHeader(first, self._identity, size))
            self._disk.write_at(descriptor, 0, [memoryview(header)])
            self._disk.sync_data(descriptor)
            self._disk.sync_directory(self._directory)
        except BaseException:
            if descriptor >= 0:
                os.close(descriptor)
            with suppress(OSError):
                self._disk.unlink(path)
            raise
        self._active = _Active(first, path, descriptor, size)
        if self._trouble:
            self._trouble = ""
            self._listener.trouble("")

    def _seal(self) -> None:
        """Close the segment and give back the space behind its last record that counts."""
        active, self._active = self._active, None
        if active is None:
            return
        with suppress(OSError):
            os.close(active.descriptor)
        with suppress(OSError):  # recovery finds the end by itself: the next segment's name says where this one ends
            if active.end > SEGMENT_HEADER_BYTES:
                self._disk.truncate(active.path, active.end)
            else:
                self._disk.unlink(active.path)
