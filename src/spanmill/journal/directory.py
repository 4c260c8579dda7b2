"""The directory in which the journals of one collector lie, one directory for each pipeline."""

import asyncio
import hashlib
from pathlib import Path
from urllib.parse import quote

from spanmill.config.models import Journal as JournalConfig
from spanmill.disk import PRIVATE_DIRECTORY, Disk, make_directories
from spanmill.errors import StartError
from spanmill.journal.committer import Policy
from spanmill.journal.disk import DiskJournal, Limits
from spanmill.journal.segment import SUFFIX
from spanmill.lock import DirectoryInUse, DirectoryLock
from spanmill.names import PipelineId
from spanmill.telemetry.logs import Log, component_log
from spanmill.telemetry.metrics import Metrics

DEAD_LETTERS = "dead_letters"
_NAME = "service.journal"
_LONGEST_NAME = 120
_MIB = 1024 * 1024
_LEAST_SEGMENTS = 4
"""A journal is made of so many segments at least, so that it can let go of some while it holds others."""


class JournalDirectory:
    """Makes the journals, and keeps other collectors out while it is open."""

    def __init__(self, config: JournalConfig, metrics: Metrics, log: Log, disk: Disk | None = None) -> None:
        self.path = Path(config.directory)
        self._config, self._metrics, self._log = config, metrics, log
        self._disk = disk or Disk()
        self._lock = DirectoryLock(self.path)
        self._names: set[str] = {DEAD_LETTERS}

    def journal(self, pipeline: PipelineId, dedup_window: float | None = None) -> DiskJournal:
        """The journal of a pipeline. It touches nothing before it is started. `dedup_window`, in seconds: that of the
        configuration by default."""
        config, name = self._config, directory_name(pipeline)
        self._names.add(name)
        policy = Policy(
            segment_bytes=min(config.segment_size_mib * _MIB, config.max_bytes // _LEAST_SEGMENTS),
            fsync=config.fsync,
            fsync_interval_seconds=config.fsync_interval,
            min_free_bytes=config.min_free_disk_mib * _MIB,
        )
        window = config.dedup_window if dedup_window is None else dedup_window
        limits = Limits(config.max_bytes, window)
        log = component_log("journal", str(pipeline))
        return DiskJournal(self.path / name, pipeline, limits, policy, self._metrics, log, self._disk)

    async def open(self) -> None:
        """Take the directory. Raises `StartError`."""
        try:
            await asyncio.to_thread(self._open)
        except DirectoryInUse as error:
            raise StartError(_NAME, str(error)) from error
        except OSError as error:
            reason = f"{error.filename or self.path}: {error.strerror or error}; it must be writable and have room. "
            hint = f"`{_NAME}.directory` names another place; `enabled: false` there holds data in memory"
            raise StartError(_NAME, reason + hint) from error

    def close(self) -> None:
        """Let another collector have the directory. Safe twice."""
        self._lock.release()

    def _open(self) -> None:
        make_directories(self._disk, self.path, PRIVATE_DIRECTORY)
        self._lock.acquire()
        for name in sorted(self._disk.list(self.path)):
            held = (
                [file for file in self._disk.list(self.path / name) if file.endswith(SUFFIX)]
                if self._left(name)
                else []
            )
            if held:
                self._log.warning(
                    "a pipeline that is not configured any more has left data: bring the pipeline back, or send it "
                    "with `spanmill replay` and remove the directory", directory=str(self.path / name), files=len(held),
                )  # fmt: skip

    def _left(self, name: str) -> bool:
        return name not in self._names and (self.path / name).is_dir()


def directory_name(pipeline: PipelineId) -> str:
    """The name of a pipeline's directory: percent-encoded, and shortened with a hash where it is very long."""
    name = quote(str(pipeline), safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
