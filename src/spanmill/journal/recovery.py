"""Opening a journal: what is in its directory, and what a crash or a fault of the disk has left of it."""

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, is_temporary
from spanmill.journal.cursors import CursorFile, Cursors
from spanmill.journal.format import SEGMENT_HEADER_BYTES, NewerFormat, unpack_segment_header
from spanmill.journal.memo import read_memos
from spanmill.journal.segment import SUFFIX, Scan, Segment, scan

QUARANTINE = "quarantine"


@dataclass(slots=True)
class Damage:
    """What could not be taken over. Zero everywhere after a clean stop."""

    torn_bytes: int = 0
    """Written when the power went or the process died, and never acknowledged."""
    ranges: int = 0
    """Places inside segments that hold no record any more; their bytes are kept in `quarantine`."""
    segments: int = 0
    """Files that cannot be read at all, moved to `quarantine`."""
    missing: int = 0
    """Records between the cursors and the oldest segment, or between two segments, whose file is gone."""
    notes: list[str] = field(default_factory=list)
    """One sentence on each."""


@dataclass(slots=True)
class Recovered:
    """A journal as it was found."""

    identity: str
    cursors: Cursors | None
    """None when there were none, or none that are sound: then every consumer begins with the oldest record."""
    segments: list[Segment]
    requests: list[tuple[float, tuple[bytes, ...]]]
    """Digests of requests that were appended together and how many seconds ago, the oldest first."""
    last: int
    """The last sequence that was given out, as far as is known."""
    damage: Damage


def recover(disk: Disk, directory: Path, dedup_window: float, opened: float) -> Recovered:
    """Read a journal's directory; an empty one is a new journal. `opened`: the event loop's time now.

    Raises `OSError` when the directory cannot be used, `NewerFormat`.
    """
    damage = Damage()
    for name in disk.list(directory):
        if is_temporary(name):
            disk.unlink(directory / name)
    cursors = CursorFile(disk, directory).read()
    files = _segment_files(disk, directory)
    identity = _identity(cursors, files, damage)
    segments, requests = [], read_memos(disk, directory, dedup_window)
    now = time.time_ns()
    for place, (first, path) in enumerate(files):
        is_last = place == len(files) - 1
        before = None if is_last else files[place + 1][0]
        found = _scan(disk, path, first, bytes.fromhex(identity), before, is_last, damage)
        segment = Segment(path, first, bytes.fromhex(identity))
        for offset, head in found.found:
            age = max(0, now - head.time) / 1e9
            segment.add(head, offset, opened - age)
            requests.append((age, head.requests))
        if len(segment):
            segments.append(segment)
        else:
            disk.unlink(path)
    last = max([segments[-1].last] if segments else [0])
    if cursors is not None:
        last = max([last, *cursors.done.values()])
    _look_for_gaps(cursors, segments, damage)
    return Recovered(identity, cursors, segments, requests, last, damage)


def _segment_files(disk: Disk, directory: Path) -> list[tuple[int, Path]]:
    names = [name for name in disk.list(directory) if name.endswith(SUFFIX)]
    return sorted((int(stem), directory / name) for name in names if (stem := name.removesuffix(SUFFIX)).isdigit())


def _identity(cursors: Cursors | None, files: list[tuple[int, Path]], damage: Damage) -> str:
    """The journal's name for itself, which every segment repeats."""
    if cursors is not None:
        return cursors.identity
    if files:
        damage.notes.append("the file `cursors` is gone or damaged: every exporter begins with the oldest record")
    for _, path in files:
        with suppress(OSError):
            if (found := unpack_segment_header(_head_of(path))) is not None:
                return found.hex()
    return uuid.uuid4().hex


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SEGMENT_HEADER_BYTES)


def _scan(
    disk: Disk, path: Path, first: int, identity: bytes, before: int | None, is_last: bool, damage: Damage
) -> Scan:
    try:
        unpack_segment_header(_head_of(path))
        found = scan(path, first, identity, before=before, verify=is_last)
        _keep_damaged(disk, path, found, damage)
        if is_last and found.torn_bytes:
            damage.torn_bytes += found.torn_bytes
            damage.notes.append(f"{path.name} ends with {found.torn_bytes} bytes that were being written: cut off")
        if is_last and found.found:
            disk.truncate(path, found.found[-1].offset + found.found[-1].head.length)
    except NewerFormat as error:
        raise NewerFormat(f"{path} was {error}") from None
    except PermissionError:
        raise
    except OSError as error:
        damage.segments += 1
        damage.notes.append(f"{path.name} cannot be read ({error.strerror or error}): moved to {QUARANTINE}")
        _quarantine_directory(disk, path.parent)
        disk.rename(path, path.parent / QUARANTINE / path.name)
        return Scan()
    return found


def _keep_damaged(disk: Disk, path: Path, found: Scan, damage: Damage) -> None:
    """Copy damaged ranges aside, for whoever wants to look; a disk without room for that is no reason to stop."""
    for begin, end in found.damaged:
        damage.ranges += 1
        damage.notes.append(f"{path.name} is damaged from byte {begin} to {end}: a copy is in {QUARANTINE}")
        with suppress(OSError):
            quarantine(disk, path, begin, end)


def quarantine(disk: Disk, path: Path, begin: int, end: int) -> None:
    """Copy a range of a segment aside. The same range always has the same name. Raises `OSError`."""
    target = _quarantine_directory(disk, path.parent) / f"{path.stem}-{begin}.bin"
    with path.open("rb") as source, disk.create(target, PRIVATE_FILE) as copy:
        source.seek(begin)
        copy.write(source.read(end - begin))


def _quarantine_directory(disk: Disk, directory: Path) -> Path:
    target = directory / QUARANTINE
    disk.make_directory(target, PRIVATE_DIRECTORY)
    return target


def _look_for_gaps(cursors: Cursors | None, segments: list[Segment], damage: Damage) -> None:
    """Files that somebody has deleted. (Sequences that were never given out look the same; they are rare.)"""
    done = min(cursors.done.values(), default=None) if cursors is not None else None
    for segment in segments:
        if done is not None and segment.first > done + 1:
            damage.missing += segment.first - done - 1
            damage.notes.append(f"records {done + 1} to {segment.first - 1} are gone: no file has them")
        done = max(done or 0, segment.last)
