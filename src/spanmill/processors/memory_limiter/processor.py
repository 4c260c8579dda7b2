"""The memory_limiter processor.

What is measured is resident memory (RSS), as the operating system and a container's limit count it: Python has no
counter of live bytes as Go has, and most of what a batch occupies is held by Arrow outside Python's heap. RSS falls
later than the data goes; giving memory back when a limit is passed makes the difference small.
"""

import asyncio

from spanmill.batch import Batch
from spanmill.component import Host, Settings
from spanmill.errors import Busy
from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig
from spanmill.processors.memory_limiter.memory import give_back, total_bytes
from spanmill.processors.memory_limiter.watch import Watch, limits
from spanmill.telemetry.process import resident_bytes

_MIB = 1024 * 1024


class MemoryLimiterProcessor:
    """Refuses new data while memory is short; before it is decoded where the engine asks `check`."""

    def __init__(self, config: MemoryLimiterProcessorConfig, settings: Settings) -> None:
        self._interval = config.check_interval
        self._log = settings.log
        self._metrics, self._id = settings.metrics, str(settings.id)
        self.watch = Watch(limits(config, total_bytes()), resident_bytes, give_back)
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: Host) -> None:
        await self._look()
        self._task = asyncio.create_task(self._run(host), name=f"memory_limiter {self._id}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def check(self) -> None:
        """Raises `Busy` while memory is short."""
        if self.watch.refusing:
            raise self._busy()

    def __call__(self, batch: Batch) -> Batch:
        outcome = "refused" if self.watch.refusing else "accepted"
        name = f"otelcol_processor_memory_limiter_{outcome}_{batch.signal.item}"
        self._metrics.counter(name, processor=self._id).add(len(batch))
        if outcome == "refused":
            raise self._busy()
        return batch

    def _busy(self) -> Busy:
        soft = self.watch.limits.soft // _MIB
        return Busy(f"memory is short: more than {soft} MiB are in use", max(1.0, self._interval))

    async def _run(self, host: Host) -> None:
        try:
            while True:
                await asyncio.sleep(self._interval)
                await self._look()
        except Exception as error:  # noqa: BLE001 - a limiter that has stopped looking limits nothing
            host.report_fatal(error)

    async def _look(self) -> None:
        before = self.watch.refusing
        # Giving memory back takes a while, and reading RSS is a read of a file.
        await asyncio.to_thread(self.watch.look, asyncio.get_running_loop().time())
        if self.watch.refusing != before:
            held, soft = round(self.watch.held / _MIB), self.watch.limits.soft // _MIB
            if self.watch.refusing:
                self._log.warning("memory is short, data is refused", held_mib=held, soft_limit_mib=soft)
            else:
                self._log.info("memory is free again, data is taken", held_mib=held, soft_limit_mib=soft)
