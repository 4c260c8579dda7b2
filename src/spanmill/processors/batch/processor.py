"""The batch processor: says how much the exporters of its pipeline are handed at once, and holds nothing itself."""

from spanmill.batch import Batch
from spanmill.component import BatchPreference, Settings
from spanmill.processors.batch.config import BatchProcessorConfig


class BatchProcessor:
    """Lets every batch pass. What is to be gathered waits in the pipeline's journal, where it counts as accepted."""

    def __init__(self, config: BatchProcessorConfig, settings: Settings) -> None:
        self._config = config

    @property
    def preference(self) -> BatchPreference:
        """What the graph asks of exporters that have no wish of their own."""
        gathers = self._config.timeout > 0 and self._config.send_batch_size > 0
        return BatchPreference(
            min_items=self._config.send_batch_size if gathers else 0,
            max_items=self._config.send_batch_max_size,
            max_age_seconds=self._config.timeout,
        )

    def __call__(self, batch: Batch) -> Batch:
        return batch
