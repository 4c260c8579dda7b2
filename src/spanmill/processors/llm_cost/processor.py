"""The llm_cost processor."""

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig


class LlmCostProcessor:
    """Spans with the price of each call of a model."""

    def __init__(self, config: LlmCostProcessorConfig, settings: Settings) -> None:
        self._config, self._settings = config, settings

    def __call__(self, batch: Batch) -> Batch:
        return batch
