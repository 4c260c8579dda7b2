"""The columns as OpenTelemetry's attributes, for receivers that know no other dialect."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch
from spanmill.llm.dialect import Written, load_dialects
from spanmill.otlp.attributes import any_values, constant, put
from spanmill.otlp.attributes import value_type as _value_type

_KINDS = {
    pa.string(): "string_value",
    pa.int64(): "int_value",
    pa.float64(): "double_value",
    pa.bool_(): "bool_value",
}


def with_canonical_attributes(batch: Batch) -> Batch:
    """Every column that has a value is also an attribute, in place of one of the same name."""
    attributes = batch.records.column("attributes")
    for dialect in load_dialects().values():
        for name, written in dialect.write.items():
            if name not in batch.records.schema.names:
                continue
            values = batch.records.column(name)
            rows = values.is_valid().to_numpy(zero_copy_only=False)
            if rows.any():
                attributes = put(attributes, written.attribute, _values(values, written), np.asarray(rows))
    return batch.with_record_column("attributes", attributes)


def _values(values: pa.Array, written: Written) -> pa.StructArray:
    if written.as_list:  # few distinct ones: why models stop
        encoded = values.dictionary_encode()
        distinct = [constant([text]) for text in encoded.dictionary.to_pylist()]
        lists = pa.concat_arrays(distinct) if distinct else pa.array([], _value_type())
        return lists.take(encoded.indices)
    if written.times is not None:
        values = pc.multiply(values.cast(pa.float64()), written.times)
    return any_values(_KINDS[values.type], values)
