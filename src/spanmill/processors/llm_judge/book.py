"""What a judge must not forget over a restart: what it has spent, and which questions of its queue are answered."""

import asyncio
from pathlib import Path
from typing import Final

import orjson

from spanmill.disk import Disk
from spanmill.errors import StartError
from spanmill.judge.spending import Spending
from spanmill.lock import DirectoryInUse
from spanmill.state_file import Corrupt, NewerState, StateFile
from spanmill.storage.exporter import run_whole
from spanmill.telemetry.logs import Log

_GATHER_SECONDS: Final = 0.1
"""Senders wait for the same disk: rather a question that waits a moment than a write for each."""


class JudgeBook:
    """Belongs to the event loop. Anything that changes is on the disk with the next `save`."""

    def __init__(self, directory: Path, name: str, spending: Spending, log: Log, disk: Disk | None = None) -> None:
        """`name`: of the processor, for errors."""
        self._file, self._name, self._spending, self._log = StateFile(directory, disk), name, spending, log
        self.answered: set[bytes] = set()
        """Keys of questions whose verdicts are out, and which the queue still has."""
        self._is_open = False
        self._writing = asyncio.Lock()
        self._asked = self._written = 0
        """Number of the last `save` that was called, and of the last whose state is on the disk."""

    async def open(self) -> None:
        """Take the directory and read what is there. Raises `StartError`."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Save, and let another collector have the directory. Safe twice, and without `open`."""
        try:
            if self._is_open:
                await self.save(0)
        except OSError as error:
            self._log.error("what the judge has spent cannot be written", reason=error.strerror or str(error))
        finally:
            self._is_open = False
            self._file.close()

    async def save(self, gather_seconds: float = _GATHER_SECONDS) -> None:
        """Return when everything up to now is on the disk. Who calls within `gather_seconds` is served by one write.

        Raises `OSError`.
        """
        self._asked += 1
        mine = self._asked
        async with self._writing:
            if self._written < mine:
                await asyncio.sleep(gather_seconds)
                number, body = self._asked, self._dump()
                await run_whole(lambda: self._file.write(body))
                self._written = number

    def _dump(self) -> bytes:
        return orjson.dumps({"spent": self._spending.dump(), "answered": [key.hex() for key in self.answered]})

    def _open(self) -> None:
        try:
            self._file.open()
            try:
                body = self._file.read()
                if body is not None:
                    self._load(body)
                self._is_open = True
            except Corrupt as error:
                self._log.error(
                    "what the judge spent is not known any more: the state file is damaged; budgets begin at zero",
                    file=str(self._file.path), reason=str(error), kept_as=str(self._file.set_aside()),
                )  # fmt: skip
                self._is_open = True
        except OSError as error:
            self._file.close()
            reason = f"{error.filename or self._file.path}: {error.strerror or error}; it must be writable. "
            raise StartError(self._name, reason + "`directory` names another place") from error
        except (NewerState, DirectoryInUse) as error:
            self._file.close()
            raise StartError(self._name, f"{self._file.path}: {error}") from error

    def _load(self, body: bytes) -> None:
        try:
            data = orjson.loads(body)
            self._spending.load(data["spent"])
            self.answered = {bytes.fromhex(key) for key in data["answered"]}
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise Corrupt(f"it does not hold what was written ({type(error).__name__})") from None
