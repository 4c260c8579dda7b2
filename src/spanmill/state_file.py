"""A small state on the disk, in a directory of its own: written whole, read at the start.

<one line of JSON>: {"format": 1, "crc32": <of the rest>}
<the rest: bytes that mean something to whoever keeps them>
"""

import time
import zlib
from pathlib import Path
from typing import Any, Final

import orjson

from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, make_directories, write_whole
from spanmill.errors import SpanmillError
from spanmill.lock import DirectoryLock

NAME: Final = "state.json"
FORMAT_VERSION: Final = 1


class NewerState(SpanmillError):  # noqa: N818 - says what is the matter
    """The file was written by a later version."""


class Corrupt(SpanmillError):  # noqa: N818 - says what is the matter
    """The file does not hold what was written."""


class StateFile:
    """The file in its directory. For one thread at a time."""

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.path = directory / NAME
        self._directory, self._disk = directory, disk or Disk()
        self._lock = DirectoryLock(directory)

    def open(self) -> None:
        """Take the directory. Raises `DirectoryInUse`, `OSError`."""
        make_directories(self._disk, self._directory, PRIVATE_DIRECTORY)
        self._lock.acquire()

    def close(self) -> None:
        """Let another collector have the directory. Safe twice."""
        self._lock.release()

    def read(self) -> bytes | None:
        """What was written last, None when there is no file. Raises `Corrupt`, `NewerState`, `OSError`."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return _body(data)

    def write(self, body: bytes) -> None:
        """Return when the body is on the disk. Raises `OSError`: then the file holds this body or the one before."""
        data = orjson.dumps({"format": FORMAT_VERSION, "crc32": zlib.crc32(body)}) + b"\n" + body + b"\n"
        write_whole(self._disk, self.path, lambda file: file.write(data), PRIVATE_FILE)

    def set_aside(self) -> Path:
        """Give a corrupt file another name, so that nothing overwrites it; the name. Raises `OSError`."""
        target = self.path.with_name(f"{NAME}.corrupt-{time.time_ns()}")
        self._disk.rename(self.path, target)
        self._disk.sync_directory(self._directory)
        return target


def _body(data: bytes) -> bytes:
    head, _, body = data.partition(b"\n")
    body = body.removesuffix(b"\n")
    try:
        header: dict[str, Any] = orjson.loads(head)
        version, checksum = int(header["format"]), header["crc32"]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise Corrupt("its first line is not what was written") from None
    if version > FORMAT_VERSION:
        raise NewerState(f"it was written by a later version of Spanmill (format {version}, known is {FORMAT_VERSION})")
    if checksum != zlib.crc32(body):
        raise Corrupt("its checksum is wrong")
    return body
