"""Attributes whose value is in a column now need not be kept twice."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.llm.chain import Chain
from spanmill.llm.reading import Reading
from spanmill.otlp.attributes import remove


def without_originals(
    batch: Batch, reading: Reading, columns: Mapping[str, pa.Array], groups: Sequence[tuple[Chain, np.ndarray]]
) -> Batch:
    """Without the attributes that a row's dialect reads a column from, where that column has a value.

    Attributes of events and resources stay: others may need them.
    """
    index = reading.attributes
    chosen = np.zeros(len(index.codes), bool)
    filled = {name: values.is_valid().to_numpy(zero_copy_only=False) for name, values in columns.items()}
    for chain, rows in groups:
        for key, code in index.keys.items():
            held = np.zeros(len(batch), bool)
            for name in chain.read_from(key):
                if name in filled:
                    held |= filled[name]
            if held.any():
                chosen |= (index.codes == code) & (held & rows)[index.row_of_entry]
    if not chosen.any():
        return batch
    return batch.with_record_column("attributes", remove(batch.records.column("attributes"), chosen))
