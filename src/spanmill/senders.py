"""What the collector knows about senders, put on the resources of what they send."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from spanmill.component import Sender
from spanmill.otlp import attributes
from spanmill.otlp.codec import Decoded


def with_sender_attributes(decoded: Decoded, senders: Sequence[Sender]) -> pa.RecordBatch:
    """The records; each row's resource has the attributes of the sender of its request, over what it says itself.

    `senders` has the sender of each request. Equal resources of several senders share one entry of the dictionary,
    which is split where their attributes differ. Where no sender has attributes the records come back as they are.
    """
    records = decoded.records
    distinct, set_of_request = _distinct([sender.attributes for sender in senders])
    if not any(distinct) or not records.num_rows:
        return records
    column = records.column("resource")
    indices, resources = _split(column, distinct, set_of_request[decoded.requests])
    changed = pa.DictionaryArray.from_arrays(indices, resources)
    position = records.schema.get_field_index("resource")
    return records.set_column(position, records.schema.field(position), changed)


def _split(
    column: pa.DictionaryArray, distinct: Sequence[Mapping[str, str]], set_of_row: np.ndarray
) -> tuple[pa.Array, pa.StructArray]:
    """Indices and dictionary of the changed column: an entry for each pair of an old entry and a set of attributes."""
    if len(distinct) == 1:
        envelopes = column.dictionary
        return column.indices, _with_attributes(envelopes, distinct, np.zeros(len(envelopes), np.int64))
    pairs = column.indices.to_numpy().astype(np.int64) * len(distinct) + set_of_row
    entries, codes = np.unique(pairs, return_inverse=True)
    envelopes = column.dictionary.take(pa.array(entries // len(distinct)))
    indices = pa.array(codes.astype(np.int32), column.indices.type)
    return indices, _with_attributes(envelopes, distinct, entries % len(distinct))


def _distinct(given: Sequence[Mapping[str, str]]) -> tuple[list[Mapping[str, str]], np.ndarray]:
    """Each set of attributes once, and for each that was given the index of its own."""
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    codes = [numbers.setdefault(tuple(sorted(each.items())), len(numbers)) for each in given]
    return [dict(pairs) for pairs in numbers], np.array(codes, dtype=np.int64)


def _with_attributes(
    envelopes: pa.StructArray, distinct: Sequence[Mapping[str, str]], set_of_entry: np.ndarray
) -> pa.StructArray:
    """The envelopes, each with the set of attributes whose index stands in `set_of_entry`."""
    resources = envelopes.field("resource")
    column = resources.field("attributes")
    for key in sorted({key for each in distinct for key in each}):
        texts = pa.array([each.get(key) for each in distinct], pa.string()).take(pa.array(set_of_entry))
        rows = np.asarray(texts.is_valid().to_numpy(zero_copy_only=False))
        column = attributes.put(column, key, attributes.any_values("string_value", texts), rows)
    children = [attributes.with_attributes(resources, column), *envelopes.flatten()[1:]]
    return pa.StructArray.from_arrays(children, fields=list(envelopes.type))
