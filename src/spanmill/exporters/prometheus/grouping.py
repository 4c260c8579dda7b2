"""Rows of a batch grouped into series, in whole-column steps.

Two rows are of one series when resource, scope, metric and attributes are equal. Equality is that of the serialized
messages: native to compute, exact, and the same from batch to batch, so that the bytes serve as keys of a cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spanmill.otlp.anyvalue import attribute_values, attributes_to_map
from spanmill.otlp.messages import Resource, handler


class Metric(NamedTuple):
    """What the points of one metric share."""

    name: str
    unit: str
    type: str
    aggregation_temporality: int
    is_monotonic: bool
    prometheus_type: str
    """The metric's metadata `prometheus.type`: what it was before it became OTLP; empty when it does not say."""


class Envelope(NamedTuple):
    """The part of a series' identity that points share. Attributes are serialized."""

    resource: bytes
    scope: tuple[str, str, str, bytes]
    metric: Metric


@dataclass(frozen=True)
class Groups:
    """The series of a batch. `order` lists its rows by series, then time, then arrival."""

    records: pa.RecordBatch
    order: np.ndarray
    starts: np.ndarray
    """Where in `order` each series begins; one more entry ends the last."""
    envelope: np.ndarray
    """For each series the index of its envelope."""
    envelopes: list[Envelope]
    first_rows: np.ndarray
    """For each envelope a row that has it."""
    attributes: list[bytes]
    """For each series the serialized attributes of its points."""

    @cached_property
    def _resources(self) -> list[list[tuple[str, str]]]:
        return _texts(self.records.column("resource").dictionary.field("resource").field("attributes"))

    @cached_property
    def _scopes(self) -> list[dict[str, str]]:
        envelopes = self.records.column("scope").dictionary
        message = envelopes.field("scope")
        found = []
        columns = (message.field("name"), message.field("version"), envelopes.field("schema_url"))
        for name, version, url, attributes in zip(*columns, _texts(message.field("attributes")), strict=True):
            own = {"name": name.as_py() or "", "version": version.as_py() or "", "schema_url": url.as_py() or ""}
            found.append(dict(attributes) | own)
        return found

    def resource(self, envelope: int) -> dict[str, str]:
        """Resource attributes as text."""
        code = self.records.column("resource").indices[int(self.first_rows[envelope])].as_py()
        return dict(self._resources[code])

    def scope(self, envelope: int) -> dict[str, str]:
        """The scope's attributes as text, and over them `name`, `version` and `schema_url`."""
        code: int = self.records.column("scope").indices[int(self.first_rows[envelope])].as_py()
        return self._scopes[code]

    def description(self, envelope: int) -> str:
        """The metric's description."""
        metric = self.records.column("metric")
        code = metric.indices[int(self.first_rows[envelope])].as_py()
        return str(metric.dictionary.field("description")[code].as_py())

    def texts(self, rows: list[int]) -> list[dict[str, str]]:
        """The attributes of some rows as text."""
        return [dict(pairs) for pairs in _texts(self.records.column("attributes").take(pa.array(rows, pa.int64())))]


def group(records: pa.RecordBatch) -> Groups:
    """Find the series of a batch of metric records."""
    resource, scope, metric = (_Column.of(records.column(name), keys) for name, keys in _KEYS.items())
    attributes = serialized(records.column("attributes")).dictionary_encode()
    envelope, first_rows = _combined(resource.codes, scope.codes, metric.codes)
    series, first_of_series = _combined(envelope, attributes.indices.to_numpy())
    times = records.column("time_unix_nano").to_numpy()
    order = np.lexsort((times, series))
    starts = np.concatenate((np.flatnonzero(np.diff(series[order], prepend=-1)), [len(order)]))
    envelopes = [
        Envelope(resource.keys[r], scope.keys[s], metric.keys[m])
        for r, s, m in zip(*(column.codes[first_rows].tolist() for column in (resource, scope, metric)), strict=True)
    ]
    keys = attributes.dictionary.take(attributes.indices.take(pa.array(first_of_series))).to_pylist()
    return Groups(records, order, starts, envelope[first_of_series], envelopes, first_rows, keys)


def serialized(attributes: pa.ListArray) -> pa.BinaryArray:
    """Each attribute list as the bytes of a message, whose first field has the type of every attribute list."""
    fields = list(handler(Resource).schema())
    columns = [attributes.cast(fields[0].type) if attributes.type != fields[0].type else attributes]
    columns += [_defaults(field.type, len(attributes)) for field in fields[1:]]
    return handler(Resource).record_batch_to_array(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))


def _defaults(kind: pa.DataType, length: int) -> pa.Array:
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(length + 1, np.int32)), pa.nulls(0, kind.value_type), type=kind
        )
    return pa.array(np.zeros(length), kind)


class _Column(NamedTuple):
    """An envelope column: for each row the code of its key. Entries of the dictionary that are equal share one."""

    codes: np.ndarray
    keys: list[Any]

    @classmethod
    def of(cls, column: pa.DictionaryArray, keys_of: Callable[[pa.StructArray], list[Any]]) -> "_Column":
        distinct: dict[Any, int] = {}
        of_entry = np.array([distinct.setdefault(key, len(distinct)) for key in keys_of(column.dictionary)], np.int64)
        return cls(of_entry[column.indices.to_numpy()], list(distinct))


def _resource_keys(envelopes: pa.StructArray) -> list[bytes]:
    return list(serialized(envelopes.field("resource").field("attributes")).to_pylist())


def _scope_keys(envelopes: pa.StructArray) -> list[tuple[str, str, str, bytes]]:
    scope = envelopes.field("scope")
    texts = (scope.field("name"), scope.field("version"), envelopes.field("schema_url"))
    attributes = serialized(scope.field("attributes")).to_pylist()
    return list(zip(*(text.to_pylist() for text in texts), attributes, strict=True))


def _metric_keys(metrics: pa.StructArray) -> list[Metric]:
    names = ("name", "unit", "type", "aggregation_temporality", "is_monotonic")
    metadata = metrics.field("metadata")
    if len(metadata.flatten()):
        kinds = [kind or "" for kind in attribute_values(metadata, "prometheus.type").field("string_value").to_pylist()]
    else:
        kinds = [""] * len(metrics)
    return [Metric(*key) for key in zip(*(metrics.field(name).to_pylist() for name in names), kinds, strict=True)]


_KEYS: dict[str, Callable[[pa.StructArray], list[Any]]] = {
    "resource": _resource_keys,
    "scope": _scope_keys,
    "metric": _metric_keys,
}


def _combined(*codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One code for each distinct combination, for each row, and a row for each code."""
    whole = codes[0].astype(np.int64)
    for more in codes[1:]:
        # Compressed at every step, so that the product stays below rows squared.
        _, whole = np.unique(whole, return_inverse=True)
        whole = whole * (int(more.max(initial=0)) + 1) + more
    _, first, whole = np.unique(whole, return_index=True, return_inverse=True)
    return whole, first


def _texts(attributes: pa.ListArray) -> list[list[tuple[str, str]]]:
    """Attribute lists as text; values that are not set are empty."""
    maps = attributes_to_map(attributes).to_pylist()
    return [[(key, value or "") for key, value in pairs or ()] for pairs in maps]
