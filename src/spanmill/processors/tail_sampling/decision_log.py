"""The log of decisions, on the disk before anything is done about them.

One file, `<number>.decisions`: a header with the log's identity, then entries (`decisions`), each with its length and
checksum. It begins with a snapshot; once it has grown to several times that, a file with a new snapshot replaces it.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import Final

from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, is_temporary, make_directories, write_whole
from spanmill.processors.tail_sampling.decisions import Entry, Snapshot, decode, encode

_SUFFIX: Final = ".decisions"
_FILE: Final = struct.Struct("<8s16s")
_ENTRY: Final = struct.Struct("<II")
_MAGIC: Final = b"SPtail01"
_GROWTH: Final = 4
_LEAST_GROWTH_BYTES: Final = 16 * 1024 * 1024


class DecisionLog:
    """Not safe from several threads at once. Every method raises `OSError` when the disk refuses."""

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self._directory, self._disk = directory, disk or Disk()
        self._number = 0
        self._descriptor: int | None = None
        self._end = self._snapshot_bytes = 0
        self.identity = b""
        """16 bytes; a new one for every log that is begun without an older one."""
        self.damaged_bytes = 0
        """What could not be read at the end of the log."""

    def read(self) -> list[Entry]:
        """All entries of the log, a snapshot first; none when there is no log. Makes its directory."""
        make_directories(self._disk, self._directory, PRIVATE_DIRECTORY)
        for number in sorted(self._numbers(), reverse=True):
            data = self._path(number).read_bytes()
            if len(data) >= _FILE.size and data[:8] == _MAGIC:
                entries, end = _entries(data)
                if entries and isinstance(entries[0], Snapshot):
                    self._number, self.identity = number, _FILE.unpack_from(data)[1]
                    self._end, self.damaged_bytes = end, len(data) - end
                    return entries
        self._number, self.identity = max(self._numbers(), default=0), os.urandom(16)
        return []

    def begin(self, snapshot: Snapshot) -> None:
        """Go on in a new file that begins with the snapshot; the older ones go."""
        data = _framed(encode(snapshot))
        contents = _FILE.pack(_MAGIC, self.identity) + data
        path = self._path(self._number + 1)
        write_whole(self._disk, path, lambda file: file.write(contents), PRIVATE_FILE)
        self.close()
        self._number += 1
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._end = self._snapshot_bytes = len(contents)
        for number in self._numbers():
            if number != self._number:
                self._disk.unlink(self._path(number))

    def resume(self) -> None:
        """Go on in the file that was read, behind its last sound entry."""
        self._disk.truncate(self._path(self._number), self._end)
        self._descriptor = os.open(self._path(self._number), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def append(self, entry: Entry) -> None:
        """Return when the entry is on the disk. After an error the same entry may be appended again."""
        assert self._descriptor is not None
        data = _framed(encode(entry))
        self._disk.write_at(self._descriptor, self._end, [memoryview(data)])
        self._disk.sync_data(self._descriptor)
        self._end += len(data)

    @property
    def is_long(self) -> bool:
        """Whether a new snapshot is worth its while."""
        return self._end > _GROWTH * self._snapshot_bytes + _LEAST_GROWTH_BYTES

    def close(self) -> None:
        """Safe twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:012d}{_SUFFIX}"

    def _numbers(self) -> list[int]:
        names = self._disk.list(self._directory)
        for name in names:
            if is_temporary(name):
                self._disk.unlink(self._directory / name)
        stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        return [int(stem) for stem in stems if stem.isdigit()]


def _framed(data: bytes) -> bytes:
    return _ENTRY.pack(len(data), zlib.crc32(data)) + data


def _entries(data: bytes) -> tuple[list[Entry], int]:
    """The sound entries from the beginning on, and where they end: an entry that was being written is none."""
    entries: list[Entry] = []
    offset = _FILE.size
    while offset + _ENTRY.size <= len(data):
        length, crc = _ENTRY.unpack_from(data, offset)
        body = data[offset + _ENTRY.size : offset + _ENTRY.size + length]
        if not length or len(body) < length or zlib.crc32(body) != crc:
            break
        entries.append(decode(body))
        offset += _ENTRY.size + length
    return entries, offset
