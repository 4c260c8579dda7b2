"""The filter processor."""

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.conditions import Condition, ConditionFailed
from spanmill.errors import Rejected
from spanmill.processors.filter.config import FilterProcessorConfig


class FilterProcessor:
    """Drops the rows for which any condition holds. Made for one pipeline, and so for one signal."""

    def __init__(self, config: FilterProcessorConfig, settings: Settings) -> None:
        if settings.signal is None:
            raise ValueError("a filter belongs to a pipeline; its settings name the signal")
        self._log = settings.log
        self._error_mode = config.error_mode
        self._conditions = [Condition(sql, settings.signal) for sql in config.conditions(settings.signal)]

    def __call__(self, batch: Batch) -> Batch:
        dropped: pa.BooleanArray | None = None
        for condition in self._conditions:
            holds = self._holds(condition, batch)
            dropped = holds if dropped is None else pc.or_(dropped, holds)
        if dropped is None or not pc.any(dropped).as_py():
            return batch
        return batch.filter(pc.invert(dropped))

    def _holds(self, condition: Condition, batch: Batch) -> pa.BooleanArray:
        """For each row. What the data make of a condition that fails on some of it is `error_mode`'s to say."""
        try:
            return condition(batch)
        except ConditionFailed as error:
            if self._error_mode == "propagate":
                raise Rejected(f"the filter's condition {condition.sql} cannot be worked out: {error}") from None
            if self._error_mode == "ignore":
                message = "a condition cannot be worked out for some rows, which are kept"
                self._log.warning(message, condition=condition.sql, reason=str(error))
            return condition.where_it_can(batch)
