"""The tally in memory and on the disk, which change together."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from spanmill.disk import Disk
from spanmill.errors import StartError
from spanmill.lock import DirectoryInUse
from spanmill.processors.llm_cost.budgets.state import dump, load
from spanmill.processors.llm_cost.budgets.tally import Tally
from spanmill.state_file import Corrupt, NewerState, StateFile
from spanmill.storage.exporter import run_whole
from spanmill.telemetry.logs import Log

_T = TypeVar("_T")


class Book:
    """Used on the event loop, but for `tally`, which any thread may read."""

    def __init__(self, directory: Path, name: str, log: Log, disk: Disk | None = None) -> None:
        """`name`: of the processor, for errors."""
        self.tally = Tally()
        """What is on the disk. Never changed, only replaced."""
        self._file, self._name, self._log = StateFile(directory, disk), name, log
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Take the directory and read what is there. Raises `StartError`."""
        await asyncio.to_thread(self._open)

    def close(self) -> None:
        """Let another collector have the directory. Safe twice."""
        self._file.close()

    async def change(self, change: Callable[[Tally], tuple[Tally, _T]]) -> _T:
        """Replace the tally by what `change`, in a thread, makes of it; what it gives beside that.

        On return the new tally is on the disk. Raises `OSError`: then the one before still counts.
        """
        async with self._changing:
            return await run_whole(lambda: self._change(change))

    def _change(self, change: Callable[[Tally], tuple[Tally, _T]]) -> _T:
        tally, result = change(self.tally)
        if tally is not self.tally:
            self._file.write(dump(tally))
            self.tally = tally
        return result

    def _open(self) -> None:
        try:
            self._file.open()
            try:
                body = self._file.read()
                self.tally = Tally() if body is None else load(body)
            except Corrupt as error:
                self._log.error(
                    "what was spent is not known any more: the state file is damaged; budgets begin at zero",
                    file=str(self._file.path), reason=str(error), kept_as=str(self._file.set_aside()),
                )  # fmt: skip
        except OSError as error:
            self.close()
            reason = f"{error.filename or self._file.path}: {error.strerror or error}; it must be writable. "
            raise StartError(self._name, reason + "`budgets.directory` names another place") from error
        except NewerState as error:
            self.close()
            raise StartError(self._name, f"{self._file.path}: {error}") from error
        except DirectoryInUse as error:
            self.close()
            raise StartError(self._name, f"{error}, with `budgets.directory`") from error
