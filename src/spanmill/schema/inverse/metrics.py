"""The table `metrics` and back. `types`: the letters of the point's attributes, one for each exemplar (`i` or `d` for
the type of its value, `e` for none), then those of the attributes of all exemplars."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from spanmill.otlp.letters import EMPTY
from spanmill.otlp.messages import handler
from spanmill.otlp.metric_points import explode, implode, point_fields
from spanmill.schema.inverse import Inverse, envelopes
from spanmill.schema.inverse.fields import ids, nanoseconds, numbers, odd_ids, odd_numbers, odd_times, text
from spanmill.schema.inverse.messages import parse, scatter, serialize
from spanmill.schema.inverse.rows import (
    Letters,
    Part,
    attributes_of,
    distinct,
    join,
    mask_of,
    of_attributes,
    offsets_of,
    one_each,
    row_of,
    valid,
    within,
)
from spanmill.schema.inverse.wholes import replace_wholes

TEMPORALITIES = pa.array(["unspecified", "delta", "cumulative"], pa.string())
_TYPE = pa.struct([("types", pa.string()), ("rest", pa.binary()), *envelopes.FIELDS, ("metric", pa.binary())])
_METRIC = ("name", "description", "unit", "type", "temporality", "is_monotonic")
_INTEGER, _DOUBLE = ord("i"), ord("d")
_EXACT = 2**53
"""Integers up to here are exact as doubles, which is how a table shows the values of exemplars."""


def _remainder(records: pa.RecordBatch, table: pa.Table) -> pa.StructArray:
    parts = list(_parts(records, table))
    odd = mask_of(len(records), *(part.odd for part in parts), *_odd(records, table))
    of_envelopes = envelopes.remainder(records)
    fields = [join(parts, odd), _rest(records, odd), *of_envelopes, _metadata(records.column("metric"))]
    return pa.StructArray.from_arrays(fields, fields=list(_TYPE))


def _parts(records: pa.RecordBatch, table: pa.Table) -> Iterator[Part]:
    yield of_attributes(records.column("attributes"), _column(table, "attributes"))
    lists = records.column("exemplars")
    exemplars = lists.flatten()
    if len(exemplars):
        integers = exemplars.field("as_int")
        letters = np.full(len(exemplars), EMPTY, np.uint8)
        letters[valid(integers)] = _INTEGER
        letters[valid(exemplars.field("as_double"))] = _DOUBLE
        exact = integers.fill_null(0).to_numpy()
        yield within(lists, one_each(letters, np.flatnonzero((exact > _EXACT) | (exact < -_EXACT))))
        maps = _column(table, "exemplars").flatten().field("attributes")
        yield within(lists, of_attributes(exemplars.field("filtered_attributes"), maps))


def _odd(records: pa.RecordBatch, table: pa.Table) -> Iterator[np.ndarray]:
    """Rows with a value that its column cannot show."""
    for name in ("start_time", "time"):
        yield odd_times(records.column(f"{name}_unix_nano"), _column(table, name))
    metric = records.column("metric")
    unnamed = mask_of(
        len(metric.dictionary), odd_numbers(metric.dictionary.field("aggregation_temporality"), TEMPORALITIES)
    )
    yield np.flatnonzero(unnamed[metric.indices.to_numpy()])
    lists = records.column("exemplars")
    raw, shown = lists.flatten(), _column(table, "exemplars").flatten()
    owners = row_of(offsets_of(lists))
    yield owners[odd_times(raw.field("time_unix_nano"), shown.field("time"))]
    for name in ("trace_id", "span_id"):
        yield owners[odd_ids(raw.field(name), shown.field(name))]


def _rest(records: pa.RecordBatch, odd: np.ndarray) -> pa.BinaryArray:
    """In odd rows a whole metric of the one point."""
    whole = np.flatnonzero(odd)
    if not len(whole):
        return scatter(len(records))
    schema = handler(Metric).schema()
    each = np.ones(len(whole), dtype=bool)
    metrics, _ = implode(records.take(pa.array(whole)), each, pa.struct(list(schema)))
    batch = pa.RecordBatch.from_arrays(metrics.flatten(), schema=schema)
    return scatter(len(records), (whole, handler(Metric).record_batch_to_array(batch)))


def _metadata(metric: pa.DictionaryArray) -> pa.BinaryArray:
    """Worked out once for each distinct metric."""
    metadata = metric.dictionary.field("metadata")
    some = pc.greater(pc.list_value_length(metadata), 0)
    if not pc.any(some).as_py():
        return pa.nulls(len(metric), pa.binary())
    return pc.if_else(some, serialize(Metric, len(metadata), metadata=metadata), None).take(metric.indices)


def _records(table: pa.Table) -> pa.RecordBatch:
    otlp, attributes, exemplars = (_column(table, name) for name in ("otlp", "attributes", "exemplars"))
    types, rest = otlp.flatten()[:2]
    of_exemplar = offsets_of(exemplars.flatten().field("attributes"))[offsets_of(exemplars)]
    letters, _ = Letters(types).split([offsets_of(attributes), offsets_of(exemplars), of_exemplar])
    kinds, integer = point_fields(), _column(table, "value_int")
    given = {
        "attributes": attributes_of(attributes, letters[0], kinds["attributes"]),
        "start_time_unix_nano": nanoseconds(_column(table, "start_time")),
        "time_unix_nano": nanoseconds(_column(table, "time")),
        "as_int": integer,
        "as_double": pc.if_else(integer.is_valid(), pa.scalar(None, pa.float64()), _column(table, "value")),
        "exemplars": _exemplars(exemplars, letters[1], letters[2], kinds["exemplars"]),
        "flags": _column(table, "flags").fill_null(0),
        "quantile_values": _as(_column(table, "quantiles"), kinds["quantile_values"]),
    }
    named = {
        "resource": envelopes.resource_column(table, otlp),
        "scope": envelopes.scope_column(table, otlp),
        "metric": _metrics(table, otlp.flatten()[otlp.type.get_field_index("metric")]),
        **{name: given[name] if name in given else _as(_column(table, name), kind) for name, kind in kinds.items()},
    }
    records = pa.RecordBatch.from_arrays(list(named.values()), names=list(named))
    return replace_wholes(records, types, rest, lambda whole: _points(parse(Metric, whole)))


def _points(metrics: pa.StructArray) -> dict[str, pa.Array]:
    return explode(metrics, lambda exemplars: exemplars)


def _metrics(table: pa.Table, serialized: pa.BinaryArray) -> pa.DictionaryArray:
    """What the points share, each distinct combination once."""
    first, codes = distinct([*(_column(table, name) for name in _METRIC), serialized])
    name, description, unit, kind, temporality, monotonic = (_column(table, name).take(first) for name in _METRIC)
    given = {
        "name": text(name),
        "description": text(description),
        "unit": text(unit),
        "metadata": parse(Metric, serialized.take(first)).field("metadata"),
        "type": text(kind),
        "aggregation_temporality": numbers(temporality, TEMPORALITIES),
        "is_monotonic": monotonic.fill_null(False),
    }
    shape = _points(parse(Metric, pa.array([], pa.binary())))["metric"].type.value_type
    values = pa.StructArray.from_arrays([given[field.name] for field in shape], fields=list(shape))
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)


def _exemplars(lists: pa.ListArray, letters: np.ndarray, of_attributes: np.ndarray, kind: pa.ListType) -> pa.ListArray:
    exemplars, fields = lists.flatten(), kind.value_type
    value = exemplars.field("value")
    integers = pc.if_else(pa.array(letters == _INTEGER), value, None).cast(pa.int64(), safe=False)
    doubles = pc.if_else(pa.array(letters == _INTEGER), None, value)
    given = {
        "filtered_attributes": attributes_of(
            exemplars.field("attributes"), of_attributes, fields.field("filtered_attributes").type
        ),
        "time_unix_nano": nanoseconds(exemplars.field("time")),
        "as_double": doubles,
        "as_int": integers,
        "span_id": ids(exemplars.field("span_id")),
        "trace_id": ids(exemplars.field("trace_id")),
    }
    structs = pa.StructArray.from_arrays([given[field.name] for field in fields], fields=list(fields))
    return pa.ListArray.from_arrays(pa.array(offsets_of(lists).astype(np.int32)), structs, type=kind)


def _as(column: pa.Array, kind: pa.DataType, nullable: bool = True) -> pa.Array:
    """The same values as the codec has them: nothing within a null, and nulls only where its type allows them."""
    mask = column.is_null() if nullable and column.null_count else None
    if pa.types.is_list(kind):
        values = _as(column.flatten(), kind.value_type, kind.value_field.nullable)
        return pa.ListArray.from_arrays(pa.array(offsets_of(column).astype(np.int32)), values, type=kind, mask=mask)
    if pa.types.is_struct(kind):
        children = [_as(child, f.type, f.nullable) for child, f in zip(column.flatten(), kind, strict=True)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    return column if nullable or not column.null_count else column.fill_null(0)


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).chunk(0)


METRICS = Inverse(_TYPE, _remainder, _records)
