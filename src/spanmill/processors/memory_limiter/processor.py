"""The memory_limiter processor: a memory guard with limits from the configuration, and the Collector's counts."""

from typing import Final

from spanmill.available_memory import total_bytes
from spanmill.batch import Batch
from spanmill.component import Host, Settings
from spanmill.memory_guard import Limits, MemoryGuard, ShortOfMemory
from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig

_MIB: Final = 1024 * 1024
_DEFAULT_SPIKE_SHARE: Final = 0.2


class MemoryLimiterProcessor:
    """Refuses new data while memory is short: at the receivers, which ask the guard before they read a request."""

    def __init__(self, config: MemoryLimiterProcessorConfig, settings: Settings) -> None:
        self._metrics, self._id = settings.metrics, str(settings.id)
        self.guard = MemoryGuard(limits(config, total_bytes()), settings.log, config.check_interval)
        """In each pipeline the same one, once they run."""
        self._started = False

    async def start(self, host: Host) -> None:
        self.guard = self.guard.running(host)
        self._started = True
        await self.guard.start(host)

    async def stop(self) -> None:
        if self._started:
            self._started = False
            await self.guard.stop()

    def check(self) -> None:
        """Raises `Busy` above the hard limit."""
        self.guard.check()

    def __call__(self, batch: Batch) -> Batch:
        try:
            self.guard.check()
        except ShortOfMemory:
            self._counted("refused", batch)
            raise
        self._counted("accepted", batch)
        return batch

    def _counted(self, outcome: str, batch: Batch) -> None:
        name = f"otelcol_processor_memory_limiter_{outcome}_{batch.signal.item}"
        self._metrics.counter(name, processor=self._id).add(len(batch))


def limits(config: MemoryLimiterProcessorConfig, total: int) -> Limits:
    """The limits that a configuration means on a machine (or in a container) of `total` bytes."""
    if config.limit_mib:
        hard, spike = config.limit_mib * _MIB, config.spike_limit_mib * _MIB
    else:
        hard, spike = total * config.limit_percentage // 100, total * config.spike_limit_percentage // 100
    return Limits(hard - (spike or int(hard * _DEFAULT_SPIKE_SHARE)), hard)
