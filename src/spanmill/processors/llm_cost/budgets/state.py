"""The state file: a tally on the disk, in a directory of its own.

<one line of JSON>: {"format": 1, "crc32": <of the second line>}
<one line of JSON>: the tally; sums as text, because they may be longer than JSON's readers expect of a number
"""

import time
import zlib
from pathlib import Path
from typing import Any, Final

import orjson

from spanmill.disk import PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, make_directories, write_whole
from spanmill.errors import SpanmillError
from spanmill.lock import DirectoryLock
from spanmill.processors.llm_cost.budgets.counting import Amount, Scope
from spanmill.processors.llm_cost.budgets.periods import Period
from spanmill.processors.llm_cost.budgets.tally import Notice, NoticeKey, NoticeState, Tally

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

    def read(self) -> Tally:
        """What was written last, nothing when there is no file. Raises `Corrupt`, `NewerState`, `OSError`."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return Tally()
        return _load(data)

    def write(self, tally: Tally) -> None:
        """Return when the tally is on the disk. Raises `OSError`: then the file holds this tally or the one before."""
        data = _dump(tally)
        write_whole(self._disk, self.path, lambda file: file.write(data), PRIVATE_FILE)

    def set_aside(self) -> Path:
        """Give a corrupt file another name, so that nothing overwrites it; the name. Raises `OSError`."""
        target = self.path.with_name(f"{NAME}.corrupt-{time.time_ns()}")
        self._disk.rename(self.path, target)
        self._disk.sync_directory(self._directory)
        return target


def _dump(tally: Tally) -> bytes:
    body = orjson.dumps(
        {
            "positions": dict(tally.positions),
            "scopes": [
                [*scope, [[period, start, str(a.nano_usd), str(a.unpriced)] for (period, start), a in sums.items()]]
                for scope, sums in tally.scopes.items()
            ],
            "notices": [[*key, notice.state, str(notice.limit)] for key, notice in tally.notices.items()],
        }
    )
    return orjson.dumps({"format": FORMAT_VERSION, "crc32": zlib.crc32(body)}) + b"\n" + body + b"\n"


def _load(data: bytes) -> Tally:
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
    return _tally(orjson.loads(body))


def _tally(data: dict[str, Any]) -> Tally:
    return Tally(
        {
            Scope(label, value): {
                (Period(p), start): Amount(int(usd), int(unpriced)) for p, start, usd, unpriced in sums
            }
            for label, value, sums in data["scopes"]
        },
        {
            NoticeKey(budget, Period(period), start, value, threshold): Notice(NoticeState(state), int(limit))
            for budget, period, start, value, threshold, state, limit in data["notices"]
        },
        data["positions"],
    )
