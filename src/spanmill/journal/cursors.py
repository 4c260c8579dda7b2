"""How far each consumer of a journal is done, in one small file that is written in place.

The file has two slots, written in turn, each with a checksum and an ascending number: a write that is cut off damages
the older of the two. Its space is taken when it is made, so that a full disk cannot keep a cursor from moving.
"""

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from spanmill.disk import PRIVATE_FILE, Disk, write_whole
from spanmill.errors import SpanmillError

NAME = "cursors"
SLOT_BYTES = 64 * 1024
_SLOT = struct.Struct("<8sIIQ")
_MAGIC = b"SPcursor"
_CRC_FROM = 12


@dataclass(frozen=True, slots=True)
class Cursors:
    """What the file says."""

    identity: str
    """The journal's."""
    done: Mapping[str, int]
    """Of each consumer: the last sequence that it is done with for good."""


class CursorFile:
    """The file of one journal. `write` may be called in any thread, one call at a time."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        self._disk = disk
        self._path = directory / NAME
        self._number = 0
        self._descriptor: int | None = None

    def read(self) -> Cursors | None:
        """What was written last; None when there is no file, or none of its slots is sound. Raises `OSError`."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        sound = [slot for start in (0, SLOT_BYTES) if (slot := _unpack(data[start : start + SLOT_BYTES])) is not None]
        if not sound:
            return None
        self._number, cursors = max(sound, key=lambda slot: slot[0])
        return cursors

    def write(self, cursors: Cursors) -> None:
        """Return when the cursors are on the disk. Raises `OSError`: then what was written before still counts."""
        data = orjson.dumps({"identity": cursors.identity, "done": dict(cursors.done)})
        if len(data) > SLOT_BYTES - _SLOT.size:
            raise SpanmillError(f"{self._path}: the names of {len(cursors.done)} consumers do not fit into a slot")
        number = self._number + 1
        rest = struct.pack("<IQ", len(data), number) + data
        slot, offset = struct.pack("<8sI", _MAGIC, zlib.crc32(rest)) + rest, number % 2 * SLOT_BYTES
        if self._descriptor is None:
            self._open(offset, slot)
        self._write_in_place(offset, slot)
        self._number = number

    def close(self) -> None:
        """Let go of the file. Safe twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write_in_place(self, offset: int, slot: bytes) -> None:
        assert self._descriptor is not None
        try:
            self._disk.write_at(self._descriptor, offset, [memoryview(slot)])
            self._disk.sync_data(self._descriptor)
        except OSError:
            self.close()  # a descriptor whose sync has failed may say next time that all is well
            raise

    def _open(self, offset: int, slot: bytes) -> None:
        """Open the file. One that is new is written whole, so that its space is taken: where bytes lie already, a write
        in place needs no more of the disk."""
        if not self._path.exists() or self._path.stat().st_size < 2 * SLOT_BYTES:
            contents = slot.rjust(offset + len(slot), b"\0").ljust(2 * SLOT_BYTES, b"\0")
            write_whole(self._disk, self._path, lambda file: file.write(contents), PRIVATE_FILE)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)


def _unpack(slot: bytes) -> tuple[int, Cursors] | None:
    if len(slot) < _SLOT.size:
        return None
    magic, crc, length, number = _SLOT.unpack_from(slot)
    end = _SLOT.size + length
    if magic != _MAGIC or end > len(slot) or zlib.crc32(slot[_CRC_FROM:end]) != crc:
        return None
    data = orjson.loads(slot[_SLOT.size : end])
    return number, Cursors(data["identity"], data["done"])
