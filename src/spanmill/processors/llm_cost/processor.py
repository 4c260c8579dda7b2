"""The llm_cost processor."""

from spanmill.batch import Batch
from spanmill.component import Exporter, Settings
from spanmill.processors.llm_cost.config import LlmCostProcessorConfig


class LlmCostProcessor:
    """Spans with the price of each call of a model."""

    def __init__(self, config: LlmCostProcessorConfig, settings: Settings) -> None:
        self._config, self._settings = config, settings
        self.consumer = _budgets(config, settings)

    def __call__(self, batch: Batch) -> Batch:
        return batch


def _budgets(config: LlmCostProcessorConfig, settings: Settings) -> Exporter | None:
    """What sums up the prices, see `component.Following`."""
    if config.budgets is None:
        return None
    from spanmill.processors.llm_cost.budgets.consumer import BudgetConsumer

    return BudgetConsumer(config.budgets, settings)
