"""Reading a journal from outside: of a collector that is stopped, or beside one that runs. Changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from spanmill.batch import Batch
from spanmill.journal.segment import Segment, read_header, scan, segment_files
from spanmill.journal.stored import restore
from spanmill.signal import Signal

_HELD, _QUEUE = "before ", "queue "
"""Parts of pipelines, see `stages`."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record of a journal."""

    sequence: int
    time: float
    """When it was appended, seconds since 1970."""
    items: int
    load: Callable[[], Batch]
    """Reads the batch. Raises `journal.Unreadable`, `OSError`."""


def pipeline_directories(directory: Path) -> list[Path]:
    """The journals below a `service.journal.directory` whose rows are on their way to exporters.

    Without those of rows that a processor holds: what it lets go of them is in the pipeline's own.
    """
    found = (path for path in directory.iterdir() if path.is_dir() and signal_of(path) is not None)
    return sorted(path for path in found if not _part(path).startswith(_HELD))


def signal_of(directory: Path) -> Signal | None:
    """The signal of a pipeline's journal, by the name of its directory; None when it is no such directory, or a
    processor's queue."""
    name = unquote(directory.name).partition(" ")[0].partition("/")[0]
    signal = next((signal for signal in Signal if signal.value == name), None)
    return None if _part(directory).startswith(_QUEUE) else signal


def _part(directory: Path) -> str:
    """Which part of its pipeline a journal is of, see `PipelineId`."""
    return unquote(directory.name).partition(" ")[2]


def read_journal(directory: Path) -> Iterator[StoredRecord]:
    """Every record that a pipeline's journal still has, in order, whoever is done with it. What is damaged is left out.

    Beside a collector that runs, segments may go and records come while this reads. Raises `OSError`, `NewerFormat`.
    """
    signal = signal_of(directory)
    if signal is None:
        raise FileNotFoundError(f"{directory} is not the journal of a pipeline")
    files = segment_files(directory, (path.name for path in directory.iterdir()))
    for place, path in enumerate(files):
        before = int(files[place + 1].stem) if place + 1 < len(files) else None
        try:
            yield from _records(path, int(path.stem), before, signal)
        except FileNotFoundError:
            continue  # everybody was done with it


def _records(path: Path, first: int, before: int | None, signal: Signal) -> Iterator[StoredRecord]:
    header = read_header(path)
    if header is None:
        return
    segment = Segment(path, first, header.identity)
    for place, (offset, head) in enumerate(scan(path, first, header.identity, before=before, verify=False).found):
        segment.add(head, offset, 0.0)
        yield StoredRecord(head.sequence, head.time / 1e9, head.items, partial(_load, segment, place, signal))


def _load(segment: Segment, place: int, signal: Signal) -> Batch:
    head, payload = segment.read(place)
    return restore(signal, head, payload)
