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
from google.protobuf.message import Message

from spanmill.errors import Rejected, is_defect
from spanmill.otlp import metric_points
from spanmill.otlp.items import decode_messages, dictionary, items_of, list_owners
from spanmill.otlp.messages import SERVICES, InstrumentationScope, Resource, opaque_handler, request_handler
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
    try:
        return _decode(signal, payloads)
    except ValueError as error:
        raise Rejected(f"not a valid {SERVICES[signal].request.DESCRIPTOR.name}: {error}") from None
    except BaseException as error:
        if not is_defect(error) or isinstance(error, Exception):  # ptars panics on a length near 2^64
            raise
        raise Rejected(f"not a valid {SERVICES[signal].request.DESCRIPTOR.name}: a length is out of range") from None


def _decode(signal: Signal, payloads: Sequence[bytes]) -> Decoded:
    service = SERVICES[signal]
    resource_lists = opaque_handler(signal).list_to_record_batch(list(payloads)).column(service.resources)
    resources = resource_lists.flatten()
    scope_lists = resources.field(service.scopes)
    scopes = scope_lists.flatten()
    item_lists = scopes.field(service.items)
    share = len(payloads) > 1
    resource, resource_codes = _envelopes(resources, "resource", Resource, share)
    scope, scope_codes = _envelopes(scopes, "scope", InstrumentationScope, share)
    resource_of_scope, scope_of_item = list_owners(scope_lists), list_owners(item_lists)
    resource_of_item = resource_of_scope[scope_of_item]
    request_of_item = list_owners(resource_lists)[resource_of_item]
    columns = items_of(signal, item_lists.flatten())
    if signal is Signal.METRICS:
        metric_of_point = columns["metric"].indices.to_numpy()
        scope_of_item, resource_of_item = scope_of_item[metric_of_point], resource_of_item[metric_of_point]
        request_of_item = request_of_item[metric_of_point]
    envelopes = {
        "resource": dictionary(resource_codes[resource_of_item], resource),
        "scope": dictionary(scope_codes[scope_of_item], scope),
    }
    columns = envelopes | columns
    return Decoded(pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), request_of_item)


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


def _envelopes(
    parents: pa.StructArray, name: str, message: type[Message], share: bool
) -> tuple[pa.StructArray, np.ndarray]:
    """The envelopes as structs, and for each parent the index of its own. With `share` equal ones are kept once:

    many requests of one sender repeat one resource, and work on resources is then done once.
    """
    serialized, urls = parents.field(name), parents.field("schema_url")
    codes = np.arange(len(parents))
    if share and len(parents) > 1:
        named, placed = serialized.dictionary_encode("encode"), urls.dictionary_encode()
        pairs = named.indices.to_numpy().astype(np.int64) * len(placed.dictionary) + placed.indices.to_numpy()
        _, first, codes = np.unique(pairs, return_index=True, return_inverse=True)
        serialized, urls = serialized.take(pa.array(first, pa.int64())), urls.take(pa.array(first, pa.int64()))
    messages = decode_messages(message, serialized)
    fields = [pa.field(name, messages.type), parents.type.field("schema_url")]
    return pa.StructArray.from_arrays([messages, urls], fields=fields), codes


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
