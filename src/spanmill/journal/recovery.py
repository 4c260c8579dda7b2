"""Opening a journal: what is in its directory, and what a crash or a fault of the disk has left of it."""

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from spanmill.disk import Disk, is_temporary
from spanmill.journal.cursors import NAME as CURSORS
from spanmill.journal.cursors import CursorFile, Cursors
from spanmill.journal.format import NewerFormat, SegmentHeader
from spanmill.journal.memo import Group, read_memos
from spanmill.journal.quarantine import QUARANTINE, copy_range, move_aside, quarantined
from spanmill.journal.segment import Scan, Segment, read_header, scan, segment_files


@dataclass(slots=True)
class Damage:
    """What could not be taken over. Zero everywhere after a clean stop."""

    torn_bytes: int = 0
    """Written when the power went or the process died, and never acknowledged."""
    lost_records: int = 0
    """Records that some consumer has not had and that are gone; one for a damaged place of which no more is known."""
    notes: list[str] = field(default_factory=list)
    """One sentence on each place."""


@dataclass(slots=True)
class Recovered:
    """A journal as it was found."""

    identity: str
    cursors: Cursors | None
    """None when there were none, or none that are sound: then every consumer begins with the oldest record."""
    segments: list[Segment]
    requests: list[tuple[float, tuple[bytes, ...]]]
    """Digests of requests that were appended together and how many seconds before the journal's last
    append, the oldest first."""
    last: int
    """The last sequence that was given out, as far as is known."""
    damage: Damage


def recover(disk: Disk, directory: Path, dedup_window: float, opened: float) -> Recovered:
    """Read a journal's directory; an empty one is a new journal. `opened`: the event loop's time now.

    The clock of `dedup_window` stands still while the collector does not run: a sender that waited for it to come back
    sends again what it was sending when it went away.
    Raises `OSError` when the directory cannot be used, `NewerFormat` before anything is changed.
    """
    damage = Damage()
    headers = {path: _header(path) for path in segment_files(directory, disk.list(directory))}
    for name in disk.list(directory):
        if is_temporary(name):
            with suppress(OSError):
                disk.unlink(directory / name)
    cursors = _read_cursors(disk, directory, damage)
    identity = _identity(cursors, headers, damage)
    segments: list[Segment] = []
    requests: list[list[Group]] = []
    now = time.time_ns()
    for path, found in _Scans(disk, directory, bytes.fromhex(identity), damage).newest_first(headers):
        segment = Segment(path, int(path.stem), bytes.fromhex(identity))
        for offset, head in found.found:
            segment.add(head, offset, opened - max(0, now - head.time) / 1e9)
        segments.append(segment)
        requests.append([(head.time, head.requests) for _, head in found.found])
    segments.reverse()
    requests.append(read_memos(disk, directory))
    last = segments[-1].last if segments else 0
    if cursors is not None:
        last = max([last, *cursors.done.values()])
    _count_lost(cursors, segments, damage)
    groups = list(chain.from_iterable(reversed(requests)))
    latest = max((at for at, _ in groups), default=0)
    ages = [((latest - at) / 1e9, tuple(digests)) for at, digests in groups]
    young = [group for group in ages if group[0] < dedup_window]
    return Recovered(identity, cursors, segments, young, last, damage)


def _header(path: Path) -> SegmentHeader | None:
    try:
        return read_header(path)
    except NewerFormat as error:
        raise NewerFormat(f"{path} was {error}") from None
    except PermissionError:
        raise
    except OSError:
        return None


def _read_cursors(disk: Disk, directory: Path, damage: Damage) -> Cursors | None:
    try:
        return CursorFile(disk, directory).read()
    except PermissionError:
        raise
    except OSError as error:
        damage.notes.append(f"{CURSORS} cannot be read ({error.strerror or error}): moved to {QUARANTINE}")
        move_aside(disk, directory / CURSORS)
        return None


