"""A disk whose power can be cut: what was synced stays, of the rest any part may be gone, down to a sector.

The files are real, and show what a page cache would; beside them the model keeps what is on the disk for certain. More
is lost than any real file system would lose: names and contents are independent, and nothing has an order.
"""

import os
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from spanmill.disk import Disk

_SECTOR_BYTES = 512


@dataclass
class _File:
    """What of one file is on the disk, and what has been written since."""

    path: Path
    synced: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def sync(self, now: bytes) -> None:
        self.synced = now
        self.writes.clear()
        self.sizes.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        data = bytearray(self.synced)
        for offset, written in self.writes:
            for start in range(0, len(written), _SECTOR_BYTES):
                if chance.random() < 0.5:
                    part = written[start : start + _SECTOR_BYTES]
                    data += bytes(max(0, offset + start + len(part) - len(data)))
                    data[offset + start : offset + start + len(part)] = part
        if self.sizes and chance.random() < 0.5:
            size = chance.choice(self.sizes)
            data = data[:size] + bytes(max(0, size - len(data)))
        return bytes(data)


class ModelledDisk(Disk):
    """For one directory without directories in it that matter. Safe from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.is_cut = False
        self._lock = threading.RLock()
        self._files: dict[str, _File] = {}
        """By the names that a process sees."""
        self._names: dict[str, _File] = {}
        """The names that are on the disk for certain."""
        self._changes: list[tuple[str, _File | None]] = []
        """Names given to files, or taken (None), since the directory was synced."""
        for path in root.iterdir():
            if path.is_file():
                self._files[path.name] = self._names[path.name] = _File(path, path.read_bytes())

    def cut(self, target: Path, chance: random.Random) -> None:
        """Write to `target` what is on the disk when the power comes back."""
        with self._lock:
            self.is_cut = True
            names = dict(self._names)
            for name, file in self._changes:
                if chance.random() < 0.5:
                    if file is None:
                        names.pop(name, None)
                    else:
                        names[name] = file
            target.mkdir()
            for name, file in names.items():
                (target / name).write_bytes(file.after_cut(chance))

    def create(self, path: Path, mode: int = 0o666) -> BinaryIO:
        with self._lock:
            file = super().create(path, mode)
            self._name(path, _File(path))
            return file

    def sync(self, file: BinaryIO) -> None:
        with self._lock:
            file.flush()
            self._sync(file.fileno())

    def sync_data(self, descriptor: int) -> None:
        with self._lock:
            self._sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            super().rename(source, target)
            file = self._files.pop(source.name, None)
            if file is not None and target.parent == self._root:
                file.path = target
                self._name(target, file)
            self._changes.append((source.name, None))

    def unlink(self, path: Path) -> None:
        with self._lock:
            super().unlink(path)
            if self._files.pop(path.name, None) is not None:
                self._changes.append((path.name, None))

    def allocate(self, path: Path, size: int) -> int:
        with self._lock:
            descriptor = super().allocate(path, size)
            self._name(path, _File(path, sizes=[size]))
            return descriptor

    def write_at(self, descriptor: int, offset: int, parts: Sequence[memoryview]) -> None:
        with self._lock:
            super().write_at(descriptor, offset, parts)
            self._of(descriptor).writes.append((offset, b"".join(parts)))

    def truncate(self, path: Path, size: int) -> None:
        with self._lock:
            super().truncate(path, size)
            self._files[path.name].sizes.append(size)

    def sync_directory(self, path: Path) -> None:
        with self._lock:
            if path == self._root:
                self._names = dict(self._files)
                self._changes.clear()

    def _name(self, path: Path, file: _File) -> None:
        if path.parent == self._root:
            self._files[path.name] = file
            self._changes.append((path.name, file))

    def _sync(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        readable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
        try:
            self._of(descriptor).sync(os.pread(readable, size, 0))
        finally:
            os.close(readable)

    def _of(self, descriptor: int) -> _File:
        """The file behind a descriptor; one nobody keeps when it has lost its name."""
        status = os.fstat(descriptor)
        for file in self._files.values():
            if file.path.exists() and os.path.samestat(file.path.stat(), status):
                return file
        return _File(Path())
