"""tail_sampling in a pipeline of logs: evaluations of traces, people's feedback among them, reach the policies."""

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Host, Position, Settings
from spanmill.llm.feedback_scores import scores_by_trace
from spanmill.processors.tail_sampling.decisions import Scores
from spanmill.signal import Signal

if TYPE_CHECKING:
    from spanmill.processors.tail_sampling.processor import TailSamplingProcessor


class FeedbackProcessor:
    """Passes logs on as they are. Implements `component.Following`."""

    def __init__(self, settings: Settings) -> None:
        samplers: list[TailSamplingProcessor] = settings.shared.setdefault("samplers", [])
        self.consumer = FeedbackConsumer(samplers)

    def __call__(self, batch: Batch) -> Batch:
        return batch


class FeedbackConsumer:
    """Tells the samplers of the same name what was evaluated. Implements `component.Exporter`."""

    def __init__(self, samplers: "list[TailSamplingProcessor]") -> None:
        self._samplers = samplers

    def preference(self, signal: Signal) -> BatchPreference:
        return BatchPreference()

    async def start(self, host: Host) -> None:
        """Nothing to start: the samplers are started by themselves."""

    async def committed(self, journal: str, signal: Signal) -> int | None:
        return None

    async def export(self, batch: Batch, position: Position) -> None:
        scores = await asyncio.to_thread(_scores, batch)
        if len(scores.ids):
            for sampler in self._samplers:
                await sampler.score(scores)

    async def stop(self) -> None:
        """Nothing is held."""


def _scores(batch: Batch) -> Scores:
    ids, lowest, negative = scores_by_trace(batch)
    return Scores(ids, lowest.astype(np.float32), negative)
