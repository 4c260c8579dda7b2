"""Rows whose remainder is the whole item: they are taken from there, and not from the columns."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from spanmill.lazy_records import JoinedRecords


def replace_wholes(
    records: pa.RecordBatch,
    types: pa.StringArray,
    rest: pa.BinaryArray,
    columns_of: Callable[[pa.BinaryArray], Mapping[str, pa.Array]],
) -> pa.RecordBatch:
    """The records with the rows that have a `rest` and no `types` made anew; envelopes stay as they are.

    `columns_of` gives the item columns of serialized items.
    """
    chosen = types.is_null().to_numpy(zero_copy_only=False) & rest.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return records
    anew = columns_of(rest.take(pa.array(rows)))
    old = records.take(pa.array(rows))
    arrays = [anew.get(name, column) for name, column in zip(old.schema.names, old.columns, strict=True)]
    place = np.arange(len(records))
    place[rows] = len(records) + np.arange(len(rows))
    both = JoinedRecords([records, pa.RecordBatch.from_arrays(arrays, schema=records.schema)]).whole()
    return both.take(pa.array(place))
