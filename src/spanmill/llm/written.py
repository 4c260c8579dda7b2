"""The columns as OpenTelemetry's attributes, for receivers that know no other dialect."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.dialect import Written, load_dialects
from spanmill.otlp.attributes import KINDS, any_values, constant, put_all
from spanmill.otlp.attributes import value_type as _value_type


def with_canonical_attributes(batch: Batch) -> Batch:
    """Every column that has a value is also an attribute, in place of one of the same name."""
    held = set(batch.records.schema.names)
    changes = []
    for dialect in load_dialects().values():
        for name, written in dialect.write.items():
            if name in held:
                values = batch.records.column(name)
                rows = np.asarray(values.is_valid().to_numpy(zero_copy_only=False))
                if rows.any():
                    changes.append((written.attribute, _values(values, written), rows))
    return batch.with_record_column("attributes", put_all(batch.records.column("attributes"), changes))


def _values(values: pa.Array, written: Written) -> pa.StructArray:
    if written.as_list:  # few distinct ones: why models stop
        encoded = values.dictionary_encode()
        distinct = [constant([text]) for text in encoded.dictionary.to_pylist()]
        lists = pa.concat_arrays(distinct) if distinct else pa.array([], _value_type())
        return lists.take(encoded.indices)
    if written.times is not None:
        values = pc.multiply(values.cast(pa.float64()), written.times)
    return any_values(KINDS[values.type], values)
