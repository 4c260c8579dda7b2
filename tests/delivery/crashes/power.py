"""A disk that can lose power: a file system on a loop device, shut down at once, without writing anything more.

What had not been synced by then is gone, for good, as in a power cut. Needs root, loop devices and `mkfs`.
"""

import fcntl
import os
import signal
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from spanmill.generate.collector import Collector

FILE_SYSTEMS: Final = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
_SHUTDOWN: Final = 0x8004587D
"""`EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN`, which are the same number."""
_WITHOUT_LOG_FLUSH: Final = 2
_SIZE_BYTES: Final = 512 * 1024 * 1024
"""XFS is made no smaller than 300 MB. The image is sparse."""
_LAST_CALLS_SECONDS: Final = 0.02
_BUSY_SECONDS: Final = 10.0


class CannotMount(Exception):  # noqa: N818 - says what is the matter
    """This machine does not allow it. The text says what is missing."""


class LoopDisk:
    """A file system of its own, mounted at `path`. Leaving unmounts it and deletes the image, whatever happened."""

    def __init__(self, directory: Path, file_system: str) -> None:
        self.path = directory / "mount"
        self._image = directory / f"{file_system}.image"
        self._make = FILE_SYSTEMS[file_system]

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise CannotMount("cutting the power of a loop device needs root")
        self.path.mkdir()
        try:
            with self._image.open("wb") as image:
                image.truncate(_SIZE_BYTES)
            self._run(*self._make, str(self._image))
            self._mount()
        except BaseException:
            self._image.unlink(missing_ok=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if os.path.ismount(self.path):
                self._unmount()
        finally:
            self._image.unlink()

    def cut(self, collector: Collector) -> None:
        """The power goes; the collector with it. Afterwards the disk is there again, with what was safe on it.

        The collector is stopped first and its system calls under way given time to end: a sync that ends well at the
        very moment of the cut could be acknowledged although the cut came before it, which no real disk does.
        """
        process = collector.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(_LAST_CALLS_SECONDS)
        try:
            self._shut_down()
        finally:
            collector.kill()
        self._unmount()
        self._mount()

    def _shut_down(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
        except OSError as error:
            raise CannotMount(f"this kernel does not shut file systems down: {error}") from None
        finally:
            os.close(descriptor)

    def _mount(self) -> None:
        self._run("mount", "-o", "loop", str(self._image), str(self.path))

    def _unmount(self) -> None:
        """The loop device goes with the mount. Who is still on it gets a moment to leave."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._run("umount", str(self.path))
            except CannotMount:
                if time.monotonic() > deadline:
                    self._run("umount", "--lazy", str(self.path))
                    raise
                time.sleep(0.05)

    @staticmethod
    def _run(*command: str) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise CannotMount(f"{command[0]} is not installed") from None
        except subprocess.CalledProcessError as error:
            raise CannotMount(f"{' '.join(command)}: {error.stderr.strip()}") from None
