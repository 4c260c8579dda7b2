"""The table `metrics`: a row for each data point."""

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.anyvalue import TEXT_MAP, attributes_to_map
from spanmill.schema.columns import (
    ATTRIBUTES_COLUMN,
    RESOURCE_COLUMNS,
    TIMESTAMP,
    field,
    hex_text,
    named,
    of_field,
    text_or_null,
    timestamp,
)
from spanmill.schema.inverse import metrics as inverse
from spanmill.schema.table import Column, Compute, Table

_BUCKETS = pa.struct([("offset", pa.int32()), ("bucket_counts", pa.list_(pa.uint64()))])
_QUANTILES = pa.list_(pa.struct([("quantile", pa.float64()), ("value", pa.float64())]))
_EXEMPLAR = pa.struct(
    [
        ("time", TIMESTAMP),
        ("value", pa.float64()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("attributes", TEXT_MAP),
    ]
)


def _of_metric(name: str) -> Compute:
    def compute(records: pa.RecordBatch) -> pa.Array:
        metric = records.column("metric")
        return metric.dictionary.field(name).take(metric.indices)

    return compute


def _text_of_metric(name: str) -> Compute:
    return lambda records: text_or_null(_of_metric(name)(records))


def _temporality(records: pa.RecordBatch) -> pa.Array:
    return named(_of_metric("aggregation_temporality")(records), inverse.TEMPORALITIES)


def _value(records: pa.RecordBatch) -> pa.Array:
    return pc.coalesce(records.column("as_double"), records.column("as_int").cast(pa.float64(), safe=False))


def _cast(kind: pa.DataType) -> Compute:
    """Some types differ from the codec's only in what may be null."""
    return lambda column: column.cast(kind)


def _buckets(column: pa.StructArray) -> pa.Array:
    offset, counts = column.flatten()
    return pa.StructArray.from_arrays(
        [offset, counts.cast(_BUCKETS.field("bucket_counts").type)], fields=list(_BUCKETS), mask=column.is_null()
    )


def _exemplars(lists: pa.ListArray) -> pa.Array:
    rows = lists.flatten()
    value = pc.coalesce(rows.field("as_double"), rows.field("as_int").cast(pa.float64(), safe=False))
    structs = pa.StructArray.from_arrays(
        [
            timestamp(rows.field("time_unix_nano")),
            value,
            hex_text(rows.field("trace_id")),
            hex_text(rows.field("span_id")),
            attributes_to_map(rows.field("filtered_attributes")),
        ],
        fields=list(_EXEMPLAR),
    )
    offsets = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).cumsum()
    return pa.ListArray.from_arrays(pa.array([0, *offsets], pa.int32()), structs)


METRICS = Table(
    "metrics",
    (
        Column("name", pa.string(), "The metric.", _of_metric("name")),
        Column("description", pa.string(), "What it measures.", _text_of_metric("description")),
        Column("unit", pa.string(), "UCUM unit.", _text_of_metric("unit")),
        Column("type", pa.string(), "gauge, sum, histogram, exponential_histogram or summary.", _of_metric("type")),
        Column("temporality", pa.string(), "delta, cumulative or unspecified.", _temporality),
        Column("is_monotonic", pa.bool_(), "Whether a sum only grows.", _of_metric("is_monotonic")),
        Column("start_time", TIMESTAMP, "Since when it is counted, UTC.", of_field("start_time_unix_nano", timestamp)),
        Column("time", TIMESTAMP, "When it was read, UTC, nanoseconds.", of_field("time_unix_nano", timestamp)),
        Column("value", pa.float64(), "Value of a gauge or sum.", _value),
        Column("value_int", pa.int64(), "The same, exactly, when the point was an integer.", field("as_int")),
        Column("count", pa.uint64(), "Observations in a histogram or summary.", field("count")),
        Column("sum", pa.float64(), "Their sum.", field("sum")),
        Column("min", pa.float64(), "The smallest.", field("min")),
        Column("max", pa.float64(), "The largest.", field("max")),
        Column(
            "explicit_bounds",
            pa.list_(pa.float64()),
            "Upper bounds of a histogram's buckets, the last one open.",
            of_field("explicit_bounds", _cast(pa.list_(pa.float64()))),
        ),
        Column(
            "bucket_counts",
            pa.list_(pa.uint64()),
            "Observations in each bucket.",
            of_field("bucket_counts", _cast(pa.list_(pa.uint64()))),
        ),
        Column("scale", pa.int32(), "Resolution of an exponential histogram.", field("scale")),
        Column("zero_count", pa.uint64(), "Its observations around zero.", field("zero_count")),
        Column("zero_threshold", pa.float64(), "How wide its zero is.", field("zero_threshold")),
        Column("positive", _BUCKETS, "Its positive buckets.", of_field("positive", _buckets)),
        Column("negative", _BUCKETS, "Its negative buckets.", of_field("negative", _buckets)),
        Column("quantiles", _QUANTILES, "Quantiles of a summary.", of_field("quantile_values", _cast(_QUANTILES))),
        Column("flags", pa.uint32(), "Bit 0: no value was recorded.", field("flags")),
        Column(
            "exemplars", pa.list_(_EXEMPLAR), "Single observations with their trace.", of_field("exemplars", _exemplars)
        ),
        *RESOURCE_COLUMNS,
        ATTRIBUTES_COLUMN,
    ),
    time_column="time",
    inverse=inverse.METRICS,
)
