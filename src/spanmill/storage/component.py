"""The exporter that both layouts share: open the stores, append to them, tend them in the background, close."""

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position
from spanmill.signal import Signal
from spanmill.storage.exporter import StoreWriter
from spanmill.storage.parquet_file import FileOptions
from spanmill.storage.upkeep import Upkeep, UpkeepReport


class StoreExporter:
    """An exporter into stores (`component.Exporter`); subclasses say which stores, and how they are tended."""

    def __init__(self, preference: BatchPreference, writer: StoreWriter, upkeep: Upkeep, options: FileOptions) -> None:
        self._preference, self._writer, self._upkeep, self._options = preference, writer, upkeep, options

    def preference(self, signal: Signal) -> BatchPreference:
        return self._preference

    async def start(self, host: Host) -> None:
        await self._writer.open()
        try:
            await self.opened()
        except BaseException:
            self._writer.close()
            raise
        self._upkeep.start()

    async def opened(self) -> None:
        """What is to be done once the stores are open, before anything is exported. Raises `StartError`."""

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return self._writer.committed(journal, signal)

    async def export(self, batch: Batch, position: Position) -> None:
        await self._writer.append(batch, position, self._options)

    async def tend(self) -> UpkeepReport:
        """Put small files together and delete what is due, now rather than at the next interval."""
        return await self._upkeep.tend()

    async def stop(self) -> None:
        await self._upkeep.stop()
        self._writer.close()
