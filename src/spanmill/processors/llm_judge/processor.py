"""The llm_judge processor."""

from spanmill.batch import Batch
from spanmill.component import Exporter, Settings
from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig
from spanmill.processors.llm_judge.consumer import JudgeConsumer


class LlmJudgeProcessor:
    """Passes every batch on as it is; its consumer judges what came through, see `component.Following`."""

    def __init__(self, config: LlmJudgeProcessorConfig, settings: Settings) -> None:
        self.consumer: Exporter | None = JudgeConsumer(config, settings)

    def __call__(self, batch: Batch) -> Batch:
        return batch
