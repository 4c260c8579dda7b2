"""Batches that an exporter never delivers, kept on disk with the reason until somebody looks: dead letters.

One file for each: `<directory>/<exporter, percent-encoded>/<time>-<journal>-<first>-<last>.arrow`, an Arrow IPC file of
the batch's records (what processors made of them, as in a journal), with the letter as JSON in its schema's metadata.
"""

import json
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import pyarrow as pa

from spanmill.batch import Batch
from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, is_temporary, make_directories, write_whole
from spanmill.errors import SpanmillError
from spanmill.signal import Signal

_SUFFIX: Final = ".arrow"
_KEY: Final = b"spanmill.dead_letter"
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is known of a batch that was given up."""

    pipeline: str
    exporter: str
    signal: Signal
    reason: str
    items: int
    """Rows of the batch."""
    refused: int
    """How many of them were given up; the exporter delivered the others. Nobody knows which."""
    journal: str
    """The identity of the journal that they were read from."""
    first: int
    """The first of the journal's records that they were in."""
    last: int
    time: float
    """When they were given up, in seconds since 1970."""


class _File(NamedTuple):
    path: Path
    size: int


class DeadLetters:
    """The letters of one collector, at most `max_bytes` of files. Blocking; safe from any thread."""

    def __init__(self, directory: Path, max_bytes: int, disk: Disk) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self._disk = disk
        self._lock = threading.Lock()
        self._files: list[_File] | None = None
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of the files, once something was asked of them."""
        return self._held_bytes

    def last(self, exporter: str, journal: str) -> int | None:
        """The last record of the journal in a letter of this exporter. An exporter is handed a journal in order, so
        that everything up to there is done, whatever its cursor says. Raises `OSError`."""
        name = re.compile(rf"[^-]+-{re.escape(_encoded(journal))}-\d+-(\d+)\{_SUFFIX}")
        with self._lock:
            names = [file.path.name for file in self._known() if file.path.parent.name == _encoded(exporter)]
        return max((int(match[1]) for match in map(name.fullmatch, names) if match), default=None)

    def put(self, batch: Batch, letter: Letter) -> list[Letter]:
        """Keep a letter: on return it is on the disk. What had to go for want of room: the oldest letters, or this
        one, when it is larger than all room there is. The same batch again replaces itself. Raises `OSError`."""
        contents = _serialized(batch, letter)
        with self._lock:
            if contents.size > self.max_bytes:
                return [letter]
            path = self._path(letter)
            gone = self._make_room(contents.size, path)
            self._write(path, contents)
            self._replace(path, contents.size)
        return gone

    def _path(self, letter: Letter) -> Path:
        """The name; the one it has already, if a process died before it could note that the letter was written."""
        folder = self.directory / _encoded(letter.exporter)
        ending = f"-{_encoded(letter.journal)}-{letter.first}-{letter.last}{_SUFFIX}"
        for file in self._known():
            if file.path.parent == folder and file.path.name.endswith(ending):
                return file.path
        moment = datetime.fromtimestamp(letter.time, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return folder / f"{moment}{ending}"

    def _write(self, path: Path, contents: pa.Buffer) -> None:
        for directory in (path.parent.parent, path.parent):
            make_directories(self._disk, directory, PRIVATE_DIRECTORY)
        write_whole(self._disk, path, lambda file: file.write(contents), PRIVATE_FILE)

    def _make_room(self, size: int, for_path: Path) -> list[Letter]:
        gone = []
        for file in [file for file in self._known() if file.path != for_path]:
            if self._held_bytes + size <= self.max_bytes:
                break
            with suppress(SpanmillError, FileNotFoundError):
                gone.append(read_heading(file.path))
            self._disk.unlink(file.path)
            self._replace(file.path, None)
        return gone

    def _replace(self, path: Path, size: int | None) -> None:
        """Note that a file is of this size now, or gone."""
        files = [file for file in self._known() if file.path != path]
        if size is not None:
            files.append(_File(path, size))
        self._remember(files)

    def _known(self) -> list[_File]:
        """The files, oldest first; looked up once, when leftovers of a process that died are removed too."""
        if self._files is None:
            for folder in sorted(self._disk.list(self.directory)):
                for name in self._disk.list(self.directory / folder):
                    if is_temporary(name):
                        self._disk.unlink(self.directory / folder / name)
            self._remember([_File(path, path.stat().st_size) for path in letters(self.directory)])
        return self._files or []

    def _remember(self, files: list[_File]) -> None:
        self._files = sorted(files, key=lambda file: file.path.name)
        self._held_bytes = sum(file.size for file in files)


def letters(directory: Path) -> list[Path]:
    """The files of all letters below a directory of dead letters, oldest first."""
    return sorted(directory.glob(f"*/[!.]*{_SUFFIX}"), key=lambda path: path.name)


def read_letter(path: Path) -> tuple[Letter, Batch]:
    """A letter and its batch. Raises `SpanmillError` for a file that is none, and `OSError`."""
    try:
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            letter = _letter(reader.schema.metadata or {})
            records = reader.get_batch(0)
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from None
    metadata = {key: value for key, value in records.schema.metadata.items() if key != _KEY}
    return letter, Batch(letter.signal, records.replace_schema_metadata(metadata or None))


def read_heading(path: Path) -> Letter:
    """A letter without its batch, which is not read. Raises as `read_letter` does."""
    try:
        with pa.OSFile(str(path)) as file:
            return _letter(pa.ipc.open_file(file).schema.metadata or {})
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from None


def _letter(metadata: Mapping[bytes, bytes]) -> Letter:
    fields = json.loads(metadata[_KEY])
    return Letter(**{**fields, "signal": Signal(fields["signal"])})


def _unreadable(path: Path, error: Exception) -> SpanmillError:
    return SpanmillError(f"{path}: not a dead letter, or damaged ({type(error).__name__}: {error})")


def _serialized(batch: Batch, letter: Letter) -> pa.Buffer:
    metadata = {**(batch.records.schema.metadata or {}), _KEY: json.dumps(asdict(letter)).encode()}
    records = batch.records.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, records.schema, options=_OPTIONS) as writer:
        writer.write_batch(records)
    return sink.getvalue()


def _encoded(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")
