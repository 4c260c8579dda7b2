"""Exemplars of points, as OpenMetrics has them: at most one for each line, the largest."""

from bisect import bisect_left
from math import inf
from typing import Any

import numpy as np
import pyarrow as pa

from spanmill.exporters.prometheus.values import Buckets, Exemplars, Number, Value
from spanmill.otlp.anyvalue import attributes_to_map
from spanmill.telemetry.exposition import Exemplar, LabelSet

MAX_CHARACTERS = 128
"""Of all names and values together (OpenMetrics 1.0, "Exemplars"). Attributes beyond it are left out, ids stay."""


class ExemplarReader:
    """The exemplars of a batch. Those of exponential histograms are not read: their bounds move."""

    def __init__(self, records: pa.RecordBatch) -> None:
        self._column = records.column("exemplars")
        self._any = len(self._column.flatten()) > 0

    def largest(self, rows: np.ndarray, value: Value) -> Exemplars:
        """By the bound of the line they belong to."""
        if not self._any or not isinstance(value, Number | Buckets):
            return {}
        found: dict[float, Exemplar] = {}
        for exemplar in _read(self._column.take(pa.array(rows)).flatten()):
            bound = _bound(value, exemplar.value)
            if bound not in found or found[bound].value <= exemplar.value:
                found[bound] = exemplar
        return found


def _bound(value: Number | Buckets, observed: float) -> float:
    if isinstance(value, Number):
        return inf
    index = bisect_left(value.bounds, observed)
    return value.bounds[index] if index < len(value.bounds) else inf


def _read(messages: pa.StructArray) -> list[Exemplar]:
    if len(messages) == 0:
        return []
    attributes = attributes_to_map(messages.field("filtered_attributes")).to_pylist()
    names = ("time_unix_nano", "as_int", "as_double", "trace_id", "span_id")
    columns = zip(*(messages.field(name).to_pylist() for name in names), attributes, strict=True)
    return [
        Exemplar(_labels(trace_id, span_id, pairs), integer if integer is not None else double, time_ns or None)
        for time_ns, integer, double, trace_id, span_id, pairs in columns
        if integer is not None or double is not None
    ]


def _labels(trace_id: bytes, span_id: bytes, attributes: Any) -> LabelSet:
    ids = {name: value.hex() for name, value in (("trace_id", trace_id), ("span_id", span_id)) if value}
    pairs = {**{key: text or "" for key, text in attributes or () if key}, **ids}
    small = sum(len(key) + len(text) for key, text in pairs.items()) <= MAX_CHARACTERS
    return LabelSet(tuple((pairs if small else ids).items()))
