"""Every change that storage and journals make to a disk goes through `Disk`, so that a test can fail each one.

A file comes into being whole or not at all: written under a temporary name that no reader's pattern matches
(`.<name>.tmp`), synced, renamed, and its directory synced.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
_BUFFER_BYTES = 1 << 20
_MOST_PARTS = 1024
"""Buffers that the operating system takes in one call (IOV_MAX)."""


class Disk:
    """The real one. Every method raises `OSError` when the operating system refuses."""

    def create(self, path: Path, mode: int = 0o666) -> BinaryIO:
        """An empty file to write to, in place of whatever was there. `mode`: its permissions, less the umask."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, mode), "wb", buffering=_BUFFER_BYTES)

    def sync(self, file: BinaryIO) -> None:
        """Return when everything written to the file is on the disk."""
        file.flush()
        os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name, in place of whatever had it. Readers see the one or the other."""
        source.replace(target)

    def sync_directory(self, path: Path) -> None:
        """Return when every name in the directory is on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_directory(self, path: Path, mode: int = 0o777) -> None:
        """Make one directory; its parent is there. No error if it is there already."""
        path.mkdir(mode, exist_ok=True)

    def unlink(self, path: Path) -> None:
        """Remove a file; no error if it is gone."""
        path.unlink(missing_ok=True)

    def remove_directory(self, path: Path) -> None:
        """Remove a directory if it is empty."""
        with suppress(OSError):
            path.rmdir()

    def allocate(self, path: Path, size: int) -> int:
        """A new private file of `size` zero bytes whose space is taken for good; its descriptor."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, PRIVATE_FILE)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def write_at(self, descriptor: int, offset: int, parts: Sequence[memoryview]) -> None:
        """Write the parts one after the other from `offset` on."""
        left = deque(part for part in parts if part.nbytes)
        while left:
            written = os.pwritev(descriptor, list(islice(left, _MOST_PARTS)), offset)
            offset += written
            while left and written >= len(left[0]):
                written -= len(left.popleft())
            if written:
                left[0] = left[0][written:]

    def sync_data(self, descriptor: int) -> None:
        """Return when what was written at offsets is on the disk."""
        os.fdatasync(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Give back the space of a file beyond `size`."""
        os.truncate(path, size)

    def free_bytes(self, path: Path) -> int:
        """Space left to this user on the disk of a directory."""
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize

    def list(self, path: Path) -> list[str]:
        """The names in a directory, none if there is no such directory."""
        try:
            return os.listdir(path)  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []


def temporary(path: Path) -> Path:
    """The name under which a file is written before it gets its own."""
    return path.with_name(f".{path.name}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file of that name was never finished."""
    return name.startswith(".") and name.endswith(".tmp")


class Directories:
    """Makes directories below `root` so that they survive a power cut: each is on the disk before it is used.

    One that exists may have been made by a process that died before it could sync it, so that each is synced once.
    """

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk, self._root = disk, root
        self._durable: set[Path] = set()

    def ensure(self, path: Path) -> None:
        """Make a directory at or below the root, with its parents."""
        if path in self._durable:
            return
        if path == self._root:
            make_directories(self._disk, path)
        else:
            self.ensure(path.parent)
            self._disk.make_directory(path)
            self._disk.sync_directory(path.parent)
        self._durable.add(path)

    def remove(self, path: Path) -> None:
        """Remove a directory if it is empty."""
        self._durable.discard(path)
        self._disk.remove_directory(path)


def make_directories(disk: Disk, path: Path, mode: int = 0o777) -> None:
    """Make a directory, and its missing parents, each on the disk before the next. `mode` is the directory's own."""
    if path.is_dir():
        return
    make_directories(disk, path.parent)
    disk.make_directory(path, mode)
    disk.sync_directory(path.parent)


def write_whole(disk: Disk, path: Path, write: Callable[[BinaryIO], object], mode: int = 0o666) -> None:
    """Bring a file into being, or leave what was there. On return it is on the disk, name and all."""
    unfinished = temporary(path)
    try:
        with disk.create(unfinished, mode) as file:
            write(file)
            disk.sync(file)
        disk.rename(unfinished, path)
    except BaseException:
        with suppress(OSError):
            disk.unlink(unfinished)
        raise
    disk.sync_directory(path.parent)


def walk(disk: Disk, root: Path) -> Iterator[Path]:
    """Every file below a directory, sorted."""
    for name in sorted(disk.list(root)):
        path = root / name
        if path.is_dir():
            yield from walk(disk, path)
        else:
            yield path
