"""Serialized OTLP requests to records, and back. Lossless for everything but empty envelopes.

Records are a row for each item, with OTLP's own fields as columns, in protobuf's types, and in front of them the
envelopes as dictionary columns: `resource` and `scope` (and `metric`, see `metric_points`). A dictionary's values are
structs that hold the envelope's message and its schema URL, so that encoding can group rows again:

    resource: dictionary<int32, struct<resource: struct, schema_url: text>>
    scope:    dictionary<int32, struct<scope: struct, schema_url: text>>

An envelope without items has no row and does not come back; OTLP lets a forwarder drop it (specification, "OTLP
Protocol Details").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.errors import Rejected
from spanmill.otlp import metric_points
from spanmill.otlp.anyvalue import check_nested
from spanmill.otlp.messages import SERVICES, Resource, handler, request_handler
from spanmill.signal import Signal


@dataclass(frozen=True, slots=True)
class Decoded:
    """The rows of one or more requests."""

    records: pa.RecordBatch
    requests: np.ndarray
    """For each row the index of the request it came in, ascending."""


def decode(signal: Signal, payloads: Sequence[bytes]) -> Decoded:
    """Decode serialized `Export<Signal>ServiceRequest` messages together.

    Raises `Rejected` when one of them is not valid protobuf; which one is found by decoding them one by one.
    """
    service = SERVICES[signal]
    try:
        requests = request_handler(signal).list_to_record_batch(list(payloads))
        _check_values(requests.column(service.resources))
    except ValueError as error:
        raise Rejected(f"not a valid {service.request.DESCRIPTOR.name}: {error}") from None
    resources = requests.column(service.resources)
    scopes = resources.flatten().field(service.scopes)
    items = scopes.flatten().field(service.items)
    scope_of_item = _parents(items)
    resource_of_item = _parents(scopes)[scope_of_item]
    request_of_item = _parents(resources)[resource_of_item]
    envelopes = {
        "resource": _dictionary(resource_of_item, _envelope(resources.flatten(), "resource")),
        "scope": _dictionary(scope_of_item, _envelope(scopes.flatten(), "scope")),
    }
    if len(payloads) > 1:
        envelopes["resource"] = _share_equal_resources(envelopes["resource"])
    messages = items.flatten()
    if signal is Signal.METRICS:
        points, metric_of_point = metric_points.explode(messages)
        rows = pa.array(metric_of_point)
        envelopes = {name: column.take(rows) for name, column in envelopes.items()}
        columns, request_of_item = envelopes | points, request_of_item[metric_of_point]
    else:
        columns = envelopes | {f.name: messages.field(i) for i, f in enumerate(messages.type)}
    return Decoded(pa.RecordBatch.from_pydict(columns), request_of_item)


def encode(signal: Signal, records: pa.RecordBatch) -> bytes:
    """The rows as one serialized `Export<Signal>ServiceRequest`; neighbours with equal envelopes share one."""
    if records.num_rows == 0:
        return b""
    service = SERVICES[signal]
    request_schema = request_handler(signal).schema()
    resource_type = request_schema.field(service.resources).type.value_type
    scope_type = resource_type.field(service.scopes).type.value_type
    item_type = scope_type.field(service.items).type.value_type

    resource, scope = records.column("resource"), records.column("scope")
    resource_codes, scope_codes = _codes(resource), _codes(scope)
    if signal is Signal.METRICS:
        items, first_rows = metric_points.implode(records, _changes(resource_codes, scope_codes), item_type)
    else:
        items = pa.StructArray.from_arrays([_column(records, f) for f in item_type], fields=list(item_type))
        first_rows = np.arange(records.num_rows)
    resource_codes, scope_codes = resource_codes[first_rows], scope_codes[first_rows]

    scope_starts = np.flatnonzero(_changes(resource_codes, scope_codes))
    scopes = _gather(
        scope,
        scope_codes[scope_starts],
        scope_type,
        service.items,
        _lists(items, scope_starts, scope_type.field(service.items).type),
    )
    resource_starts = np.flatnonzero(_changes(resource_codes[scope_starts]))
    resources = _gather(
        resource,
        resource_codes[scope_starts][resource_starts],
        resource_type,
        service.scopes,
        _lists(scopes, resource_starts, resource_type.field(service.scopes).type),
    )
    whole = pa.RecordBatch.from_arrays(
        [_lists(resources, np.zeros(1, np.int64), request_schema.field(0).type)], schema=request_schema
    )
    return bytes(request_handler(signal).record_batch_to_array(whole)[0].as_buffer())


def _check_values(column: pa.Array) -> None:
    """Walk the columns (not the rows) down to every AnyValue and check what is nested in it."""
    kind = column.type
    if len(column) == 0 or column.null_count == len(column):
        return
    if pa.types.is_list(kind):
        _check_values(column.flatten())
    elif pa.types.is_struct(kind) and kind.get_field_index("kvlist_value") >= 0:
        check_nested(column)
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            _check_values(child)


def _parents(lists: pa.ListArray) -> np.ndarray:
    return np.asarray(pc.list_parent_indices(lists).to_numpy())


def _envelope(parents: pa.StructArray, name: str) -> pa.StructArray:
    fields = [parents.type.field(name), parents.type.field("schema_url")]
    return pa.StructArray.from_arrays([parents.field(f.name) for f in fields], fields=fields)


def _dictionary(codes: np.ndarray, values: pa.StructArray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)


def _share_equal_resources(resource: pa.DictionaryArray) -> pa.DictionaryArray:
    """Many requests of one sender repeat one resource: keep it once, so that work on resources is done once."""
    envelopes = resource.dictionary
    message = envelopes.field("resource")
    fields = list(message.type)
    serialized = handler(Resource).record_batch_to_array(
        pa.RecordBatch.from_arrays([message.field(i) for i in range(len(fields))], schema=pa.schema(fields))
    )
    present = pc.cast(message.is_valid(), pa.string())
    identity = pc.binary_join_element_wise(
        serialized, present.cast(pa.binary()), envelopes.field("schema_url").cast(pa.binary()), b"\0"
    )
    codes = identity.dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    return _dictionary(codes[resource.indices.to_numpy()], envelopes.take(pa.array(first)))


def _codes(column: pa.DictionaryArray) -> np.ndarray:
    return np.asarray(column.indices.to_numpy())


def _changes(*codes: np.ndarray) -> np.ndarray:
    """True where a row differs from the one before it in any of the codes; the first row always."""
    changed = np.ones(len(codes[0]), dtype=bool)
    changed[1:] = np.logical_or.reduce([c[1:] != c[:-1] for c in codes])
    return changed


def _column(records: pa.RecordBatch, field: pa.Field) -> pa.Array:
    return records.column(field.name)


def _gather(
    column: pa.DictionaryArray, codes: np.ndarray, kind: pa.StructType, lists_name: str, lists: pa.ListArray
) -> pa.StructArray:
    envelopes = column.dictionary.take(pa.array(codes))
    children = [lists if f.name == lists_name else envelopes.field(f.name) for f in kind]
    return pa.StructArray.from_arrays(children, fields=list(kind))


def _lists(values: pa.Array, starts: np.ndarray, kind: pa.ListType) -> pa.ListArray:
    offsets = np.concatenate((starts, [len(values)])).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)
