"""The collector on a disk whose every sync takes longer, as those of clouds do.

    python benchmarks/slow_disk.py 5 run --config FILE

A sync of the real disk is followed by a pause of so many milliseconds, in the thread that asked for it.
"""

import sys
import time
from pathlib import Path
from typing import BinaryIO

from spanmill import disk
from spanmill.cli import main

_PAUSE_SECONDS = float(sys.argv.pop(1)) / 1000


class SlowDisk(disk.Disk):
    """See above."""

    def sync(self, file: BinaryIO) -> None:
        super().sync(file)
        time.sleep(_PAUSE_SECONDS)

    def sync_data(self, descriptor: int) -> None:
        super().sync_data(descriptor)
        time.sleep(_PAUSE_SECONDS)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    disk.Disk = SlowDisk  # type: ignore[misc]  # before any module takes the name from there
    main()
