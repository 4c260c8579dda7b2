"""Resources and scopes: what the public columns leave out of them, and the dictionary columns of records again.

All three signals have envelopes of the same shape; their bytes are those of ResourceSpans and ScopeSpans.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from spanmill.otlp.anyvalue import attributes_to_map
from spanmill.otlp.messages import InstrumentationScope, Resource, handler
from spanmill.otlp.wire import tag_of, varint
from spanmill.schema.inverse.fields import text
from spanmill.schema.inverse.messages import only, parse, scatter, serialize, with_fields
from spanmill.schema.inverse.rows import (
    Letters,
    attributes_of,
    distinct,
    join,
    mask_of,
    of_attributes,
    offsets_of,
    valid,
)

FIELDS = [("resource_types", pa.string()), ("resource_rest", pa.binary()), ("scope", pa.binary())]
_MESSAGE, _URL = (tag_of(ResourceSpans.DESCRIPTOR.fields_by_name[name]) for name in ("resource", "schema_url"))
"""The same of ScopeSpans."""


class Remainder(NamedTuple):
    """The fields of the column `otlp` that are about envelopes."""

    resource_types: pa.StringArray
    resource_rest: pa.BinaryArray
    scope: pa.BinaryArray


def remainder(records: pa.RecordBatch) -> Remainder:
    """Worked out once for each distinct envelope."""
    resource, scope = records.column("resource"), records.column("scope")
    types, rest = _of_resources(resource.dictionary)
    of_scopes = _of_scopes(scope.dictionary)
    return Remainder(_take(types, resource), _take(rest, resource), _take(of_scopes, scope))


def _of_resources(envelopes: pa.StructArray) -> tuple[pa.StringArray, pa.BinaryArray]:
    resources = envelopes.field("resource")
    attributes = resources.field("attributes")
    part = of_attributes(attributes, attributes_to_map(attributes))
    odd = mask_of(len(envelopes), part.odd)
    more = odd | (resources.field("dropped_attributes_count").to_numpy() != 0) | _some(resources.field("entity_refs"))

    def serialized(chosen: pa.StructArray, rows: np.ndarray) -> pa.BinaryArray:
        kept = only(chosen.field("attributes"), odd[rows])
        return _serialize(Resource, with_fields(chosen, attributes=kept))

    return join([part], odd), _rest(envelopes, resources, more, serialized)


def _of_scopes(envelopes: pa.StructArray) -> pa.BinaryArray:
    scopes = envelopes.field("scope")
    more = (scopes.field("dropped_attributes_count").to_numpy() != 0) | _some(scopes.field("attributes"))
    return _rest(envelopes, scopes, more, lambda chosen, _: _serialize(InstrumentationScope, chosen))


def _rest(
    envelopes: pa.StructArray,
    messages: pa.StructArray,
    more: np.ndarray,
    serialized: Callable[[pa.StructArray, np.ndarray], pa.BinaryArray],
) -> pa.BinaryArray:
    """Envelopes, null where there is a message, nothing `more` in it, and no schema URL."""
    urls = envelopes.field("schema_url")
    rows = np.flatnonzero(more | ~valid(messages) | (pc.binary_length(urls).to_numpy() > 0))
    if not len(rows):
        return pa.nulls(len(envelopes), pa.binary())
    taken = pa.array(rows)
    chosen = messages.take(taken)
    held = pc.if_else(chosen.is_valid(), serialized(chosen, rows), None)
    return scatter(len(envelopes), (rows, _enveloped(held, urls.take(taken))))


def _enveloped(messages: pa.BinaryArray, urls: pa.StringArray) -> pa.BinaryArray:
    """ResourceSpans or ScopeSpans of serialized messages; a null message is left out. A loop over distinct ones."""
    pairs = zip(messages.to_pylist(), urls.cast(pa.binary()).to_pylist(), strict=True)
    return pa.array([_field(_MESSAGE, message) + _field(_URL, url or None) for message, url in pairs], pa.binary())


def _field(tag: bytes, content: bytes | None) -> bytes:
    return b"" if content is None else tag + varint(len(content)) + content


def _some(lists: pa.ListArray) -> np.ndarray:
    return np.diff(offsets_of(lists)) > 0


def _serialize(message: Any, structs: pa.StructArray) -> pa.BinaryArray:
    """Also what is in null messages, as the codec leaves their fields: unset."""
    return serialize(message, len(structs), **{field.name: structs.field(field.name) for field in structs.type})


def _take(values: pa.Array, column: pa.DictionaryArray) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(column), values.type)
    return values.take(column.indices)


def resource_column(table: pa.Table, otlp: pa.StructArray) -> pa.DictionaryArray:
    """`dictionary<struct<resource, schema_url>>` from the column `resource_attributes` and the remainder."""
    maps = table.column("resource_attributes").chunk(0)
    types, rest = (otlp.flatten()[otlp.type.get_field_index(f"resource_{name}")] for name in ("types", "rest"))
    (letters,), _ = Letters(types).split([offsets_of(maps)])
    attributes = attributes_of(maps, letters, handler(Resource).schema().field("attributes").type)
    shown = serialize(Resource, len(maps), attributes=attributes)
    whole = valid(rest) & ~valid(types)
    first, codes = distinct([shown, rest, pa.array(whole)])
    # The remainder alone says whether there is a resource when there is one and no attributes are.
    said = pa.array(whole | (valid(rest) & ~_some(attributes)))
    bases = _enveloped(pc.if_else(said, None, shown).take(first), pa.nulls(len(first), pa.string()))
    return _dictionary(_merged(bases, rest.take(first)), codes, ResourceSpans, "resource", Resource)


def scope_column(table: pa.Table, otlp: pa.StructArray) -> pa.DictionaryArray:
    """`dictionary<struct<scope, schema_url>>` from the remainder, or from name and version where it is null."""
    rest = otlp.flatten()[otlp.type.get_field_index("scope")]
    name, version = (text(table.column(f"scope_{field}").chunk(0)) for field in ("name", "version"))
    first, codes = distinct([name, version, rest])
    shown = serialize(InstrumentationScope, len(first), name=name.take(first), version=version.take(first))
    held = pc.coalesce(rest.take(first), _enveloped(shown, pa.nulls(len(first), pa.string())))
    return _dictionary(held, codes, ScopeSpans, "scope", InstrumentationScope)


def _merged(first: pa.BinaryArray, second: pa.BinaryArray) -> pa.BinaryArray:
    """The bytes of two messages, one after the other, are a message that has what is in both (protobuf's encoding)."""
    return pc.binary_join_element_wise(first, second, pa.scalar(b""), null_handling="replace", null_replacement=b"")


def _dictionary(
    serialized: pa.BinaryArray, codes: np.ndarray, envelope: Any, name: str, message: Any
) -> pa.DictionaryArray:
    envelopes = parse(envelope, serialized)
    fields = [
        pa.field(name, pa.struct(list(handler(message).schema()))),
        pa.field("schema_url", pa.string(), nullable=False),
    ]
    values = pa.StructArray.from_arrays([envelopes.field(name), envelopes.field("schema_url")], fields=fields)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)
