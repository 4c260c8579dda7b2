"""The attributes processor."""

import numpy as np

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.processors.attributes.actions import apply, compile_actions
from spanmill.processors.attributes.config import AttributesProcessorConfig
from spanmill.processors.attributes.match import matching_rows


class AttributesProcessor:
    """Changes the attributes of the rows that `include` and `exclude` choose. Pure; any signal."""

    def __init__(self, config: AttributesProcessorConfig, settings: Settings) -> None:
        self._include, self._exclude = config.include, config.exclude
        self._steps = compile_actions(config.actions)

    def __call__(self, batch: Batch) -> Batch:
        rows = np.ones(len(batch), dtype=bool)
        if self._include is not None:
            rows &= matching_rows(self._include, batch)
        if self._exclude is not None:
            rows &= ~matching_rows(self._exclude, batch)
        if not rows.any():
            return batch
        return batch.with_record_column("attributes", apply(self._steps, batch.records.column("attributes"), rows))
