"""The file itself: whole records or nothing, put aside when it is full. Blocking; used from one thread at a time."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spanmill.exporters.file.config import Rotation

_MIB = 1024 * 1024
_STAMP = "%Y-%m-%dT%H-%M-%S.%f"
"""In the name of a file put aside, cut to milliseconds: `traces-2026-01-31T12-00-00.000.json`."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Backup:
    """A file put aside, and when."""

    path: Path
    moment: datetime


class Sink:
    """An open file that records are added to."""

    def __init__(
        self, path: Path, rotation: Rotation | None, *, empty: bool, now: Callable[[], datetime] = _now
    ) -> None:
        """Open the file, emptied if `empty`. Raises `OSError`."""
        self._path, self._rotation, self._now = path, rotation, now
        self._local = rotation is not None and rotation.localtime
        self._descriptor = -1
        self._unsynced = False
        self._open(empty=empty)
        self._remove_old()

    def append(self, record: bytes) -> None:
        """Add one record, first putting a full file aside. Raises `OSError`; the file is then as it was before."""
        if self._descriptor < 0:  # a full file was put aside, and the next could not be opened then
            self._open(empty=False)
        if self._rotation is not None and self._size and self._size + len(record) > self._rotation.max_megabytes * _MIB:
            self._put_aside()
        try:
            view = memoryview(record)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(record)
        self._unsynced = True

    def sync(self) -> None:
        """Force what was added to the disk. Raises `OSError`."""
        if self._unsynced and self._descriptor >= 0:
            os.fsync(self._descriptor)
            self._unsynced = False

    def close(self) -> None:
        """Force everything to the disk and close. Safe twice."""
        if self._descriptor >= 0:
            try:
                self.sync()
            finally:
                os.close(self._descriptor)
                self._descriptor = -1

    def backups(self) -> list[Backup]:
        """The files put aside, newest first."""
        found = []
        for path in self._path.parent.glob(f"{_literal(self._path.stem)}-*{_literal(self._path.suffix)}"):
            stamp = path.name.removeprefix(f"{self._path.stem}-").removesuffix(self._path.suffix)
            try:
                written = datetime.strptime(stamp, _STAMP)  # noqa: DTZ007 - the next line says which zone it is
            except ValueError:
                continue  # somebody else's file
            found.append(Backup(path, written.astimezone() if self._local else written.replace(tzinfo=UTC)))
        return sorted(found, key=lambda backup: backup.moment, reverse=True)

    def _open(self, *, empty: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_TRUNC if empty else 0)
        self._descriptor = os.open(self._path, flags, 0o644)
        self._size = os.fstat(self._descriptor).st_size

    def _put_aside(self) -> None:
        moment = self._now().astimezone(None if self._local else UTC)
        target = self._backup_path(moment)
        while target.exists():
            moment += timedelta(milliseconds=1)
            target = self._backup_path(moment)
        self.close()
        self._path.rename(target)
        self._open(empty=False)
        self._remove_old()

    def _backup_path(self, moment: datetime) -> Path:
        return self._path.with_name(f"{self._path.stem}-{moment.strftime(_STAMP)[:-3]}{self._path.suffix}")

    def _remove_old(self) -> None:
        if self._rotation is None:
            return
        oldest = self._now() - timedelta(days=self._rotation.max_days)
        for index, backup in enumerate(self.backups()):
            too_many = self._rotation.max_backups and index >= self._rotation.max_backups
            too_old = self._rotation.max_days and backup.moment < oldest
            if too_many or too_old:
                backup.path.unlink(missing_ok=True)


def _literal(text: str) -> str:
    """Text as a glob pattern that matches only itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)
