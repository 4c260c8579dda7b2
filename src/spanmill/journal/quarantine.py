"""Where what cannot be read is kept, for whoever wants to look. Nothing in it is ever read again."""

from pathlib import Path

from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, write_whole
from spanmill.journal.segment import read_range

QUARANTINE = "quarantine"
_SUFFIX = ".bin"


def copy_range(disk: Disk, path: Path, begin: int, end: int) -> None:
    """Copy a range of a segment aside. The same range always has the same name. Raises `OSError`."""
    contents = read_range(path, begin, end)
    copy = _directory(disk, path.parent) / f"{path.stem}-{begin}{_SUFFIX}"
    write_whole(disk, copy, lambda file: file.write(contents), PRIVATE_FILE)


def move_aside(disk: Disk, path: Path) -> None:
    """Take a file out of the journal. Raises `OSError`."""
    disk.rename(path, _directory(disk, path.parent) / path.name)


def quarantined(directory: Path) -> set[str]:
    """The names, without suffix, of the segments of which ranges have been copied aside."""
    return {path.name.partition("-")[0] for path in (directory / QUARANTINE).glob(f"*-*{_SUFFIX}")}


def _directory(disk: Disk, journal: Path) -> Path:
    target = journal / QUARANTINE
    disk.make_directory(target, PRIVATE_DIRECTORY)
    return target
