"""Metrics to rows of data points, and back.

OTLP nests points in one of five lists by the metric's type. Here each point is a row; `metric` is a dictionary column
that holds what the points share, and the columns are the union of what the five point messages have:

    metric: dictionary<int32, struct<name, description, unit, metadata, type, aggregation_temporality, is_monotonic>>

`type` is the name of OTLP's field: `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`. A column that a
type does not have is null in its rows. A metric without points has no row and does not come back.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.otlp.messages import request_handler
from spanmill.signal import Signal

TYPES = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_SHARED = ("name", "description", "unit", "metadata")


def explode(metrics: pa.StructArray, decode_exemplars: Callable[[pa.ListArray], pa.ListArray]) -> dict[str, pa.Array]:
    """The point columns of `Metric` messages, in the metrics' order, `metric` first."""
    parts: list[dict[str, pa.Array]] = []
    owners: list[np.ndarray] = []
    for name in TYPES:
        data = metrics.field(name)
        if data.null_count == len(data):
            continue
        points = data.flatten()[data.type.get_field_index("data_points")]
        owners.append(pc.list_parent_indices(points).to_numpy())
        messages = points.flatten()
        part = {field.name: messages.field(index) for index, field in enumerate(messages.type)}
        if "exemplars" in part:
            part["exemplars"] = decode_exemplars(part["exemplars"])
        parts.append(part)
    types = point_fields()
    if not parts:
        empty = {name: pa.array([], kind) for name, kind in types.items()}
        return {"metric": _describe(metrics, np.zeros(0, np.int32))} | empty
    owner = np.concatenate(owners)
    columns = {name: _column(name, kind, parts, owners) for name, kind in types.items()}
    if len(parts) > 1:
        order = np.argsort(owner, kind="stable")
        columns = {name: column.take(pa.array(order, pa.int64())) for name, column in columns.items()}
        owner = owner[order]
    return {"metric": _describe(metrics, owner)} | columns


def _column(name: str, kind: pa.DataType, parts: list[dict[str, pa.Array]], owners: list[np.ndarray]) -> pa.Array:
    held = [
        _as(part[name], kind) if name in part else pa.nulls(len(owner), kind)
        for part, owner in zip(parts, owners, strict=True)
    ]
    return held[0] if len(held) == 1 else pa.concat_arrays(held)


def implode(
    records: pa.RecordBatch, envelope_changes: np.ndarray, metric_type: pa.StructType
) -> tuple[pa.StructArray, np.ndarray]:
    """`Metric` messages of the rows, and the first row of each. Neighbours of one metric and envelope go together."""
    metric = records.column("metric")
    codes = metric.indices.to_numpy()
    changed = envelope_changes.copy()
    changed[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(changed)
    described = metric.dictionary.take(pa.array(codes[starts]))
    type_of_metric = np.asarray(described.field("type").to_numpy(zero_copy_only=False))
    lengths = np.diff(np.concatenate((starts, [records.num_rows])))
    type_of_row = np.repeat(type_of_metric, lengths)
    children = []
    for field in metric_type:
        if field.name in TYPES:
            children.append(
                _data(records, field, type_of_metric == field.name, type_of_row == field.name, lengths, described)
            )
        else:
            children.append(described.field(field.name))
    return pa.StructArray.from_arrays(children, fields=list(metric_type)), starts


def _data(
    records: pa.RecordBatch,
    field: pa.Field,
    metrics: np.ndarray,
    rows: np.ndarray,
    lengths: np.ndarray,
    described: pa.StructArray,
) -> pa.StructArray:
    """The `Gauge`, `Sum`, ... messages: null for metrics of another type."""
    if not metrics.any():
        return pa.nulls(len(metrics), field.type)
    chosen = records if rows.all() else records.filter(pa.array(rows))
    point_list = field.type.field("data_points").type
    point_fields = list(point_list.value_type)
    points = pa.StructArray.from_arrays([_as(chosen.column(f.name), f.type) for f in point_fields], fields=point_fields)
    offsets = np.concatenate(([0], np.cumsum(np.where(metrics, lengths, 0)))).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), points, type=point_list)
    children = [lists if f.name == "data_points" else described.field(f.name) for f in field.type]
    return pa.StructArray.from_arrays(children, fields=list(field.type), mask=pa.array(~metrics))


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Types differ in what may be null at most. Arrow refuses to cast a slice when there are nulls outside of it."""
    return column if column.type == kind else column.cast(kind)


@cache
def point_fields() -> dict[str, pa.DataType]:
    """The columns of all five point messages. Those with the same name have the same type."""
    metric = (
        request_handler(Signal.METRICS)
        .schema()
        .field(0)
        .type.value_type.field("scope_metrics")
        .type.value_type.field("metrics")
        .type.value_type
    )
    fields: dict[str, pa.DataType] = {}
    for name in TYPES:
        for field in metric.field(name).type.field("data_points").type.value_type:
            fields.setdefault(field.name, field.type)
    return fields


def _describe(metrics: pa.StructArray, owner: np.ndarray) -> pa.DictionaryArray:
    types = np.full(len(metrics), "", dtype=object)
    temporality = np.zeros(len(metrics), dtype=np.int32)
    for name in TYPES:
        data = metrics.field(name)
        valid = data.is_valid().to_numpy(zero_copy_only=False)
        types[valid] = name
        index = data.type.get_field_index("aggregation_temporality")
        if index >= 0 and valid.any():
            temporality[valid] = data.filter(data.is_valid()).field(index).to_numpy()
    monotonic = pc.fill_null(
        metrics.field("sum").flatten()[metrics.field("sum").type.get_field_index("is_monotonic")], False
    )
    values = pa.StructArray.from_arrays(
        [*(metrics.field(n) for n in _SHARED), pa.array(types, pa.string()), pa.array(temporality), monotonic],
        fields=[
            *(metrics.type.field(n) for n in _SHARED),
            pa.field("type", pa.string(), nullable=False),
            pa.field("aggregation_temporality", pa.int32(), nullable=False),
            pa.field("is_monotonic", pa.bool_(), nullable=False),
        ],
    )
    return pa.DictionaryArray.from_arrays(pa.array(owner.astype(np.int32)), values)
