"""The resource processor."""

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.otlp.attributes import with_attributes
from spanmill.processors.attributes.actions import apply, compile_actions
from spanmill.processors.resource.config import ResourceProcessorConfig


class ResourceProcessor:
    """Changes the attributes of resources, once for each distinct resource of a batch. Pure; any signal."""

    def __init__(self, config: ResourceProcessorConfig, settings: Settings) -> None:
        self._steps = compile_actions(config.attributes)

    def __call__(self, batch: Batch) -> Batch:
        column = batch.records.column("resource")
        envelopes = column.dictionary
        before = envelopes.field("resource").field("attributes")
        after = apply(self._steps, before, np.ones(len(envelopes), dtype=bool))
        if after is before:
            return batch
        children = [with_attributes(envelopes.field(0), after), *envelopes.flatten()[1:]]
        changed = pa.StructArray.from_arrays(children, fields=list(envelopes.type))
        return batch.with_record_column("resource", pa.DictionaryArray.from_arrays(column.indices, changed))
