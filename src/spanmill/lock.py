"""One collector for each directory."""

import fcntl
import os
from pathlib import Path

NAME = ".spanmill.lock"


class DirectoryInUse(Exception):  # noqa: N818 - says what is the matter
    """Another process, or another component of this one, holds the directory. The text says which."""


class DirectoryLock:
    """An advisory lock that the operating system releases when the process ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock without waiting. Raises `DirectoryInUse`, `OSError`."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise DirectoryInUse(
                f"{self._path.parent} is in use by another collector or component (process {holder or 'unknown'}); "
                "give each a directory of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others in. Safe twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
