"""Configuration of the batch processor."""

from typing import ClassVar, Self

from pydantic import model_validator

from spanmill.config.base import Model
from spanmill.config.values import Duration, Whole, invalid


class BatchProcessorConfig(Model):
    """How much the pipeline's exporters are handed at once. Nothing waits here and no error disappears here."""

    unsupported: ClassVar = {
        "metadata_keys": "not supported: batches are not split by client metadata",
        "metadata_cardinality_limit": "not supported: batches are not split by client metadata",
    }

    send_batch_size: Whole = 8192
    """Hand over as soon as so many items are there."""
    timeout: Duration = 0.2
    """Hand over after so long, however few there are; 0: at once."""
    send_batch_max_size: Whole = 0
    """Never hand over more items at once; 0: no limit."""

    @model_validator(mode="after")
    def bounds_in_order(self) -> Self:
        if self.send_batch_max_size and self.send_batch_max_size < self.send_batch_size:
            raise invalid(
                "`send_batch_max_size` is below `send_batch_size`",
                f"{self.send_batch_size} or more, or 0",
                key="send_batch_max_size",
            )
        return self
