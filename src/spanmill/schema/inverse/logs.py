"""The table `logs` and back. `types`: one letter for the time (`n`: `time` is the observed one, as the time is not
known, `e`: it is known), one for the body, then those of the attributes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from spanmill.otlp.letters import EMPTY, NOTHING
from spanmill.otlp.messages import handler
from spanmill.schema.inverse import Inverse, envelopes
from spanmill.schema.inverse.fields import ids, nanoseconds, not_zero, odd_ids, odd_times, text
from spanmill.schema.inverse.messages import parse, scatter, serialize
from spanmill.schema.inverse.rows import (
    Letters,
    attributes_of,
    join,
    mask_of,
    of_attributes,
    of_values,
    offsets_of,
    one_each,
    typed,
)
from spanmill.schema.inverse.wholes import replace_wholes

_TYPE = pa.struct([("types", pa.string()), ("rest", pa.binary()), *envelopes.FIELDS])


def _remainder(records: pa.RecordBatch, table: pa.Table) -> pa.StructArray:
    known = records.column("time_unix_nano").to_numpy() != 0
    parts = [
        one_each(np.where(known, EMPTY, NOTHING).astype(np.uint8)),
        of_values(records.column("body")),
        of_attributes(records.column("attributes"), _column(table, "attributes")),
    ]
    odd = mask_of(len(records), *(part.odd for part in parts), *_odd(records, table))
    of_envelopes = envelopes.remainder(records)
    return pa.StructArray.from_arrays([join(parts, odd), _rest(records, odd), *of_envelopes], fields=list(_TYPE))


def _odd(records: pa.RecordBatch, table: pa.Table) -> Iterator[np.ndarray]:
    """Rows with a value that its column cannot show."""
    for name in ("trace_id", "span_id"):
        yield odd_ids(records.column(name), _column(table, name))
    yield odd_times(records.column("observed_time_unix_nano"), _column(table, "observed_time"))
    yield np.flatnonzero(records.column("time_unix_nano").to_numpy() > np.uint64(2**63 - 1))


def _rest(records: pa.RecordBatch, odd: np.ndarray) -> pa.BinaryArray:
    """The whole record in odd rows; elsewhere the number of dropped attributes, if there were any."""
    whole, dropped = np.flatnonzero(odd), records.column("dropped_attributes_count")
    few = np.flatnonzero(mask_of(len(records), not_zero(dropped)) & ~odd)
    parts = []
    if len(whole):
        chosen = records.take(pa.array(whole))
        fields = {field.name: chosen.column(field.name) for field in handler(LogRecord).schema()}
        parts.append((whole, serialize(LogRecord, len(whole), **fields)))
    if len(few):
        counts = dropped.take(pa.array(few))
        parts.append((few, serialize(LogRecord, len(few), dropped_attributes_count=counts)))
    return scatter(len(records), *parts)


def _records(table: pa.Table) -> pa.RecordBatch:
    otlp, attributes = _column(table, "otlp"), _column(table, "attributes")
    types, rest = otlp.flatten()[:2]
    each = np.arange(len(table) + 1)
    (times, bodies, letters), _ = Letters(types).split([each, each, offsets_of(attributes)])
    fields = {field.name: field for field in handler(LogRecord).schema()}
    time = nanoseconds(_column(table, "time")).to_numpy()
    columns = {
        "time_unix_nano": pa.array(np.where(times == NOTHING, np.uint64(0), time)),
        "observed_time_unix_nano": nanoseconds(_column(table, "observed_time")),
        "severity_number": _column(table, "severity_number").fill_null(0),
        "severity_text": text(_column(table, "severity_text")),
        "body": typed(_column(table, "body"), bodies),
        "attributes": attributes_of(attributes, letters, fields["attributes"].type),
        "dropped_attributes_count": parse(LogRecord, rest).field("dropped_attributes_count"),
        "flags": _column(table, "flags").fill_null(0),
        "trace_id": ids(_column(table, "trace_id")),
        "span_id": ids(_column(table, "span_id")),
        "event_name": text(_column(table, "event_name")),
    }
    named = {
        "resource": envelopes.resource_column(table, otlp),
        "scope": envelopes.scope_column(table, otlp),
        **{name: columns[name] for name in fields},
    }
    records = pa.RecordBatch.from_arrays(list(named.values()), names=list(named))
    return replace_wholes(records, types, rest, lambda whole: {f: parse(LogRecord, whole).field(f) for f in fields})


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).chunk(0)


LOGS = Inverse(_TYPE, _remainder, _records)
