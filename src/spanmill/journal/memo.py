"""What is remembered of a segment when it is deleted: the digests of its requests, so that one that is sent again after
a restart is still known."""

import struct
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from spanmill.disk import PRIVATE_FILE, Disk, write_whole
from spanmill.journal.format import DIGEST_BYTES

SUFFIX = ".requests"
_GROUP = struct.Struct("<QI")
_CRC = struct.Struct("<I")

Group = tuple[int, Sequence[bytes]]
"""When requests were appended together (nanoseconds since 1970), and their digests."""


def write_memo(disk: Disk, path: Path, groups: Sequence[Group]) -> None:
    """Keep the digests of a segment that is about to be deleted. Raises `OSError`."""
    data = b"".join(
        part for at, digests in groups if digests for part in (_GROUP.pack(at, len(digests)), b"".join(digests))
    )
    if data:
        contents = _CRC.pack(zlib.crc32(data)) + data
        write_whole(disk, path.with_suffix(SUFFIX), lambda file: file.write(contents), PRIVATE_FILE)


def read_memos(disk: Disk, directory: Path) -> list[Group]:
    """What is remembered, the oldest first."""
    names = sorted(name for name in disk.list(directory) if name.endswith(SUFFIX))
    return [group for name in names for group in _read(directory / name)]


def _read(path: Path) -> list[Group]:
    """Damaged ones hold nothing: what they knew is only needed to store a request once that was sent twice."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    if len(data) < _CRC.size or _CRC.unpack_from(data)[0] != zlib.crc32(data[_CRC.size :]):
        return []
    groups: list[Group] = []
    offset = _CRC.size
    while offset < len(data):
        at, count = _GROUP.unpack_from(data, offset)
        offset += _GROUP.size
        end = offset + DIGEST_BYTES * count
        groups.append((at, tuple(data[i : i + DIGEST_BYTES] for i in range(offset, end, DIGEST_BYTES))))
        offset = end
    return groups


def forget_memos(disk: Disk, directory: Path, window_seconds: float) -> None:
    """Delete what is too old to matter, as far as the disk allows."""
    for name in disk.list(directory):
        with suppress(OSError):
            if name.endswith(SUFFIX) and time.time() - (directory / name).stat().st_mtime > window_seconds:
                disk.unlink(directory / name)
