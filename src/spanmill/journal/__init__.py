"""What stands between the pipelines and the exporters: batches in order, and a cursor for each that reads them.

This is the face; `memory` keeps it in memory, `disk` on disk. Returning from `append` is what lets a receiver
acknowledge.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from spanmill.batch import Batch
from spanmill.errors import SpanmillError

HANDED_BYTES: Final = 32 * 1024 * 1024
"""Bytes of Arrow data that a consumer is handed at once at most, unless it wants other."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch in the form in which a journal keeps it."""

    items: int
    """Rows of the batch."""
    size: int
    """Bytes it takes in memory once it is loaded."""
    load: Callable[[], Batch]
    """Gives the batch; may be called in any thread, more than once."""
    requests: tuple[bytes, ...]
    """Digests of the requests that it came from (`digest`)."""

    @property
    def kept_bytes(self) -> int:
        """Bytes it takes in the journal."""
        return self.size


@dataclass(frozen=True, slots=True)
class Record:
    """One batch in a journal."""

    sequence: int
    """Ascending from 1; by more than one where records were lost to a fault of the disk."""
    appended: float
    """When, in seconds of the event loop's clock."""
    packed: Packed

    @property
    def items(self) -> int:
        return self.packed.items

    @property
    def size(self) -> int:
        return self.packed.size

    def load(self) -> Batch:
        """The batch; any thread. Raises `Unreadable` when it is damaged for good, `OSError` when it may yet be read."""
        return self.packed.load()


class Unreadable(SpanmillError):  # noqa: N818 - says what is the matter
    """A record is damaged: its bytes are not those that were written."""


class Reader(Protocol):
    """A consumer's place in a journal: how far it has read, and (the cursor) how far it is done for good."""

    @property
    def committed(self) -> int:
        """The cursor: everything up to this sequence is done for good."""

    def read(self) -> Record | None:
        """The record after the last one read; None when there is none yet."""

    async def wait(self) -> None:
        """Return when there is something to read, or when `wake` is called."""

    def wake(self) -> None:
        """End a `wait`: there is something else to look at than records."""

    def commit(self, sequence: int) -> None:
        """Everything up to `sequence` is done for good: the journal may forget it."""

    def rewind(self, sequence: int) -> None:
        """Start reading after `sequence`, which the consumer's own output is known to hold, and commit up to it."""

    @property
    def unread(self) -> int:
        """Records not yet read."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the records not yet committed by this consumer."""

    @property
    def held_items(self) -> int:
        """Items of the records not yet committed by this consumer."""


class Journal(Protocol):
    """An ordered, bounded store of batches. All methods but `pack` are called on the event loop.

    Ask for every reader, then `start`; `append` until `stop`.
    """

    identity: str
    """Names the journal for as long as its records live; part of every `Position`."""
    durable: bool
    """Whether what it holds outlives the process."""

    @property
    def max_bytes(self) -> int:
        """Most bytes that it holds."""

    async def start(self) -> None:
        """Find what was held when the process ended. Raises `StartError`."""

    async def stop(self) -> None:
        """Keep what is held, if that is this journal's nature. Safe twice, and without `start`."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the records that some consumer has not committed."""

    def pack(self, batch: Batch, requests: Sequence[bytes] = ()) -> Packed:
        """The batch as this journal will keep it. Work for a thread: it may encode and compress."""

    def holds(self, request: bytes) -> bool:
        """Whether a request of this digest was appended within `dedup_window`."""

    def reserve(self, size: int) -> None:
        """Make sure that `size` bytes can be appended. Raises `Busy` when they cannot; holds nothing by itself."""

    async def append(self, packed: Packed) -> int:
        """Take the batch; its sequence. Returning means it will survive what this journal survives. Raises `Busy`."""

    def reader(self, consumer: str) -> Reader:
        """The consumer's place; the same name always gets the same place. Ask before `start`."""


def digest(sender: str, payload: bytes) -> bytes:
    """What a request is known by when it is sent again: 16 bytes. (Of the hashes in the standard library SHA-256 is the
    quickest where the processor has instructions for it.)"""
    return hashlib.sha256(sender.encode() + b"\0" + payload).digest()[:16]


__all__ = ["Journal", "Packed", "Reader", "Record", "Unreadable", "digest"]