def _identity(cursors: Cursors | None, headers: dict[Path, SegmentHeader | None], damage: Damage) -> str:
    """The journal's name for itself, which every segment repeats."""
    if cursors is not None:
        return cursors.identity
    if headers:
        damage.notes.append(f"the file `{CURSORS}` is gone or damaged: every exporter begins with the oldest record")
    for header in headers.values():
        if header is not None:
            return header.identity.hex()
    return uuid.uuid4().hex


class _Scans:
    """Looks through the segments from the newest to the oldest: the end of each is where the next begins."""

    def __init__(self, disk: Disk, directory: Path, identity: bytes, damage: Damage) -> None:
        self._disk, self._identity, self._damage = disk, identity, damage
        self._damaged_before = quarantined(directory)
        self._next: int | None = None
        """The first sequence of the segment behind; None at the newest one."""

    def newest_first(self, headers: dict[Path, SegmentHeader | None]) -> Iterator[tuple[Path, Scan]]:
        """What is in the segments that hold records, one at a time; the others are out of the way.

        The newest is checked byte for byte: what was being written is at its end. So is one that was damaged before, so
        that it gives the same records every time.
        """
        for path in reversed(headers):
            found = self._scan(path)
            if found is not None or headers[path] is not None:
                self._next = int(path.stem)
            if found is not None:
                yield path, found

    def _scan(self, path: Path) -> Scan | None:
        verify = self._next is None or path.stem in self._damaged_before
        try:
            found = scan(path, int(path.stem), self._identity, before=self._next, verify=verify)
        except PermissionError:
            raise
        except OSError as error:
            self._set_aside(path, f"cannot be read ({error.strerror or error})")
            return None
        if found.found:
            self._look_at_damage(path, found)
            return found
        torn = self._next is None and not found.closed
        if found.tail_bytes and not torn:
            self._set_aside(path, "holds no record that can be read")
        else:
            self._note_torn(path, found.tail_bytes)
            self._disk.unlink(path)
        return None

    def _set_aside(self, path: Path, why: str) -> None:
        self._damage.notes.append(f"{path.name} {why}: moved to {QUARANTINE}")
        if self._next is None:  # else the next segment's name tells how many are lost
            self._damage.lost_records += 1
        with suppress(OSError):
            move_aside(self._disk, path)

    def _look_at_damage(self, path: Path, found: Scan) -> None:
        damaged, last = list(found.damaged), found.found[-1].head.sequence
        torn = self._next is None and not found.closed
        lacks_records = self._next is None or self._next > last + 1
        if found.tail_bytes and lacks_records and not torn:
            damaged.append((found.end, found.end + found.tail_bytes))
            self._damage.lost_records += self._next is None
        for begin, end in damaged:
            note = f"{path.name} is damaged from byte {begin} to {end}: a copy is in {QUARANTINE}"
            self._damage.notes.append(note)
            with suppress(OSError):  # a disk without room for a copy is no reason to stop
                copy_range(self._disk, path, begin, end)
        if torn:
            self._note_torn(path, found.tail_bytes)
            self._disk.truncate(path, found.end)

    def _note_torn(self, path: Path, size: int) -> None:
        self._damage.torn_bytes += size
        if size:
            self._damage.notes.append(f"{path.name} ends with {size} bytes that were being written: cut off")


def _count_lost(cursors: Cursors | None, segments: Iterable[Segment], damage: Damage) -> None:
    """Sequences that are in no file. (Those that were never given out look the same; they are rare.)"""
    done = min(cursors.done.values(), default=None) if cursors is not None else None
    for segment in segments:
        if done is None:
            done = segment.first - 1
        if segment.first > done + 1:
            damage.notes.append(f"records {done + 1} to {segment.first - 1} are gone: no file has them")
        if segment.last > done:
            damage.lost_records += segment.last - done - (len(segment) - segment.place_after(done))
            done = segment.last
