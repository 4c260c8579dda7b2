"""The way from a processor into a pipeline. Implements `component.Outlet`."""

import asyncio
from concurrent.futures import Executor

from spanmill.batch import Batch
from spanmill.depositing import Packs, append, pack
from spanmill.errors import is_defect
from spanmill.pipeline import Deposit, Pipeline
from spanmill.telemetry.lines import trace_without_message
from spanmill.telemetry.logs import Log
from spanmill.telemetry.metrics import Counter


class PipelineOutlet:
    """Rows that are put here go through the pipeline's processors into its journal, and those behind its connectors."""

    def __init__(self, pipeline: Pipeline, executor: Executor, lost: Counter, log: Log) -> None:
        """`lost` counts rows that a processor fails on."""
        self._pipeline, self._executor, self._lost, self._log = pipeline, executor, lost, log

    def holds(self, digest: bytes) -> bool:
        return all(journal.holds(digest) for journal in self._pipeline.journals())

    async def put(self, batch: Batch, *digests: bytes) -> None:
        packs = await asyncio.get_running_loop().run_in_executor(self._executor, self._work, batch, digests)
        await append(packs)

    def _work(self, batch: Batch, digests: tuple[bytes, ...]) -> Packs:
        return pack(self._process(batch), digests, held=digests[0] if len(digests) == 1 else None)

    def _process(self, batch: Batch) -> list[Deposit]:
        """Rows that a processor fails on are found by halving, and given up: their sender has its answer."""
        try:
            return self._pipeline.process(batch)
        except BaseException as error:
            if not is_defect(error):
                raise
            if len(batch) <= 1:
                self._lost.add(len(batch))
                self._log.error(
                    "a row is lost: a processor fails on it",
                    pipeline=str(self._pipeline.identity), trace=trace_without_message(error),
                )  # fmt: skip
                return []
            half = len(batch) // 2
            return self._process(batch.slice(0, half)) + self._process(batch.slice(half, len(batch) - half))
