"""Columns that gen_ai_normalizer filled before: they hold what attributes held, so they are redacted like attributes.

The Collector has no such columns. A column is an attribute of its own name to the lists and patterns of keys: one that
is not allowed becomes null. Numbers and flags stay. Summaries do not mention columns.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.arrays import relisted, spread
from spanmill.batch import Batch
from spanmill.processors.redaction.config import RedactionProcessorConfig
from spanmill.processors.redaction.keys import KeyRules, Treatment
from spanmill.processors.redaction.values import ValueRules
from spanmill.schema.llm import LLM_COLUMNS


class FilledColumns:
    """Redacts the text columns about LLM calls that a batch has."""

    def __init__(self, config: RedactionProcessorConfig) -> None:
        self._values = ValueRules(config)
        texts = [c.name for c in LLM_COLUMNS if pa.types.is_string(c.type) or pa.types.is_list(c.type)]
        self._treatment = dict(zip(texts, KeyRules(config).of_attributes(pa.array(texts)).tolist(), strict=True))

    def __call__(self, batch: Batch) -> Batch:
        for name in batch.records.schema.names:
            if name in self._treatment:
                before = batch.records.column(name)
                after = self._redacted(before, Treatment(self._treatment[name]))
                if after is not before:
                    batch = batch.with_record_column(name, after)
        return batch

    def _redacted(self, column: pa.Array, treatment: Treatment) -> pa.Array:
        if treatment is Treatment.REMOVE:
            return pa.nulls(len(column), column.type)
        if treatment not in (Treatment.SEARCH, Treatment.HIDE):
            return column
        texts = column.flatten() if pa.types.is_list(column.type) else column
        given = texts.drop_null()
        new = self._values.hidden(given) if treatment is Treatment.HIDE else self._values.masked(given)
        if new is given:
            return column
        new = pc.if_else(pa.array(self._values.allowed(given)), given, new)
        rows = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        texts = spread(new, rows, len(texts))
        return relisted(column, texts) if pa.types.is_list(column.type) else texts
