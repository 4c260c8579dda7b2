"""The records of a journal on disk that somebody still wants: where they are, and the latest of them as they came."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from spanmill.batch import Batch
from spanmill.journal import HANDED_BYTES, Packed, Record
from spanmill.journal.committer import Committed
from spanmill.journal.segment import Segment, segment_path

_LOADED_BYTES = HANDED_BYTES + 8 * 1024 * 1024
"""Batches that are kept as they came, for consumers that keep up: as many as one is handed at once, and what comes
meanwhile."""

Read = Callable[[Segment, int], Batch]
"""Reads the record at a place of a segment; called in any thread."""


class Shelf:
    """Segments in order. Used on the event loop, but for `Record.load`."""

    def __init__(self, directory: Path, identity: bytes, segments: Sequence[Segment], read: Read) -> None:
        self._directory, self._identity, self._read = directory, identity, read
        self._segments = list(segments)
        self._loaded: dict[int, Packed] = {}
        self._loaded_bytes = 0

    @property
    def last(self) -> int:
        """The last sequence that can be read, 0 when there is none."""
        return self._segments[-1].last if self._segments else 0

    @property
    def first(self) -> int | None:
        """The first sequence of the oldest segment; None when there is none."""
        return self._segments[0].first if self._segments else None

    def put(self, group: Committed, now: float) -> None:
        """Add records that are in the journal. `now`: seconds of the event loop's clock."""
        if not self._segments or self._segments[-1].first != group.first:
            self._segments.append(Segment(segment_path(self._directory, group.first), group.first, self._identity))
        for append, head, offset in zip(group.appends, group.heads, group.offsets, strict=True):
            self._segments[-1].add(head, offset, now)
            self._loaded[head.sequence] = append.batch.loaded()
            self._loaded_bytes += append.batch.size
        while self._loaded_bytes > _LOADED_BYTES:
            self._unload(next(iter(self._loaded)))

    def record_after(self, sequence: int) -> Record | None:
        """The first record after `sequence`."""
        start = max(0, bisect_right(self._segments, sequence + 1, key=lambda segment: segment.first) - 1)
        for segment in self._segments[start : start + 2]:
            place = segment.place_after(sequence)
            if place < len(segment):
                found = segment.describe(place)
                load = partial(self._load, segment, place, found.sequence)
                return Record(found.sequence, found.appended, Packed(found.items, found.size, load, ()))
        return None

    def bytes_after(self, sequence: int) -> int:
        """Bytes of the records after `sequence`."""
        return sum(segment.bytes_after(sequence) for segment in self._segments)

    def items_after(self, sequence: int) -> int:
        """Items of the records after `sequence`."""
        return sum(segment.items_after(sequence) for segment in self._segments)

    def unload(self, sequence: int) -> None:
        """Nobody wants the records up to `sequence` any more; a segment stays until it is taken."""
        while self._loaded and (oldest := next(iter(self._loaded))) <= sequence:
            self._unload(oldest)

    def take(self, sequence: int, *, also_last: bool = False) -> list[Segment]:
        """The segments that end by `sequence`; they are not on the shelf any more. The last one may yet grow."""
        candidates = self._segments if also_last else self._segments[:-1]
        taken = [segment for segment in candidates if segment.last <= sequence]
        del self._segments[: len(taken)]
        return taken

    def _unload(self, sequence: int) -> None:
        self._loaded_bytes -= self._loaded.pop(sequence).size

    def _load(self, segment: Segment, place: int, sequence: int) -> Batch:
        loaded = self._loaded.get(sequence)
        return loaded.load() if loaded is not None else self._read(segment, place)
